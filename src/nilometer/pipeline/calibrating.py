"""Calibration records and standard solutions as somebody enters them: checked, worked out, kept, put into force.

A record says what was done and found. Where it comes with a calibration, that calibration is in force from its date on
for the rows that arrive from now on, by the one kernel there is; rows that are stored already keep what they have until
they are reprocessed, and the answer says how many these are. What a record puts in doubt is a test of the profile
(`nilometer.pipeline.calibration_rules`). Nothing is changed in place: a correction is a version that supersedes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nilometer import units
from nilometer.calibration.certificate import ALWAYS, Calibration
from nilometer.calibration.outcome import limit_of_both
from nilometer.calibration.validity import Doubt, Standing, doubts, first_change, standing
from nilometer.config_fields import KEY_PATTERN
from nilometer.errors import CalibrationError, RequestError, ReviewRefused
from nilometer.model import Datastream
from nilometer.model.calibration_records import CalibrationPoint, CalibrationRecord, RecordKind, StandardSolution
from nilometer.pipeline.calibration_fit import FitOrder, fitted
from nilometer.pipeline.calibration_points import PointOrder, calibrated, outcome_of, points_of, raw_unit_of
from nilometer.pipeline.calibration_rules import limits_of, rule_of
from nilometer.pipeline.review_orders import Orders
from nilometer.store import Store

__all__ = ["CalibrationBook", "Calibrations", "RecordOrder", "Recorded", "StandardOrder"]

_PUTS_INTO_FORCE = (RecordKind.VERIFICATION, RecordKind.ADJUSTMENT)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = 300_000_000  # µs that the clock of whoever enters a record may be ahead of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardOrder:
    """A standard solution as it is entered: its fields, an uncertainty as the certificate states it, and who enters it.

    `uncertainty` is divided by `coverage_factor`.
    """

    key: str
    value: float
    unit: str
    by: str
    name: str = ""
    quantity: str = ""
    uncertainty: float | None = None
    coverage_factor: float = 1.0
    lot: str = ""
    certificate: str = ""
    issued_by: str = ""
    opened: int | None = None
    expires: int | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrder:
    """A calibration record as it is entered.

    Parameters
    ----------
    datastream : str or int
        Key or id.
    kind : RecordKind
        What was done.
    time : int
        When, µs since 1970 UTC.
    operator, by : str
        Who did it, and who enters it.
    points : sequence of PointOrder
        What was read.
    readings : {"result", "raw"}
        Whether readings are results or raw.
    limit, limit_percent : float, optional
        Acceptance limits; both None: those of the Datastream's configuration.
    valid_until : int, optional
        µs since 1970 UTC.
    calibration : mapping, optional
        The document of the calibration that it puts into force; without `valid_from`: from `time` on.
    fit : FitOrder, optional
        Fit that calibration to the points instead.
    accept_expired : str
        Why a standard was used that had expired.
    attachments : sequence of str
        Paths or addresses.
    comment : str
        In words.
    """

    datastream: str | int
    kind: RecordKind
    time: int
    operator: str
    by: str
    points: Sequence[PointOrder] = ()
    readings: str = "result"
    limit: float | None = None
    limit_percent: float | None = None
    valid_until: int | None = None
    calibration: Mapping[str, Any] | None = None
    fit: FitOrder | None = None
    accept_expired: str = ""
    attachments: Sequence[str] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an order: the record, and what it means for rows that are stored already.

    `stored` rows from `since` on (µs since 1970 UTC) were calibrated or judged by what was known before.
    """

    record: CalibrationRecord
    stored: int
    since: int | None


class CalibrationBook:
    """Takes records and standards, one at a time, in the pump's thread.

    Parameters
    ----------
    store : Store
        Whose catalog keeps them.
    orders : Orders
        Finds Datastreams.
    clock : callable
        The present, µs since 1970 UTC.
    changed : callable
        Told of a Datastream whose calibration changed, before another row of it passes.
    """

    def __init__(
        self, store: Store, orders: Orders, clock: Callable[[], int], changed: Callable[[Datastream], None]
    ) -> None:
        self._store, self._catalog, self._ledger = store, store.catalog, store.catalog.calibration_records
        self._orders, self._clock, self._changed = orders, clock, changed

    def enter_standard(self, order: StandardOrder, number: int | None = None) -> StandardSolution:
        """Enter a standard solution, or a new version of one.

        Raises
        ------
        RequestError, UnitError
            If a field cannot be used, or the key is taken.
        NotFound
            If there is no standard of that number.
        ReviewRefused
            If it was withdrawn.
        """
        _check_by(order.by)
        last = None if number is None else self._last(self._ledger.standard_versions(number), "standard solution")
        self._check_standard(order, last)
        uncertainty = None if order.uncertainty is None else order.uncertainty / order.coverage_factor
        now = self._clock()
        made = StandardSolution(
            key=order.key,
            name=order.name or order.key,
            quantity=order.quantity,
            value=order.value,
            unit=units.canonical(order.unit),
            uncertainty=uncertainty,
            coverage_factor=order.coverage_factor,
            lot=order.lot,
            certificate=order.certificate,
            issued_by=order.issued_by,
            opened=order.opened,
            expires=order.expires,
            comment=order.comment,
            actor=order.by.strip(),
            entered=now,
            sequence=self._store.mark(),
            first=None if last is None else last.root,
        )
        return self._noted_standard(self._ledger.enter_standard(made), "enter" if last is None else "correct")

    def withdraw_standard(self, number: int, *, by: str, comment: str = "") -> StandardSolution:
        """Take a standard back: it should not have been entered; records that used it keep what they say."""
        _check_by(by)
        last = self._last(self._ledger.standard_versions(number), "standard solution")
        said = {"actor": by.strip(), "comment": comment, "entered": self._clock(), "sequence": self._store.mark()}
        gone = replace(last, id=0, first=last.root, withdrawn=True, **said)
        return self._noted_standard(self._ledger.enter_standard(gone), "withdraw")

    def enter(self, order: RecordOrder, number: int | None = None) -> Recorded:
        """Enter a record, or a version that supersedes one.

        Raises
        ------
        RequestError
            If a field cannot be used.
        NotFound
            If it speaks of what is not there.
        CalibrationError, UnitError
            If its calibration, or a standard, does not fit the Datastream, or a standard had expired.
        ReviewRefused
            If the record was withdrawn.
        StoreError
            If the store refuses; then nothing was changed.
        """
        _check_by(order.by)
        (datastream,) = self._orders.datastreams([order.datastream], "$.datastream")
        last = None if number is None else self._last(self._ledger.record_versions(number), "calibration record")
        if last is not None and last.datastream != datastream.id:
            raise RequestError(
                f"record {number} is one of {self._catalog.datastream(last.datastream).key}; withdraw it, and enter it "
                "where it belongs",
                place="$.datastream",
            )
        self._check(order)
        points, standards = points_of(self._store, datastream, order.kind, order.points, order.readings)
        expiry = _expiry(order, standards)
        document, fit = self._document(order, datastream, points, last)
        record = replace(self._record(order, datastream, points, document, last), fit=fit, **expiry)
        calibration = None
        if document is not None:
            calibration = self._known(last, document)
            if calibration is not None:
                record = replace(record, calibration=calibration)
        new = None if document is None or calibration is not None else (document.valid_from, document.to_document())
        return self._write(record, new, "enter" if last is None else "correct", last)

    def withdraw(self, number: int, *, by: str, comment: str = "") -> Recorded:
        """Take a record back: it was never made, and what it put into force no longer is.

        Raises
        ------
        NotFound, ReviewRefused
            If there is none, or it was withdrawn already.
        """
        _check_by(by)
        last = self._last(self._ledger.record_versions(number), "calibration record")
        gone = replace(last, id=0, first=last.root, withdrawn=True, actor=by.strip(), comment=comment)
        return self._write(gone, None, "withdraw", last)

    def standing(self, datastream: Datastream, as_of: int | None = None, now: int | None = None) -> Standing | None:
        """Return how the calibration of a Datastream stands; `as_of` is a commit, `now` the moment asked for."""
        rule = rule_of(datastream)
        if rule.every is None and not self._ledger.has_records(datastream.id):
            return None
        records = self._ledger.records([datastream.id], as_of)
        return standing(records, rule, self._clock() if now is None else now)

    def _write(
        self,
        record: CalibrationRecord,
        new: tuple[int, dict[str, Any]] | None,
        action: str,
        last: CalibrationRecord | None,
    ) -> Recorded:
        datastream = self._catalog.datastream(record.datastream)
        before = self._state(datastream)
        now = self._clock()
        done = self._ledger.enter_record(replace(record, entered=now, sequence=self._store.mark()), new)
        self._changed(datastream)
        detail = {
            "datastream": datastream.key,
            "kind": str(done.kind),
            "time": done.time,
            "passed": done.passed,
            "expired": list(done.expired),
            "accept_expired": done.accept_expired,
            "calibration": done.calibration,
            "version": done.id,
        }
        self._catalog.add_audit(now, done.actor, f"calibration.{action}", f"calibration-record/{done.root}", detail)
        since = self._changed_from(before, self._state(datastream), done, last)
        if since is None:
            return Recorded(done, 0, None)
        stored = self._store.snapshot().count([datastream.id], since, None, water_only=False)
        return Recorded(done, stored, since if stored else None)

    def _state(self, datastream: Datastream) -> tuple[list[int], tuple[Doubt, ...]]:
        """Return what of the records bears on values: the calibrations in force, and the spans of doubt."""
        rows = [row.id for row in self._catalog.calibrations_in_force(datastream.id)]
        return rows, doubts(self._ledger.records([datastream.id]), rule_of(datastream))

    @staticmethod
    def _changed_from(
        before: tuple[list[int], tuple[Doubt, ...]],
        after: tuple[list[int], tuple[Doubt, ...]],
        done: CalibrationRecord,
        last: CalibrationRecord | None,
    ) -> int | None:
        """Return from when on values are calibrated, or doubted, otherwise; None: none are."""
        moments = [] if before[0] == after[0] else [one.effective for one in (done, last) if one is not None]
        moved = first_change(before[1], after[1])
        return min([*moments, *([] if moved is None else [moved])], default=None)

    def _record(
        self,
        order: RecordOrder,
        datastream: Datastream,
        points: Sequence[CalibrationPoint],
        document: Calibration | None,
        last: CalibrationRecord | None,
    ) -> CalibrationRecord:
        is_raw = order.readings == "raw"
        before = self._standing(datastream, last)
        if document is not None:
            calibrated([math.nan], datastream, [document], order.time)  # refuses what leads to another dimension
        said = (order.limit, order.limit_percent)
        absolute, percent = limits_of(datastream) if said == (None, None) else said
        outcome = outcome_of(
            points,
            datastream,
            limit_of_both(absolute, percent),
            found_by=before if is_raw else None,
            left_by=(before if document is None else [replace(document, valid_from=ALWAYS)]) if is_raw else None,
            is_new=document is not None,
            time=order.time,
        )
        # What an adjustment found is what it put right: only what it left tells whether it passed.
        told = outcome.get("as_left") or (None if order.kind is RecordKind.ADJUSTMENT else outcome.get("as_found"))
        return CalibrationRecord(
            kind=order.kind,
            datastream=datastream.id,
            sensor=datastream.sensor,
            time=order.time,
            effective=order.time if document is None else document.valid_from,
            operator=order.operator.strip(),
            points=tuple(points),
            readings=order.readings,
            limit=absolute,
            limit_percent=percent,
            outcome=outcome,
            passed=None if told is None else told["passed"],
            valid_until=order.valid_until,
            attachments=tuple(order.attachments),
            comment=order.comment,
            actor=order.by.strip(),
            first=None if last is None else last.root,
        )

    def _standing(self, datastream: Datastream, last: CalibrationRecord | None) -> list[Calibration]:
        """Return the calibrations in force, but for the one of the version that is corrected."""
        return [
            Calibration.from_document(row.document)
            for row in self._catalog.calibrations_in_force(datastream.id)
            if last is None or row.id != last.calibration
        ]

    def _document(
        self,
        order: RecordOrder,
        datastream: Datastream,
        points: Sequence[CalibrationPoint],
        last: CalibrationRecord | None,
    ) -> tuple[Calibration | None, dict[str, Any] | None]:
        """Return the calibration that a record puts into force, and the report of its fit, if it is fitted."""
        if order.fit is None:
            return _dated(order), None
        is_raw = order.readings == "raw"
        if not is_raw and any(one.valid_from <= order.time for one in self._standing(datastream, last)):
            raise RequestError(
                f"{datastream.key} has a calibration in force, so results are not what it maps; give raw readings",
                place="$.readings",
            )
        used = [None if one.standard is None else self._ledger.standard_version(one.standard) for one in points]
        # Standards of one lot err together; those without a lot only with themselves.
        lots = [None if one is None else one.lot or f"standard {one.root}" for one in used]
        unit_in = raw_unit_of(datastream) if is_raw else datastream.unit
        return fitted(points, lots, order.fit, unit_in=unit_in, unit_out=datastream.unit, valid_from=order.time)

    def _known(self, last: CalibrationRecord | None, document: Calibration) -> int | None:
        """Return the calibration that the former version put into force, where this one wants the same."""
        if last is None or last.calibration is None:
            return None
        rows = {row.id: row for row in self._catalog.calibrations(last.datastream)}
        row = rows[last.calibration]
        return row.id if row.document == document.to_document() else None

    def _check(self, order: RecordOrder) -> None:
        if not order.operator.strip():
            raise RequestError("say who did it: operator", place="$.operator")
        if order.time > self._clock() + _AHEAD:
            raise RequestError(f"{_day(order.time)} has not come yet", place="$.time")
        if order.calibration is not None and order.fit is not None:
            raise RequestError("either a calibration, or the fit of one", place="$.fit")
        if (order.calibration is not None or order.fit is not None) and order.kind not in _PUTS_INTO_FORCE:
            allowed, at = " or ".join(_PUTS_INTO_FORCE), "calibration" if order.fit is None else "fit"
            raise RequestError(f"a {order.kind} puts no calibration into force; enter it as {allowed}", place=f"$.{at}")
        if order.valid_until is not None and order.valid_until <= order.time:
            raise RequestError("it would end before it was done", place="$.valid_until")
        if not order.points and order.calibration is None and order.kind is not RecordKind.VERIFICATION:
            raise RequestError(f"a {order.kind} has at least one point", place="$.points")

    def _check_standard(self, order: StandardOrder, last: StandardSolution | None) -> None:
        if not re.match(KEY_PATTERN, order.key) or len(order.key) > 200:
            raise RequestError("a key is a letter, then letters, digits and _ . - /", place="$.key")
        if not 0 < order.coverage_factor < math.inf:
            raise RequestError("a coverage factor is above 0, such as 2", place="$.coverage_factor")
        if order.uncertainty is not None and not 0 <= order.uncertainty < math.inf:
            raise RequestError("an uncertainty is a number from 0", place="$.uncertainty")
        if order.opened is not None and order.expires is not None and order.opened >= order.expires:
            raise RequestError("it had expired when it was opened", place="$.opened")
        taken = [one for one in self._ledger.standards() if one.key == order.key]
        if taken and (last is None or taken[0].root != last.root):
            raise RequestError(
                f"{order.key!r} is standard solution {taken[0].root} already; correct that one, or choose another key, "
                "such as one with the lot in it",
                place="$.key",
            )

    def _noted_standard(self, standard: StandardSolution, action: str) -> StandardSolution:
        detail = {
            "key": standard.key,
            "lot": standard.lot,
            "value": standard.value,
            "unit": standard.unit,
            "expires": standard.expires,
            "version": standard.id,
        }
        subject = f"standard-solution/{standard.root}"
        self._catalog.add_audit(standard.entered, standard.actor, f"standard.{action}", subject, detail)
        return standard

    @staticmethod
    def _last(versions: Sequence[Any], what: str) -> Any:  # noqa: ANN401 -- a record or a standard
        last = versions[-1]
        if last.withdrawn:
            raise ReviewRefused(f"{what} {last.root} was withdrawn; enter it again", place="$")
        return last


class Calibrations:
    """The book as others reach it: calls are done in the pump's thread, between two commits, where no row is in flight.

    Parameters
    ----------
    book : CalibrationBook
        What does it.
    in_pump : callable
        Has something done there, and gives what it returned.
    """

    def __init__(self, book: CalibrationBook, in_pump: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._book, self._in_pump = book, in_pump
        self.standing = book.standing

    async def enter(self, order: RecordOrder, number: int | None = None) -> Recorded:
        """Enter a record, or a version that supersedes one; see `CalibrationBook.enter`."""
        done: Recorded = await self._in_pump(lambda: self._book.enter(order, number))
        return done

    async def withdraw(self, number: int, *, by: str, comment: str = "") -> Recorded:
        """Take a record back; see `CalibrationBook.withdraw`."""
        done: Recorded = await self._in_pump(lambda: self._book.withdraw(number, by=by, comment=comment))
        return done

    async def enter_standard(self, order: StandardOrder, number: int | None = None) -> StandardSolution:
        """Enter a standard solution, or a new version of one; see `CalibrationBook.enter_standard`."""
        done: StandardSolution = await self._in_pump(lambda: self._book.enter_standard(order, number))
        return done

    async def withdraw_standard(self, number: int, *, by: str, comment: str = "") -> StandardSolution:
        """Take a standard solution back; see `CalibrationBook.withdraw_standard`."""
        gone: StandardSolution = await self._in_pump(
            lambda: self._book.withdraw_standard(number, by=by, comment=comment)
        )
        return gone


def _dated(order: RecordOrder) -> Calibration | None:
    if order.calibration is None:
        return None
    calibration = Calibration.from_document(order.calibration)
    return replace(calibration, valid_from=order.time) if calibration.valid_from == ALWAYS else calibration


def _expiry(order: RecordOrder, standards: Sequence[StandardSolution]) -> dict[str, Any]:
    """Return which standards had expired, and why they were used; refuse where nobody says why."""
    expired = {one.key: one for one in standards if one.has_expired(order.time)}
    if not expired:
        return {}
    if not order.accept_expired.strip():
        said = ", ".join(f"{one.key} on {_day(one.expires or 0)}" for one in expired.values())
        raise CalibrationError(
            f"a standard had expired when it was used ({said}); use another, or give accept_expired the reason: the "
            "values under this record are then SUSPECT until the next sound one"
        )
    return {"expired": tuple(sorted(expired)), "accept_expired": order.accept_expired.strip()}


def _check_by(by: str) -> None:
    if not by.strip():
        raise RequestError("say who enters it: a record without a name is not kept", place="$.by")


def _day(time: int) -> str:
    return (_EPOCH + timedelta(microseconds=time)).isoformat(timespec="minutes")
