"""Calibration and qc of admitted rows, and the provenance that says which versions of them made each number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nilometer import __version__, units
from nilometer.calibration.certificate import Calibration
from nilometer.calibration.table import CalibrationTable, Companions
from nilometer.errors import ConfigError
from nilometer.model import Datastream, ObservationBatch, QartodFlag, Settlements
from nilometer.pipeline.calibration_rules import under_calibration
from nilometer.pipeline.choosing import changes_of, with_inputs
from nilometer.pipeline.derived import joined
from nilometer.pipeline.log import Log
from nilometer.pipeline.partners import Partners
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import Profile
from nilometer.qc.shelf import Shelf
from nilometer.qc.thresholds import Place
from nilometer.store import Store

__all__ = ["Judging"]

STATE = "qc"
_FAIL = str(int(QartodFlag.FAIL))
_WRITTEN = ("result", "result_uncertainty", "result_quality", "tests", "provenance")
_log = Log(__name__)

Beside = Callable[[ObservationBatch, ObservationBatch], Companions | None]
"""Gives the companions of rows; gets these, and the rows of the same commit that are finished."""


class _Ways:
    """Rows of provenance by Datastream and calibration, as one array to take from."""

    def __init__(self, provenance: Mapping[int, Sequence[int]]) -> None:
        self._first = np.zeros(max(provenance, default=0) + 1, np.int64)
        rows: list[int] = []
        for datastream, ways in provenance.items():
            self._first[datastream] = len(rows)
            rows += ways
        self._rows = np.array(rows, np.int32)

    def of(self, datastream: NDArray[np.int32], applied: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the provenance of rows; `applied` counts a Datastream's calibrations, -1 is none of them."""
        way: NDArray[np.int32] = self._rows[self._first[datastream] + (applied + 1)]
        return way


class Judging:
    """The stages between admission and the journal, for all Datastreams.

    Parameters
    ----------
    store : Store
        Where Datastreams, calibrations, profile versions, provenance and state snapshots are kept.
    shelf : Shelf, optional
        Where profiles are looked up; None: the installed ones.
    """

    def __init__(self, store: Store, shelf: Shelf | None = None) -> None:
        self._store = store
        self._shelf = Shelf() if shelf is None else shelf
        self._calibration = CalibrationTable()
        self._qc = QcEngine()
        self._partners = Partners(store.catalog)
        self._dated: dict[int, int] = {}
        self._provenance: dict[int, list[int]] = {}
        self.versions: dict[int, int | None] = {}
        self._ways: _Ways | None = None
        self._samples = np.zeros(0, np.int32)
        self._samples_seen = -1
        self.asking: dict[int, tuple[str, ...]] = {}
        """Datastreams whose calibrations ask for a companion, with the keys of these."""
        self.beside: Beside = lambda _rows, _finished: None

    def recover(self) -> None:
        """Take up where the journal ends: the last state snapshot, advanced by what was journaled after it."""
        fresh = QcEngine()
        for stream in self._store.catalog.streams.all():
            self._set(stream, fresh)
        kept = self._store.load_state(STATE)
        after = 0
        if kept is not None:
            after, state = kept
            try:
                fresh.restore(state)
            except ValueError as error:
                # What the sequence tests remember begins anew; the rows and their flags are all there.
                _log.warning("the state of the tests cannot be taken up", error=str(error))
        for _, rows in self._store.replay(after):
            reviewed = (
                np.zeros(0, np.bool_) if rows.provenance is None else self._store.catalog.reviewed(rows.provenance)
            )
            sent = rows.take(~reviewed) if reviewed.any() else rows
            fresh.advance(sent, water=self._moved(sent))
        self._qc = fresh

    def set(self, datastream: Datastream) -> None:
        """Add a Datastream, or take its changed profile, unit or calibrations from now on."""
        self._set(datastream, self._qc)
        for lacking in self._partners.lacking():
            if lacking != datastream.id:
                self._set(self._store.catalog.datastream(lacking), self._qc)

    def _set(self, datastream: Datastream, engine: QcEngine) -> None:
        ours = datastream.properties.get("nilometer", {})
        rows = self._store.catalog.calibrations_in_force(datastream.id)
        certificates = [Calibration.from_document(row.document) for row in rows]
        unit, raw_unit = datastream.unit, ours.get("raw_unit", datastream.unit)
        if unit == units.UNKNOWN:
            unit = raw_unit = ""  # results are as they were sent
        self._calibration.set(datastream.id, certificates, raw_unit=raw_unit, unit=unit)
        self.asking.pop(datastream.id, None)
        keys = tuple(sorted({one.companion for one in certificates if one.companion}))
        if keys:
            self.asking[datastream.id] = keys
        profile = self.profile(datastream)
        engine.set(
            datastream.id,
            profile,
            unit=datastream.unit,
            mark_scheme=datastream.mark_scheme,
            partners=self._partners.of(datastream, profile),
        )
        kinds = [test.kind for test in profile.tests] if profile is not None else []
        self._dated.pop(datastream.id, None)
        if "impossible_date" in kinds:
            self._dated[datastream.id] = kinds.index("impossible_date")
        definition = self._store.catalog.definitions.current().get(datastream.id)
        version = None
        if profile is not None:
            version = self._store.catalog.profile_version(profile.name, profile.version, profile.to_document())
        self.versions[datastream.id] = version
        source = ours.get("source", "")
        calibrations = [None, *(row.id for row in rows)]
        number = None if definition is None else definition.id
        self._provenance[datastream.id] = [self._provenance_row(row, version, source, number) for row in calibrations]
        self._ways = None

    def finish(self, rows: ObservationBatch, received: int | None) -> Settlements:
        """Fill result, uncertainty, flags, tests and provenance; return the settled flags of earlier rows.

        Parameters
        ----------
        rows : ObservationBatch
            Admitted rows.
        received : int, optional
            When they came, µs since 1970 UTC; None: nobody knows.
        """
        asks = np.isin(rows.datastream, list(self.asking)) if self.asking else None
        if asks is None or not asks.any():
            self.calibrate(rows)
            return self.judge(rows, received)
        # Companions that come in the same commit are finished before the rows that ask for them.
        order = np.argsort(asks, kind="stable")
        others = len(rows) - int(asks.sum())
        first, behind = rows.take(order[:others]), rows.take(order[others:])
        self.calibrate(first)
        settled = [self.judge(first, received)]
        self.calibrate(behind, self.beside(behind, first))
        settled.append(self.judge(behind, received))
        done = ObservationBatch.concat([first, behind]).take(np.argsort(order, kind="stable"))
        for name in _WRITTEN:
            setattr(rows, name, getattr(done, name))
        return joined(settled)

    def wanted(self, rows: ObservationBatch) -> tuple[NDArray[np.int32], list[str]]:
        """Return which companion each row asks for: see `CalibrationTable.wanted`."""
        return self._calibration.wanted(rows)

    def calibrate(self, rows: ObservationBatch, companions: Companions | None = None) -> None:
        """Fill result, uncertainty and provenance."""
        applied = self._calibration.apply(rows, companions)
        ways = self._ways
        if ways is None:
            ways = self._ways = _Ways(self._provenance)
        rows.provenance = ways.of(rows.datastream, applied)

    def judge(self, rows: ObservationBatch, received: int | None) -> Settlements:
        """Fill flags and tests of calibrated rows; return the settled flags of earlier rows."""
        settled = self._qc.evaluate(rows, water=self._water(rows), received=received)
        streams, quality = self._store.catalog.streams, rows.result_quality
        if quality is None:
            return settled
        if len(streams.ever_multi()):
            # The results of a MultiDatastream are no numbers, and are not missing either.
            quality[streams.are_multi(rows.datastream)] = QartodFlag.NOT_EVALUATED
        if rows.extra is not None:
            # Nor is a text missing, where no profile asks for a number.
            kept = np.flatnonzero((quality == QartodFlag.MISSING) & rows.keeps_results())
            unjudged = [self.versions.get(number) is None for number in rows.datastream[kept].tolist()]
            quality[kept[unjudged]] = QartodFlag.NOT_EVALUATED
        return settled

    def adopt(self, other: Judging, datastreams: Collection[int]) -> None:
        """Let the tests of Datastreams go on from where another stands with them."""
        self._qc.adopt(other._qc, datastreams)

    def finish_derived(self, rows: ObservationBatch, received: int) -> Settlements:
        """Fill flags, tests and provenance of derived rows, whose results are there; see `finish`.

        What their inputs were flagged stands in `syntax`, and is the outcome of the test ``inputs``.
        """
        ways = self._ways
        if ways is None:
            ways = self._ways = _Ways(self._provenance)
        rows.provenance = ways.of(rows.datastream, np.full(len(rows), -1, np.int32))
        return self._qc.evaluate(rows, water=self._water(rows), received=received)

    def save(self, sequence: int) -> None:
        """Keep the tests' state as of a journal sequence; called where no row is in flight."""
        self._store.save_state(STATE, sequence, self._qc.snapshot())

    def pending(self) -> NDArray[np.int64]:
        """Return the ids of rows whose last test has not spoken."""
        return self._qc.pending()

    def _water(self, rows: ObservationBatch) -> np.ndarray | None:
        kinds = self._store.catalog.sample_kinds()
        if len(kinds) != self._samples_seen:
            self._samples = np.fromiter(kinds, np.int32)
            self._samples_seen = len(kinds)
        if rows.feature is None or not len(self._samples):
            return None
        return ~np.isin(rows.feature, self._samples)

    def _moved(self, rows: ObservationBatch) -> np.ndarray | None:
        """Return which journaled rows may have moved the state: the water, but for rows of an impossible date.

        When a row was received is not journaled; what the test said of it is.
        """
        water = self._water(rows)
        dated = np.isin(rows.datastream, list(self._dated)) if self._dated and rows.tests is not None else None
        if dated is None or not dated.any():
            return water
        moved = np.ones(len(rows), np.bool_) if water is None else water
        for row in np.flatnonzero(dated):
            tests, slot = rows.tests[int(row)].as_py(), self._dated[int(rows.datastream[row])]
            if tests is not None and slot < len(tests) and tests[slot] == _FAIL:
                moved[row] = False
        return moved

    def profile(self, datastream: Datastream) -> Profile | None:
        """Return what judges a Datastream: its profile, what its calibration records say, the flags of its inputs.

        A profile that is gone or does not fit is said, and nothing is judged by it.
        """
        records = self._store.catalog.calibration_records.records([datastream.id])
        profile = under_calibration(self._own_profile(datastream), datastream, records)
        is_derived = datastream.id in self._store.catalog.definitions.current()
        return with_inputs(profile) if is_derived else profile

    def _own_profile(self, datastream: Datastream) -> Profile | None:
        name = datastream.profile
        if name is None or datastream.unit == units.UNKNOWN:
            return None
        try:
            profile = self._shelf.effective(name, changes_of(datastream), Place(under=f"{datastream.key}.qc"))
        except ConfigError as error:
            # The configuration was checked before: this one was stored when the profile was still there.
            _log.error("profile cannot be used; not judged", datastream=datastream.key, error=str(error))
            return None
        if profile.unit and not units.same_dimension(profile.unit, datastream.unit):
            _log.warning("profile has another dimension; not judged", datastream=datastream.key, profile=name)
            return None
        return profile

    def _provenance_row(self, calibration: int | None, version: int | None, source: str, definition: int | None) -> int:
        return self._store.catalog.provenance(calibration, version, source, __version__, definition=definition)
