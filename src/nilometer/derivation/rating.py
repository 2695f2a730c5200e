"""A rating curve: the discharge of a cross-section from its stage, how sure that is, and where it stops to hold.

As a document (TOML, JSON; `nilometer rating fit --out` writes one)::

    station = "Krokfors"
    valid_from = "2024-03-01T00:00:00Z"     # default: always
    unit_stage = "m"
    unit_discharge = "m3 s-1"
    gauged_range = [7.9, 9.9]               # lowest and highest gauged stage
    limits = [7.9, 10.5]                    # beyond there is no value; default: the gauged range
    scatter = 0.12                          # what the curve leaves of ln Q, k = 1; default: not known
    segments = [                            # Q = scale (h - offset)^exponent, from that stage on
        { offset = 7.80, scale = 1.75, exponent = 1.95 },
        { from = 8.92, offset = 8.46, scale = 8.9, exponent = 1.97 },
    ]
    sample = [[0.11, 7.79, 0.55, 1.93, 8.9, 8.4, 2.2, 2.0], …]   # curves that the gaugings allow as well: scatter,
    offset,
                                            # ln scale, exponent; from, offset, ln scale, exponent of the next segment

Between the gauged range and the limits a discharge is computed and labelled `extrapolated`; beyond them it is NaN.
It is never extrapolated unasked: the limits are the gauged range unless somebody widens them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.derivation.function import Family, Function, Input
from nilometer.derivation.operands import deviation, unpacked
from nilometer.derivation.rating_band import Band, Discharge, banded
from nilometer.derivation.rating_kernel import flow, stage_of
from nilometer.derivation.rating_sample import Sample
from nilometer.errors import CalibrationError, UnitError

__all__ = ["ALWAYS", "RATING", "RatingCurve", "moment", "moment_text"]

ALWAYS: Final = int(np.iinfo(np.int64).min)
"""`valid_from` of a curve that holds from the beginning of time."""

_KEYS = {
    "station": "whose curve it is",
    "valid_from": "ISO 8601 time since when it holds",
    "unit_stage": "unit of the stage; default m",
    "unit_discharge": "unit of the discharge; default m3 s-1",
    "gauged_range": "lowest and highest gauged stage",
    "limits": "stages beyond which there is no value; default: the gauged range",
    "scatter": "standard uncertainty of ln Q that the curve leaves",
    "segments": "tables of from, offset, scale, exponent: Q = scale (h - offset)^exponent",
    "sample": "curves that the gaugings allow as well",
    "source": "where the curve is from",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class RatingCurve:
    """Power laws of the stage that meet at the breaks, ``Q = a_k (h - c_k)^b_k`` from stage s_k on.

    Parameters
    ----------
    start : ndarray of float64, shape (segments,)
        s_k, rising; the first is -inf.
    offset, scale, exponent : ndarray of float64, shape (segments,)
        c_k in `unit_stage`, a_k in `unit_discharge` at one unit of stage above it, and b_k.
    gauged_range : (float, float)
        The lowest and the highest gauged stage.
    limits : (float, float)
        Stages beyond which there is no value.
    scatter : float
        Standard uncertainty of ln Q of one value about the curve (what the gaugings' own uncertainties do not explain);
        NaN: not known, and then no uncertainty is.
    sample : Sample or None
        Curves that the gaugings allow as well; None: the curve's own uncertainty is not known, and taken as none.
    station, source : str
        Whose, and from where.
    valid_from : int
        µs since 1970 UTC; `ALWAYS`: from the beginning.
    unit_stage, unit_discharge : str
        CF text.

    Raises
    ------
    CalibrationError
        If it cannot be applied as given: segments that do not rise, or do not meet.

    Examples
    --------
    >>> curve = RatingCurve.of([(None, 1.0, 2.0, 1.5)], gauged_range=(1.2, 4.0))
    >>> [round(float(discharge), 3) for discharge in curve([2.0, 3.0, 4.5])]
    [2.0, 5.657, nan]
    """

    start: Array
    offset: Array
    scale: Array
    exponent: Array
    gauged_range: tuple[float, float]
    limits: tuple[float, float]
    scatter: float = math.nan
    sample: Sample | None = None
    station: str = ""
    source: str = ""
    valid_from: int = ALWAYS
    unit_stage: str = "m"
    unit_discharge: str = "m3 s-1"

    def __post_init__(self) -> None:
        for name in ("unit_stage", "unit_discharge"):
            object.__setattr__(self, name, units.canonical(getattr(self, name)))
        if not len(self.start) == len(self.offset) == len(self.scale) == len(self.exponent) > 0:
            raise self._error("every segment needs a start, an offset, a scale and an exponent")
        numbers = np.concatenate([self.start[1:], self.offset, self.scale, self.exponent])
        if not np.isfinite(numbers).all() or (self.scale <= 0).any() or (self.exponent <= 0).any():
            raise self._error("offsets are numbers, scales and exponents numbers above 0")
        if (np.diff(self.start[1:]) <= 0).any() or (self.offset[1:] >= self.start[1:]).any():
            raise self._error("segments begin one above the other, each above its own offset")
        self._check_ranges()
        below, above = self._at_breaks()
        if not np.allclose(below, above, rtol=1e-3, atol=0.0):
            worst = int(np.argmax(np.abs(above / below - 1.0)))
            raise self._error(
                f"at stage {self.start[worst + 1]:g} the segments do not meet: "
                f"{below[worst]:.5g} below and {above[worst]:.5g} above"
            )

    def _check_ranges(self) -> None:
        low, high = self.gauged_range
        if not -math.inf < low < high < math.inf:
            raise self._error(f"gauged_range = {[low, high]} (allowed: two stages, the lower first)")
        least, most = self.limits
        if not (-math.inf < least <= low and high <= most < math.inf):
            raise self._error(f"limits = {[least, most]} must contain the gauged range, {[low, high]}")
        if self.scatter < 0.0 or math.isinf(self.scatter):
            raise self._error(f"scatter = {self.scatter!r} (allowed: a number from 0, such as 0.05 for 5 %)")
        if self.sample is not None and self.sample.segments != len(self.offset):
            raise self._error(f"the sample has {self.sample.segments} segments, the curve {len(self.offset)}")

    def _error(self, message: str) -> CalibrationError:
        return CalibrationError(f"rating curve: {message}", sensor=self.station, certificate=self.source)

    def _at_breaks(self) -> tuple[Array, Array]:
        """Return what flows at each break by the segment below and by the one above."""
        below = self.scale[:-1] * (self.start[1:] - self.offset[:-1]) ** self.exponent[:-1]
        above = self.scale[1:] * (self.start[1:] - self.offset[1:]) ** self.exponent[1:]
        return below, above

    @staticmethod
    def of(
        segments: Sequence[tuple[float | None, float, float, float]],
        *,
        gauged_range: tuple[float, float],
        limits: tuple[float, float] | None = None,
        **others: Any,  # noqa: ANN401 -- the fields of the class
    ) -> RatingCurve:
        """Return a curve of segments (start, offset, scale, exponent), the first of them from anywhere (None)."""
        table = [(-math.inf if start is None else start, *rest) for start, *rest in segments]
        start, offset, scale, exponent = (np.array(column, np.float64) for column in zip(*table, strict=True))
        return RatingCurve(
            start=start, offset=offset, scale=scale, exponent=exponent, gauged_range=gauged_range,
            limits=gauged_range if limits is None else limits, **others,
        )  # fmt: skip

    @property
    def zero_flow(self) -> float:
        """The stage at and below which nothing flows."""
        return float(self.offset[0])

    @cached_property
    def band(self) -> Band:
        """The curve and its uncertainty over the stages between its limits; made on first use."""
        return Band.of(self)

    def with_limits(self, low: float | None = None, high: float | None = None) -> RatingCurve:
        """Return the curve with wider (or narrower) limits, in `unit_stage`; what is not given stays.

        Raises
        ------
        CalibrationError
            If the limits do not contain the gauged range.
        """
        limits = (self.limits[0] if low is None else low, self.limits[1] if high is None else high)
        return replace(self, limits=limits)

    def flow(self, stage: Array) -> Array:
        """Return the discharge of stages in `unit_stage`, in `unit_discharge`: no limit is kept."""
        return flow(stage, self.start, self.offset, self._log_scale, self.exponent)

    def stage(self, discharge: Array) -> Array:
        """Return the stage of discharges in `unit_discharge`, in `unit_stage`: no limit is kept."""
        return stage_of(discharge, self.start, self.offset, self._log_scale, self.exponent)

    def slope(self, stage: Array) -> Array:
        """Return dQ/dh at stages in `unit_stage`; at a break that of the segment above, 0 where nothing flows."""
        at = np.searchsorted(self.start[1:], stage, side="right")
        head = stage - self.offset[at]
        wet = head > 0.0
        head = np.where(wet, head, 1.0)
        return np.where(wet, self.scale[at] * self.exponent[at] * head ** (self.exponent[at] - 1.0), 0.0)

    @cached_property
    def _log_scale(self) -> Array:
        return np.log(self.scale)

    def __call__(self, stage: Any) -> Any:  # noqa: ANN401 -- any kind of series
        """Return the discharge, as the kind of series that the stage is; NaN beyond the limits.

        Parameters
        ----------
        stage : array_like or series, shape (n,)
            In `unit_stage`, or with a unit of its own.

        Raises
        ------
        UnitError
            If the stage has a unit of another dimension.
        """
        return self.as_function()(stage)

    def discharge(self, stage: Any, stage_uncertainty: Any = 0.0) -> Discharge:  # noqa: ANN401 -- any kind of series
        """Return the discharge with its uncertainty and its 95 % interval.

        Parameters
        ----------
        stage : array_like or series, shape (n,)
            In `unit_stage`, or with a unit of its own.
        stage_uncertainty : float or array_like, shape (n,)
            Standard uncertainty of each stage, in `unit_stage` or with a unit of its own; exact where it is 0.

        Returns
        -------
        Discharge
            Every part is of the kind that the stage is.

        Raises
        ------
        TypeError, ValueError
            If the stage is no series, or an uncertainty is negative or of another length.
        UnitError
            If a unit has another dimension.
        """
        known = self._function.inputs
        part = unpacked(known, [stage])
        return banded(self, part.values[0], deviation(known["stage"], stage_uncertainty, part.size), part.rewrap)

    def inverse(self, discharge: Any) -> Any:  # noqa: ANN401 -- any kind of series
        """Return the stage at which a discharge flows, as the kind that came in; NaN beyond the limits.

        Parameters
        ----------
        discharge : array_like or series, shape (n,)
            In `unit_discharge`, or with a unit of its own.

        Raises
        ------
        UnitError
            If the discharge has a unit of another dimension.
        """
        part = unpacked({"discharge": Input(self.unit_discharge)}, [discharge])
        stage = self.stage(part.values[0])
        slack = 1e-9 * (self.limits[1] - self.limits[0])  # of the limit's own discharge it is the limit
        with np.errstate(invalid="ignore"):
            stage[~((stage >= self.limits[0] - slack) & (stage <= self.limits[1] + slack))] = np.nan
        return part.rewrap(stage, "stage", self.unit_stage)

    def as_function(self) -> Function:
        """Return the curve as a function of the house, whose estimate has the curve's own uncertainty in it."""
        return self._function

    @cached_property
    def _function(self) -> Function:
        low, high = self.limits
        name = "rating.curve" + (f"[{self.station}]" if self.station else "")
        known = Input(self.unit_stage, low, high, scale=(high - low) / 100.0, typical=float(np.mean(self.gauged_range)))

        def curve(stage: Array) -> Array:
            """Return the discharge of a rating curve.

            References
            ----------
            The curve's own source.
            """
            return self.flow(stage)

        return _RatingFunction(name, {"stage": known}, self.unit_discharge, curve, False, curve=self)  # noqa: FBT003

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RatingCurve:
        """Return the curve of a TOML or JSON document (see the module).

        Raises
        ------
        CalibrationError
            If a key is unknown, lacking or not understood.
        """
        station = str(document.get("station", ""))

        def refuse(message: str) -> CalibrationError:
            return CalibrationError(f"rating curve: {message}", sensor=station, certificate="")

        unknown = sorted(set(document) - set(_KEYS))
        if unknown:
            raise refuse(f"unknown key {unknown[0]} (known: {', '.join(_KEYS)})")
        try:
            segments = [
                (part.get("from"), float(part["offset"]), float(part["scale"]), float(part["exponent"]))
                for part in document["segments"]
            ]
            low, high = (float(stage) for stage in document["gauged_range"])
            limits = tuple(float(stage) for stage in document.get("limits", (low, high)))
            rows = document.get("sample")
            return cls.of(
                segments, gauged_range=(low, high), limits=(limits[0], limits[1]),
                scatter=float(document.get("scatter", math.nan)), sample=Sample.from_rows(rows) if rows else None,
                station=station, source=str(document.get("source", "")),
                valid_from=moment(document.get("valid_from")), unit_stage=str(document.get("unit_stage", "m")),
                unit_discharge=str(document.get("unit_discharge", "m3 s-1")),
            )  # fmt: skip
        except KeyError as error:
            raise refuse(
                f"{error.args[0]} is lacking: {_KEYS.get(error.args[0], 'a number in every segment')}"
            ) from None
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            if isinstance(error, UnitError):
                raise
            raise refuse(f"not understood: {error}") from error

    def to_document(self) -> dict[str, Any]:
        """Return the curve as a document, from which `from_document` makes the same curve."""
        document: dict[str, Any] = {"station": self.station} if self.station else {}
        if self.valid_from != ALWAYS:
            document["valid_from"] = moment_text(self.valid_from)
        document |= {
            "unit_stage": self.unit_stage,
            "unit_discharge": self.unit_discharge,
            "gauged_range": list(self.gauged_range),
            "limits": list(self.limits),
            "segments": [
                ({} if k == 0 else {"from": float(self.start[k])})
                | {"offset": float(self.offset[k]), "scale": float(self.scale[k]), "exponent": float(self.exponent[k])}
                for k in range(len(self.offset))
            ],
        }
        if not math.isnan(self.scatter):
            document["scatter"] = self.scatter
        if self.source:
            document["source"] = self.source
        if self.sample is not None:
            document["sample"] = self.sample.to_rows()
        return document


class _RatingFunction(Function):
    """A curve's function: beside the stage's, its estimate has the curve's own uncertainty at that stage."""

    def __init__(self, *fields: Any, curve: RatingCurve) -> None:  # noqa: ANN401 -- as Function's
        super().__init__(*fields)
        self._curve = curve

    def _contributions(self, values: Sequence[Array], spreads: Sequence[Array], result: Array) -> dict[str, Array]:
        found = super()._contributions(values, spreads, result)
        own = self._curve.band.own_uncertainty(values[0])
        return found | {"equation": np.broadcast_to(own, result.shape) if len(own) == 1 else own}


def moment(text: Any) -> int:  # noqa: ANN401 -- as TOML or JSON gives it
    """Return a time of a document as µs since 1970 UTC; `ALWAYS` for none.

    Raises
    ------
    ValueError
        If it is no ISO 8601 time.
    """
    if text is None:
        return ALWAYS
    said = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    aware = said if said.tzinfo is not None else said.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def moment_text(at: int) -> str:
    """Return µs since 1970 UTC as ISO 8601."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat()


def _made(settings: Mapping[str, Any]) -> Function:
    return RatingCurve.from_document(settings).as_function()


RATING = Family("rating.curve", "Discharge by a rating curve, with the curve's own uncertainty", _KEYS, _made)
