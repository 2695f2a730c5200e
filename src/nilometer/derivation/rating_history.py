"""The ratings of a station over the years: which curve held when, and the shifts between.

As a document: ``curves = [ … ]`` and ``shifts = [ … ]`` (see `rating` and `rating_shift`); a single curve's document is
one of a history too. A curve holds until the next one's `valid_from`; before the first there is no discharge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.function import Input
from nilometer.derivation.operands import deviation, unpacked
from nilometer.derivation.rating import RatingCurve
from nilometer.derivation.rating_band import Discharge, banded
from nilometer.derivation.rating_shift import Shift, shifts_at
from nilometer.errors import CalibrationError
from nilometer.series import microseconds, unpack

__all__ = ["RatingHistory"]

Array = NDArray[np.float64]

_PARTS = ("value", "uncertainty", "lower", "upper", "systematic", "random")


@dataclass(frozen=True, eq=False)
class RatingHistory:
    """Curves and shifts of one section.

    Parameters
    ----------
    curves : sequence of RatingCurve
        At least one; of the same units.
    shifts : sequence of Shift
        In any order.

    Raises
    ------
    CalibrationError
        If there is no curve, two begin at once, or their units differ.
    """

    curves: Sequence[RatingCurve]
    shifts: Sequence[Shift] = field(default=())

    def __post_init__(self) -> None:
        if not self.curves:
            raise CalibrationError("a rating history needs one curve at least")
        object.__setattr__(self, "curves", tuple(sorted(self.curves, key=lambda curve: curve.valid_from)))
        object.__setattr__(self, "shifts", tuple(sorted(self.shifts, key=lambda shift: shift.valid_from)))
        for what, starts in (
            ("curves", [curve.valid_from for curve in self.curves]),
            ("shifts", [shift.valid_from for shift in self.shifts]),
        ):
            if len(set(starts)) < len(starts):
                raise CalibrationError(f"two {what} of {self.station or 'a history'} begin at the same moment")
        if len({(curve.unit_stage, curve.unit_discharge) for curve in self.curves}) > 1:
            raise CalibrationError(
                f"the curves of {self.station or 'a history'} are in different units: convert the gaugings"
            )

    @property
    def station(self) -> str:
        """Whose it is."""
        return self.curves[-1].station

    @property
    def unit_stage(self) -> str:
        """Unit of the stage."""
        return self.curves[0].unit_stage

    @property
    def unit_discharge(self) -> str:
        """Unit of the discharge."""
        return self.curves[0].unit_discharge

    def numbers(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the curve that holds at each moment (µs since 1970 UTC); -1 before the first."""
        starts = np.array([curve.valid_from for curve in self.curves], np.int64)
        return np.searchsorted(starts, times, side="right") - 1

    def shifted(self, stage: Array, times: NDArray[np.int64]) -> Array:
        """Return the observed stages with their shifts, in `unit_stage`."""
        return stage + shifts_at(self.shifts, stage, times)

    def __call__(self, stage: Any, time: Any = None) -> Any:  # noqa: ANN401 -- any kind of series
        """Return the discharge by the curve that held, as the kind that the stage is (see `discharge`)."""
        return self.discharge(stage, time).value

    def discharge(self, stage: Any, time: Any = None, stage_uncertainty: Any = 0.0) -> Discharge:  # noqa: ANN401 -- any kind
        """Return the discharge with its uncertainty, each value by the curve and the shift that held.

        Parameters
        ----------
        stage : array_like or series, shape (n,)
            In `unit_stage`, or with a unit of its own.
        time : array_like or series, shape (n,), optional
            Times of the stages; without them those that the series carries.
        stage_uncertainty : float or array_like, shape (n,)
            Standard uncertainty of each stage, with that of its shift.

        Returns
        -------
        Discharge
            NaN before the first curve and beyond the limits; `extrapolated` by the shifted stage.

        Raises
        ------
        ValueError
            If there are no times, or not as many as stages.
        UnitError
            If a unit has another dimension.
        """
        known = Input(self.unit_stage)
        part = unpacked({"stage": known}, [stage])
        times = self._times(stage, time, part.size)
        spread = np.broadcast_to(deviation(known, stage_uncertainty, part.size), part.size)
        shifted = self.shifted(part.values[0], times)
        columns = {name: np.full(part.size, np.nan) for name in _PARTS}
        extrapolated = np.zeros(part.size, np.bool_)
        number = self.numbers(times)
        for k, curve in enumerate(self.curves):
            rows = np.flatnonzero(number == k)
            if len(rows):
                found = banded(curve, shifted[rows], spread[rows], lambda numbers, *_, **__: numbers)
                for name in _PARTS:
                    columns[name][rows] = getattr(found, name)
                extrapolated[rows] = found.extrapolated
        return Discharge.wrapped(columns, extrapolated, part.rewrap, self.unit_discharge)

    def _times(self, stage: Any, time: Any, size: int) -> NDArray[np.int64]:  # noqa: ANN401 -- any kind of series
        if time is not None:
            times = microseconds(time)
        else:
            carried = unpack(getattr(stage, "magnitude", stage)).times
            if carried is None and len(self.curves) == 1 and not self.shifts:
                return np.full(size, self.curves[0].valid_from)
            if carried is None:
                raise ValueError("a history of ratings needs the times of the stages: give time=")
            times = carried
        if len(times) != size:
            raise ValueError(f"{size} stages and {len(times)} times: one time a stage is needed")
        return times

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> RatingHistory:
        """Return the history of a TOML or JSON document, or of a single curve's.

        Raises
        ------
        CalibrationError
            If a key is unknown, lacking or not understood.
        """
        if "curves" not in document:
            return RatingHistory([RatingCurve.from_document(document)])
        unknown = sorted(set(document) - {"curves", "shifts"})
        if unknown:
            raise CalibrationError(f"rating history: unknown key {unknown[0]} (known: curves, shifts)")
        return RatingHistory(
            [RatingCurve.from_document(one) for one in document["curves"]],
            [Shift.from_document(one) for one in document.get("shifts", ())],
        )

    def to_document(self) -> dict[str, Any]:
        """Return the history as a document, from which `from_document` makes the same one."""
        document: dict[str, Any] = {"curves": [curve.to_document() for curve in self.curves]}
        if self.shifts:
            document["shifts"] = [shift.to_document() for shift in self.shifts]
        return document
