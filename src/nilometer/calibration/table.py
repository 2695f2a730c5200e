"""The calibrations of every Datastream, ready for the kernel.

The result is in the Datastream's unit: a reading goes from its raw unit to the certificate's, through the
certificate, and from the certificate's unit to the Datastream's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.calibration.certificate import Calibration
from nilometer.calibration.forms import FORMS, packed
from nilometer.calibration.kernel import apply_rows
from nilometer.errors import CalibrationError, UnitError
from nilometer.model.batch import ObservationBatch
from nilometer.units import affine

__all__ = ["CalibrationTable", "Companions", "warm"]

_NONE: NDArray[np.float64] = np.empty(0)


@dataclass(frozen=True, slots=True)
class Companions:
    """The other quantity that each row's calibration asks for, beside the rows of a batch.

    Parameters
    ----------
    value : ndarray of float64, shape (n,)
        Temperature, degree_Celsius; NaN: none is there.
    uncertainty : ndarray of float64, shape (n,)
        Its standard uncertainty, K; NaN: not known, then the certificate's holds.
    """

    value: NDArray[np.float64]
    uncertainty: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """One Datastream's calibrations as numbers, by rising date."""

    plain: tuple[float, float]
    dates: list[int]
    order: list[int]
    forms: list[tuple[int, ...]]  # place in pool counted from the Datastream's own
    numbers: list[tuple[float, ...]]
    pool: list[float]
    companions: list[str]


@dataclass(frozen=True, slots=True)
class _Tables:
    """Everything the kernel reads; made anew after a change, never written to."""

    lookup: NDArray[np.int32]
    streams: NDArray[np.int32]
    plain: NDArray[np.float64]
    dates: NDArray[np.int64]
    order: NDArray[np.int32]
    forms: NDArray[np.int32]
    numbers: NDArray[np.float64]
    pool: NDArray[np.float64]


class CalibrationTable:
    """Which calibration held when, for every Datastream.

    Parameters
    ----------
    calibrations : mapping of int to sequence of Calibration, optional
        By Datastream.

    Examples
    --------
    >>> line = Calibration(kind="polynomial", coefficients=(1.0, 2.0), residual_uncertainty=0.013)
    >>> table = CalibrationTable({1: [line]})
    >>> batch = ObservationBatch(
    ...     datastream=np.array([1, 2], np.int32),
    ...     phenomenon_time=np.zeros(2, np.int64),
    ...     raw_result=np.array([3.00002, 3.0]),
    ... )
    >>> table.apply(batch).tolist(), batch.result.tolist(), batch.result_uncertainty.tolist()
    ([0, -1], [7.0, 3.0], [0.013, nan])
    """

    def __init__(self, calibrations: Mapping[int, Sequence[Calibration]] | None = None) -> None:
        self._prepared: dict[int, _Prepared] = {}
        self._tables: _Tables | None = None
        for datastream, rows in (calibrations or {}).items():
            self.set(datastream, rows)

    def set(
        self,
        datastream: int,
        calibrations: Sequence[Calibration] = (),
        scale: float = 1.0,
        offset: float = 0.0,
        *,
        raw_unit: str = "",
        unit: str = "",
    ) -> None:
        """Say what holds for a Datastream from now on.

        Parameters
        ----------
        datastream : int
            Its id.
        calibrations : sequence of Calibration
            In any order; among those of one date the last given holds.
        scale, offset : float
            ``result = scale · value + offset`` turns a raw result into the Datastream's unit where no calibration
            holds, and what a calibration gives where that has no unit of its own or no units are given here.
        raw_unit, unit : str
            The raw unit and the Datastream's. With both, scale and offset follow from them, and a calibration with its
            own `unit_in` and `unit_out` is converted on both sides.

        Raises
        ------
        CalibrationError
            If a calibration's unit has another dimension than the Datastream's.
        UnitError
            If there is no calibration to lead from the raw unit to the Datastream's and they differ in dimension.
        """
        if raw_unit and unit:
            try:
                scale, offset = affine(raw_unit, unit)
            except UnitError:
                if not calibrations or not all(item.unit_out for item in calibrations):
                    raise
                scale, offset = math.nan, math.nan  # before the first calibration a reading has no value in this unit
        order = sorted(range(len(calibrations)), key=lambda k: calibrations[k].valid_from)
        prepared = _Prepared((scale, offset), [], order, [], [], [], [])
        for k in order:
            item = calibrations[k]
            into, out = _conversions(item, (scale, offset), raw_unit, unit)
            form, numbers, own = _rows(item, into, out)
            prepared.dates.append(item.valid_from)
            prepared.companions.append(item.companion)
            prepared.forms.append((form[0], len(prepared.pool), *form[2:]))
            prepared.numbers.append(numbers)
            prepared.pool.extend(own)
        self._prepared[datastream] = prepared
        self._tables = None

    def wanted(self, batch: ObservationBatch) -> tuple[NDArray[np.int32], list[str]]:
        """Return which Datastream's value each row needs beside its own.

        Parameters
        ----------
        batch : ObservationBatch
            As `apply` takes it.

        Returns
        -------
        code : ndarray of int32, shape (n,)
            Index into `keys`; -1: the calibration that holds for the row asks for none.
        keys : list of str
            Keys of Datastreams.
        """
        code = np.full(len(batch), -1, np.int32)
        keys: list[str] = []
        for datastream, item in self._prepared.items():
            if not any(item.companions):
                continue
            rows = np.flatnonzero(batch.datastream == datastream)
            if not len(rows):
                continue
            held = np.searchsorted(np.array(item.dates, np.int64), batch.phenomenon_time[rows], "right") - 1
            of_each = [-1] * len(item.companions)
            for k, key in enumerate(item.companions):
                if key:
                    if key not in keys:
                        keys.append(key)
                    of_each[k] = keys.index(key)
            # The last place is that of a row before the first calibration, whose `held` is -1.
            code[rows] = np.array([*of_each, -1], np.int32)[held]
        return code, keys

    def companions(self) -> dict[int, list[str]]:
        """Return which Datastreams have calibrations that ask for another's value, with that one's keys."""
        asking = {datastream: sorted({*item.companions} - {""}) for datastream, item in self._prepared.items()}
        return {datastream: keys for datastream, keys in asking.items() if keys}

    def apply(self, batch: ObservationBatch, companions: Companions | None = None) -> NDArray[np.int32]:
        """Fill `batch.result` and `batch.result_uncertainty`.

        Parameters
        ----------
        batch : ObservationBatch
            Raw results in the raw units of their Datastreams; NaN stays NaN.
        companions : Companions, optional
            What `wanted` asks for, row by row; without it no row has one. A row that needs one and has none gets
            what the certificate's own `temperature` gives, or no result where it says none.

        Returns
        -------
        ndarray of int32, shape (n,)
            Which calibration was applied to each row, counted as given to `set`; -1: none.

        Raises
        ------
        ValueError
            If the companions are not as many as the rows.
        """
        n = len(batch)
        batch.result = np.empty(n)
        batch.result_uncertainty = np.empty(n)
        applied = np.empty(n, np.int32)
        self._run(batch, companions, batch.result, batch.result_uncertainty, _NONE, applied)
        return applied

    def split(
        self, batch: ObservationBatch, companions: Companions | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return result and both parts of its standard uncertainty, nothing rounded; the batch stays as it is.

        Parameters
        ----------
        batch, companions
            As `apply` takes them.

        Returns
        -------
        result : ndarray of float64, shape (n,)
            In the Datastream's unit.
        calibration : ndarray of float64, shape (n,)
            The part that the rows of one calibration share; NaN: not known.
        random : ndarray of float64, shape (n,)
            The part of each row alone.
        """
        result, shared, own = (np.full(len(batch), np.nan) for _ in range(3))
        self._run(batch, companions, result, shared, own, np.empty(len(batch), np.int32))
        return result, shared, own

    def _run(
        self,
        batch: ObservationBatch,
        companions: Companions | None,
        result: NDArray[np.float64],
        uncertainty: NDArray[np.float64],
        random: NDArray[np.float64],
        applied: NDArray[np.int32],
    ) -> None:
        tables = self._tables
        if tables is None:
            tables = self._tables = self._built()
        beside = (_NONE, _NONE) if companions is None else (companions.value, companions.uncertainty)
        if companions is not None and not len(beside[0]) == len(beside[1]) == len(batch):
            raise ValueError(f"{len(batch)} rows and {len(beside[0])} companions: one for each row is needed")
        apply_rows(
            np.require(batch.datastream, np.int32, ["C", "A"]),
            np.require(batch.phenomenon_time, np.int64, ["C", "A"]),
            np.require(batch.raw_result, np.float64, ["C", "A"]),
            np.require(beside[0], np.float64, ["C", "A"]),
            np.require(beside[1], np.float64, ["C", "A"]),
            tables.lookup,
            tables.streams,
            tables.plain,
            tables.dates,
            tables.order,
            tables.forms,
            tables.numbers,
            tables.pool,
            result,
            uncertainty,
            random,
            applied,
        )

    def _built(self) -> _Tables:
        count = sum(len(item.dates) for item in self._prepared.values())
        lookup = np.full(max(self._prepared, default=-1) + 1, -1, np.int32)
        streams = np.zeros((len(self._prepared), 2), np.int32)
        plain = np.zeros((len(self._prepared), 2))
        forms = np.zeros((count, 7), np.int32)
        numbers = np.zeros((count, 10))
        dates: list[int] = []
        order: list[int] = []
        pool: list[float] = []
        for row, (datastream, item) in enumerate(self._prepared.items()):
            lookup[datastream] = row
            streams[row] = (len(dates), len(item.dates))
            plain[row] = item.plain
            for k, (form, line) in enumerate(zip(item.forms, item.numbers, strict=True), len(dates)):
                forms[k] = form
                forms[k, 1] += len(pool)
                numbers[k] = line
            dates += item.dates
            order += item.order
            pool += item.pool
        return _Tables(
            lookup,
            streams,
            plain,
            np.array(dates, np.int64),
            np.array(order, np.int32),
            forms,
            numbers,
            np.array(pool, np.float64),
        )


def _rows(
    item: Calibration, into: tuple[float, float], out: tuple[float, float]
) -> tuple[tuple[int, ...], tuple[float, ...], list[float]]:
    """Return a calibration as the kernel reads it: its row of `forms`, its row of `numbers`, its part of the pool."""
    size, option, pool = packed(item)
    temperature, spread = 0.0, 0.0
    if item.takes_temperature:
        temperature = math.nan if item.temperature is None else item.temperature
        spread = math.nan if item.temperature_uncertainty is None else item.temperature_uncertainty
    elif FORMS[item.kind].temperature != "never":
        temperature = item.reference_temperature
    form = (
        FORMS[item.kind].code,
        0,
        size,
        int(item.outside == "missing"),
        option,
        int(item.is_uncertain),
        int(bool(item.companion)),
    )
    residual, reading = item.residual_uncertainty or 0.0, item.reading_uncertainty or 0.0
    return form, (*into, *out, *item.span, residual, reading, temperature, spread), pool


def _conversions(
    item: Calibration, plain: tuple[float, float], raw_unit: str, unit: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return scale and offset from the raw unit to the certificate's, and from there to the Datastream's."""
    if not (raw_unit and unit):
        return (1.0, 0.0), plain
    try:
        into = affine(raw_unit, item.unit_in) if item.unit_in else (1.0, 0.0)
        # Without a unit of its own a calibration corrects: out comes what went in.
        return into, affine(item.unit_out or item.unit_in or raw_unit, unit)
    except UnitError as error:
        raise CalibrationError(
            f"leads from {item.unit_in or raw_unit} to {item.unit_out or item.unit_in or raw_unit}, the Datastream "
            f"from {raw_unit} to {unit}: {error}",
            sensor=item.sensor,
            certificate=item.certificate,
        ) from error


def warm() -> None:
    """Compile the kernel, or load it from its cache, and run it once."""
    CalibrationTable().apply(
        ObservationBatch(
            datastream=np.zeros(1, np.int32), phenomenon_time=np.zeros(1, np.int64), raw_result=np.zeros(1)
        )
    )
