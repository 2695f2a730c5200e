"""Calibration records and standard solutions as they are sent and told; the command line sends the same bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from nilometer.calibration.validity import Standing
from nilometer.errors import RequestError, near
from nilometer.model import Datastream, SampleKind
from nilometer.model.calibration_records import CalibrationPoint, CalibrationRecord, RecordKind, StandardSolution
from nilometer.pipeline import Pipeline
from nilometer.pipeline.calibrating import Recorded, RecordOrder, StandardOrder
from nilometer.pipeline.calibration_fit import FitOrder
from nilometer.pipeline.calibration_points import PointOrder, StoredSample
from nilometer.pipeline.calibration_rules import limits_of, rule_of
from nilometer.store import Catalog
from nilometer.web.api.review_bodies import Body, Moment
from nilometer.web.times import parse_moment

__all__ = [
    "RecordBody",
    "StandardBody",
    "WithdrawalBody",
    "due_documents",
    "record_document",
    "record_documents",
    "record_order",
    "recorded_document",
    "standard_document",
    "standard_order",
]

_TIME = "ISO 8601 with an offset, or milliseconds since 1970 UTC"


class SampleBody(Body):
    """Stored Observations of a sample that a reading is the mean of."""

    start: Moment = Field(description=f"inclusive; {_TIME}")
    end: Moment = Field(description=f"exclusive; {_TIME}")
    sample: str | None = Field(None, description="zero, span, check, spike, blank, parallel; absent: by the kind")
    reads: Literal["before", "after"] = Field("before", description="as found, or as left")


class PointBody(Body):
    """One standard, and what the instrument read of it."""

    standard: str | int | None = Field(None, description="key or id of a standard solution")
    value: float | None = Field(None, description="assigned value; absent: the standard's")
    unit: str | None = Field(None, description="of the value; absent: the standard's, else the Datastream's")
    uncertainty: float | None = Field(None, ge=0, description="standard uncertainty (k = 1) of the value")
    before: float | None = Field(None, description="mean reading as found")
    after: float | None = Field(None, description="mean reading as left")
    readings: int | None = Field(None, ge=1, description="how many readings the mean is of")
    spread: float | None = Field(None, ge=0, description="their standard deviation")
    temperature: float | None = Field(None, description="of the standard, degree_Celsius")
    from_observations: SampleBody | None = None


class FitBody(Body):
    """How the calibration is fitted to the points."""

    form: str = Field("polynomial", description="a form of docs/calibration.md, such as polynomial, slope, nernst")
    degree: int = Field(1, ge=0, le=8, description="of a polynomial")
    use: Literal["before", "after"] = Field("before", description="which readings")
    enlarge: bool = Field(default=False, description="enlarge the covariance where the points scatter more")
    certificate: dict[str, Any] = Field(
        default_factory=dict, description="what its document says beside: certificate, companion, isopotential …"
    )


class RecordBody(Body):
    """A calibration record: what was done to an instrument, what was found, what it puts into force."""

    datastream: str | int = Field(description="key or id")
    kind: RecordKind
    time: Moment = Field(description=f"when it was done; {_TIME}")
    operator: str = Field(description="who did it")
    by: str = Field(description="who enters it")
    points: list[PointBody] = Field(default_factory=list)
    readings: Literal["result", "raw"] = Field("result", description="readings are results, or raw")
    limit: float | None = Field(None, gt=0, description="largest accepted deviation, in the Datastream's unit")
    limit_percent: float | None = Field(None, gt=0, description="the same in percent of the assigned value")
    valid_until: Moment | None = Field(None, description=f"{_TIME}; absent: by the Datastream's interval")
    calibration: dict[str, Any] | None = Field(
        None, description="the map from raw result to quantity that it puts into force, from `time` on or `valid_from`"
    )
    fit: FitBody | None = Field(None, description="fit that calibration to the points instead")
    accept_expired: str = Field("", description="why a standard was used that had expired")
    attachments: list[str] = Field(default_factory=list, description="where certificates and sheets lie")
    comment: str = ""


class StandardBody(Body):
    """A standard solution, as its certificate has it."""

    key: str = Field(description="its name in records, such as ph7-a123")
    name: str = ""
    quantity: str = Field("", description="key of an observed property; empty: it serves several")
    value: float
    unit: str
    uncertainty: float | None = Field(None, ge=0, description="as the certificate states it")
    coverage_factor: float = Field(1.0, description="the k with which it is stated; u = uncertainty / k is kept")
    lot: str = ""
    certificate: str = ""
    issued_by: str = ""
    opened: Moment | None = Field(None, description=_TIME)
    expires: Moment | None = Field(None, description=f"from then on it has expired; {_TIME}")
    comment: str = ""
    by: str = Field(description="who enters it")


class WithdrawalBody(Body):
    """Who takes a record or a standard back."""

    by: str
    comment: str = ""


def record_order(body: RecordBody) -> RecordOrder:
    """Return the order of a body."""
    told = body.model_dump(exclude={"points", "time", "valid_until", "fit"})
    return RecordOrder(
        **told,
        time=_required(body.time, "$.time"),
        valid_until=_moment(body.valid_until, "$.valid_until"),
        fit=None if body.fit is None else FitOrder(**body.fit.model_dump()),
        points=[_point_order(point, f"$.points[{number}]") for number, point in enumerate(body.points)],
    )


def _point_order(body: PointBody, at: str) -> PointOrder:
    stored = body.from_observations
    sample = None if stored is None else _stored(stored, f"{at}.from_observations")
    return PointOrder(**body.model_dump(exclude={"from_observations"}), from_observations=sample)


def _stored(body: SampleBody, at: str) -> StoredSample:
    kinds = {kind.name.lower(): kind for kind in SampleKind if kind is not SampleKind.WATER}
    if body.sample is not None and body.sample not in kinds:
        alike = near(body.sample, kinds)
        hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
        raise RequestError(f"{body.sample!r} is no sample{hint} (allowed: {', '.join(kinds)})", place=f"{at}.sample")
    return StoredSample(
        start=_required(body.start, f"{at}.start"),
        end=_required(body.end, f"{at}.end"),
        sample=None if body.sample is None else kinds[body.sample],
        reads=body.reads,
    )


def standard_order(body: StandardBody) -> StandardOrder:
    """Return the order of a body."""
    times = {name: _moment(getattr(body, name), f"$.{name}") for name in ("opened", "expires")}
    return StandardOrder(**{**body.model_dump(), **times})


def standard_document(standard: StandardSolution) -> dict[str, Any]:
    """Return a standard as it is told; times in ms since 1970 UTC, `uncertainty` with k = 1."""
    return {
        "id": standard.root,
        "version": standard.id,
        "key": standard.key,
        "name": standard.name,
        "quantity": standard.quantity,
        "value": standard.value,
        "unit": standard.unit,
        "uncertainty": standard.uncertainty,
        "coverage_factor": standard.coverage_factor,
        "lot": standard.lot,
        "certificate": standard.certificate,
        "issued_by": standard.issued_by,
        "opened": _ms(standard.opened),
        "expires": _ms(standard.expires),
        "comment": standard.comment,
        "by": standard.actor,
        "at": standard.entered // 1000,
        "commit": standard.sequence,
        "withdrawn": standard.withdrawn,
    }


def record_document(record: CalibrationRecord, catalog: Catalog) -> dict[str, Any]:
    """Return a record as it is told; `id` stays through all of its versions."""
    datastream = catalog.datastream(record.datastream)
    rule = rule_of(datastream)
    due = rule.due(record) if record.is_sound and record.kind in rule.renewed_by else None
    return {
        "id": record.root,
        "version": record.id,
        "kind": str(record.kind),
        "datastream": datastream.key,
        "sensor": catalog.sensor(record.sensor).key,
        "time": record.time // 1000,
        "effective": record.effective // 1000,
        "operator": record.operator,
        "points": [_point_document(point, catalog) for point in record.points],
        "readings": record.readings,
        "limit": record.limit,
        "limit_percent": record.limit_percent,
        "outcome": dict(record.outcome),
        "passed": record.passed,
        "sound": record.is_sound,
        "valid_until": _ms(record.valid_until),
        "due": _ms(due),
        "calibration": record.calibration,
        "expired": list(record.expired),
        "accept_expired": record.accept_expired,
        "fit": None if record.fit is None else dict(record.fit),
        "attachments": list(record.attachments),
        "comment": record.comment,
        "by": record.actor,
        "at": record.entered // 1000,
        "commit": record.sequence,
        "withdrawn": record.withdrawn,
    }


def _point_document(point: CalibrationPoint, catalog: Catalog) -> dict[str, Any]:
    used = None if point.standard is None else catalog.calibration_records.standard_version(point.standard)
    about = None
    if used is not None:
        about = {name: getattr(used, name) for name in ("key", "name", "lot", "certificate", "issued_by")}
        about |= {"id": used.root, "version": used.id, "expires": _ms(used.expires)}
    names = ("value", "unit", "uncertainty", "before", "after", "readings", "spread", "temperature")
    return {"standard": about, **{name: getattr(point, name) for name in names}}


def record_documents(
    pipeline: Pipeline,
    datastreams: Iterable[Datastream] | None,
    *,
    kind: str | None = None,
    as_of: int | None = None,
    withdrawn: bool = False,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return the records of Datastreams, newest first; `as_of` is a moment in µs since 1970 UTC.

    Raises
    ------
    RequestError
        If there is no such kind.
    """
    if kind is not None and kind not in set(RecordKind):
        raise RequestError(f"{kind!r} is no kind of record (allowed: {', '.join(RecordKind)})", place="kind")
    catalog = pipeline.store.catalog
    commit = None if as_of is None else pipeline.store.commit_at(as_of)
    numbers = None if datastreams is None else [one.id for one in datastreams]
    found = catalog.calibration_records.records(numbers, commit, withdrawn=withdrawn)
    wanted = [record for record in reversed(found) if kind is None or record.kind == kind]
    return [record_document(record, catalog) for record in wanted[:limit]]


def recorded_document(done: Recorded, catalog: Catalog) -> dict[str, Any]:
    """Return what became of an order: the record, and the rows that were stored before it was known."""
    return {
        "record": record_document(done.record, catalog),
        "to_reprocess": {"rows": done.stored, "since": _ms(done.since)},
    }


def due_documents(
    pipeline: Pipeline, datastreams: Iterable[Datastream], as_of: int | None = None
) -> list[dict[str, Any]]:
    """Return how the calibrations of Datastreams stand, overdue ones first; where nothing is asked there is none.

    `as_of` is a moment, µs since 1970 UTC: as it stood, and as was known then.
    """
    catalog = pipeline.store.catalog
    now = pipeline.clock() if as_of is None else as_of
    commit = None if as_of is None else pipeline.store.commit_at(as_of)
    found = []
    for datastream in datastreams:
        stands = pipeline.calibrations.standing(datastream, commit, now)
        if stands is not None:
            found.append(_due(datastream, stands, now, catalog))
    return sorted(found, key=lambda one: (one["state"] == "valid", one["due"] is None, one["due"], one["datastream"]))


def _due(datastream: Datastream, stands: Standing, now: int, catalog: Catalog) -> dict[str, Any]:
    said = datastream.properties.get("nilometer", {}).get("calibration", {})
    limit, percent = limits_of(datastream)
    last = stands.last
    return {
        "datastream": datastream.key,
        "id": datastream.id,
        "thing": catalog.thing(datastream.thing).key,
        "sensor": catalog.sensor(datastream.sensor).key,
        "state": stands.state,
        "due": _ms(stands.due),
        "left_s": None if stands.due is None else (stands.due - now) // 1_000_000,
        "every": said.get("every"),
        "limit": limit,
        "limit_percent": percent,
        "last": None if last is None else {"id": last.root, "kind": str(last.kind), "time": last.time // 1000},
    }


def _required(time: Moment, place: str) -> int:
    found = parse_moment(str(time), place)
    if found is None:
        raise RequestError("a time is needed", place=place)
    return found


def _moment(time: Moment | None, place: str) -> int | None:
    return None if time is None else parse_moment(str(time), place)


def _ms(time: int | None) -> int | None:
    return None if time is None else time // 1000
