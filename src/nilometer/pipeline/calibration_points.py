"""The points of a calibration record: standards looked up, readings taken from stored samples, deviations found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nilometer import units
from nilometer.calibration.certificate import Calibration
from nilometer.calibration.checks import Limit
from nilometer.calibration.outcome import Compared, found
from nilometer.calibration.table import CalibrationTable, Companions
from nilometer.errors import CalibrationError, NotFound, RequestError, UnitError
from nilometer.model import Datastream, ObservationBatch, QartodFlag, SampleKind
from nilometer.model.calibration_records import CalibrationPoint, RecordKind, StandardSolution
from nilometer.store import Store

__all__ = ["PointOrder", "StoredSample", "calibrated", "outcome_of", "points_of", "raw_unit_of"]

_BAD = (int(QartodFlag.FAIL), int(QartodFlag.MISSING))
_SAMPLES = {RecordKind.ZERO: SampleKind.ZERO, RecordKind.SPAN: SampleKind.SPAN}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """Stored Observations of a sample that a reading is the mean of: [start, end) in µs since 1970 UTC.

    `sample` is the kind of their FeatureOfInterest (None: zero for a zero, span for a span, else check); `reads` says
    whether they were taken ``before`` anything was adjusted, or ``after``.
    """

    start: int
    end: int
    sample: SampleKind | None = None
    reads: str = "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointOrder:
    """A point as it is entered; what is left out of value, unit and uncertainty is the standard's."""

    standard: str | int | None = None
    value: float | None = None
    unit: str | None = None
    uncertainty: float | None = None
    before: float | None = None
    after: float | None = None
    readings: int | None = None
    spread: float | None = None
    temperature: float | None = None
    from_observations: StoredSample | None = None


def points_of(
    store: Store, datastream: Datastream, kind: RecordKind, orders: Sequence[PointOrder], readings: str
) -> tuple[tuple[CalibrationPoint, ...], list[StandardSolution]]:
    """Return points as they are kept, and the standards behind them.

    Parameters
    ----------
    store : Store
        For standards, and the Observations of samples.
    datastream : Datastream
        What was calibrated.
    kind : RecordKind
        What was done.
    orders : sequence of PointOrder
        As entered.
    readings : {"result", "raw"}
        Which number of an Observation is a reading.

    Raises
    ------
    RequestError
        If a point has no value or no reading, or there is no Observation of a sample in its span.
    NotFound
        If there is no such standard.
    CalibrationError, UnitError
        If a standard is one of another quantity, or of another dimension.
    """
    points, used = [], []
    for number, order in enumerate(orders):
        at = f"$.points[{number}]"
        standard = None if order.standard is None else store.catalog.calibration_records.standard(order.standard)
        if standard is not None:
            _check_quantity(store, datastream, standard)
            used.append(standard)
        read = order if order.from_observations is None else _from_stored(store, datastream, kind, order, readings, at)
        points.append(_point(read, standard, datastream, at))
    return tuple(points), used


def outcome_of(
    points: Sequence[CalibrationPoint],
    datastream: Datastream,
    limit: Limit | None,
    *,
    found_by: Sequence[Calibration] | None,
    left_by: Sequence[Calibration] | None,
    is_new: bool,
    time: int,
) -> dict[str, Any]:
    """Return deviations as found and as left (``as_found``, ``as_left``; absent where nothing was read).

    Parameters
    ----------
    points : sequence of CalibrationPoint
        What was read.
    datastream : Datastream
        In whose unit deviations are.
    limit : Limit or None
        What is accepted.
    found_by, left_by : sequence of Calibration or None
        What turns raw readings into results as found, and as left; None: the readings are results.
    is_new : bool
        `left_by` was put into force by this record: raw readings of before tell what is left where none were taken
        after, and the outcome says ``computed``.
    time : int
        Of the record.
    """
    outcome: dict[str, Any] = {}
    before = [(point, point.before) for point in points if point.before is not None]
    after = [(point, point.after) for point in points if point.after is not None]
    if before:
        outcome["as_found"] = found(_compared(before, datastream, found_by, time), limit)
    if after:
        outcome["as_left"] = found(_compared(after, datastream, left_by, time), limit)
    elif before and left_by is not None and is_new:
        outcome["as_left"] = {**found(_compared(before, datastream, left_by, time), limit), "computed": True}
    return outcome


def calibrated(
    readings: Sequence[float],
    datastream: Datastream,
    calibrations: Sequence[Calibration],
    time: int,
    temperatures: Sequence[float | None] = (),
) -> list[float]:
    """Return results, in the Datastream's unit, of raw readings at a time by the kernel that live values pass.

    `temperatures` (degree_Celsius; None: not known) are what a calibration asks of another Datastream.
    """
    table = CalibrationTable()
    table.set(0, calibrations, raw_unit=raw_unit_of(datastream), unit=datastream.unit)
    n = len(readings)
    batch = ObservationBatch(
        datastream=np.zeros(n, np.int32),
        phenomenon_time=np.full(n, time, np.int64),
        raw_result=np.array(readings, np.float64),
    )
    known = np.array([math.nan if one is None else one for one in temperatures] or [math.nan] * n, np.float64)
    table.apply(batch, Companions(known, np.full(n, math.nan)))
    assert batch.result is not None  # noqa: S101 -- `apply` fills it
    return [float(result) for result in batch.result]


def raw_unit_of(datastream: Datastream) -> str:
    """Return the unit of raw results."""
    return str(datastream.properties.get("nilometer", {}).get("raw_unit", datastream.unit))


def _compared(
    read: Sequence[tuple[CalibrationPoint, float]],
    datastream: Datastream,
    calibrations: Sequence[Calibration] | None,
    time: int,
) -> list[Compared]:
    readings = [reading for _, reading in read]
    results = (
        readings
        if calibrations is None
        else calibrated(readings, datastream, calibrations, time, [point.temperature for point, _ in read])
    )
    compared = []
    for (point, reading), result in zip(read, results, strict=True):
        scale, offset = units.affine(point.unit, datastream.unit)
        spread = point.spread
        if spread is not None and calibrations is not None:
            beside = calibrated([reading + spread], datastream, calibrations, time, [point.temperature])[0]
            spread = abs(beside - result) if math.isfinite(beside - result) else None
        compared.append(
            Compared(
                assigned=scale * point.value + offset,
                reading=result,
                uncertainty=None if point.uncertainty is None else abs(scale) * point.uncertainty,
                spread=spread,
                readings=point.readings,
            )
        )
    return compared


def _point(order: PointOrder, standard: StandardSolution | None, datastream: Datastream, at: str) -> CalibrationPoint:
    value = order.value if order.value is not None or standard is None else standard.value
    if value is None:
        raise RequestError("a point needs its assigned value, or the standard that has it", place=f"{at}.value")
    if order.before is None and order.after is None:
        raise RequestError("a point needs a reading: before, after, or from_observations", place=f"{at}.before")
    unit = standard.unit if standard is not None else datastream.unit
    if order.unit is not None:
        unit = units.canonical(order.unit)
        if standard is not None and order.value is None and unit != standard.unit:
            raise RequestError(
                f"the value is the standard's, in {standard.unit}; give value and unit, or neither", place=f"{at}.unit"
            )
    try:
        units.affine(unit, datastream.unit)
    except UnitError as error:
        raise UnitError(f"{at}.unit: {error}") from error
    uncertainty = order.uncertainty
    if uncertainty is None and standard is not None and standard.uncertainty is not None:
        uncertainty = abs(units.affine(standard.unit, unit)[0]) * standard.uncertainty
    return CalibrationPoint(
        standard=None if standard is None else standard.id,
        value=value,
        unit=unit,
        uncertainty=uncertainty,
        before=order.before,
        after=order.after,
        readings=order.readings,
        spread=order.spread,
        temperature=order.temperature,
    )


def _check_quantity(store: Store, datastream: Datastream, standard: StandardSolution) -> None:
    wanted = store.catalog.observed_property(datastream.observed_property).key
    if standard.quantity and standard.quantity != wanted:
        raise CalibrationError(
            f"standard {standard.key} is one of {standard.quantity}, and {datastream.key} measures {wanted}; a "
            "standard for several quantities has none"
        )


def _from_stored(
    store: Store, datastream: Datastream, kind: RecordKind, order: PointOrder, readings: str, at: str
) -> PointOrder:
    """Return a point with the mean, the spread and the number of the Observations of its sample."""
    wanted = order.from_observations
    assert wanted is not None  # noqa: S101 -- asked for before
    at = f"{at}.from_observations"
    taken = [name for name in ("before", "after", "readings", "spread") if getattr(order, name) is not None]
    if taken:
        raise RequestError(f"either from_observations or {', '.join(taken)}", place=at)
    sample = wanted.sample or _SAMPLES.get(kind, SampleKind.CHECK)
    features = [number for number, one in store.catalog.sample_kinds().items() if one == sample]
    columns = ["feature", "raw_result", "result", "result_quality"]
    table = store.snapshot().read([datastream.id], wanted.start, wanted.end, columns=columns, water_only=False)
    result = table["result"].to_numpy(zero_copy_only=False).astype(np.float64)
    values = result
    if readings == "raw":
        raw = table["raw_result"].to_numpy(zero_copy_only=False).astype(np.float64)
        values = np.where(np.isnan(raw), result, raw)  # on disk a raw result is null where it equals the result
    good = np.isin(table["feature"].to_numpy(), features) & ~np.isin(table["result_quality"].to_numpy(), _BAD)
    values = values[good & np.isfinite(values)]
    if not len(values):
        raise NotFound(
            f"{at}: {datastream.key} has no usable Observation of a {sample.name.lower()} sample in this span; its "
            "rows of samples are listed by GET /datastreams/{id}/observations?samples=all"
        )
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    taken_first = wanted.reads == "before"
    return replace(
        order,
        before=mean if taken_first else None,
        after=None if taken_first else mean,
        readings=len(values),
        spread=spread,
    )
