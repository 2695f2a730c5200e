"""The steps of a review: what each action is told, checked once, written down as JSON and read back the same.

A step speaks of a span of time [start, end) in µs since 1970 UTC, in the times that the step before it left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from nilometer.errors import RequestError
from nilometer.model import QartodFlag

__all__ = [
    "ACTIONS",
    "FLAGS",
    "FOREVER",
    "Condition",
    "Delete",
    "Drift",
    "Flag",
    "Interpolate",
    "Offset",
    "Parameters",
    "Retime",
    "Step",
    "microseconds_of",
    "parse",
]

FOREVER = int(np.iinfo(np.int64).max)
"""The end of a span that is still open."""

FLAGS: dict[str, QartodFlag] = {flag.name.lower(): flag for flag in QartodFlag}
"""Flags by the words that a step is told."""

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0, "days": 86400.0, "d": 86400.0}
_TIME = re.compile(r"\s*([+-]?[0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|h|days|day|d)\s*")
_LONGEST_S = 3.2e9  # a hundred years


def microseconds_of(value: object) -> int:
    """Return a length of time, text such as "-1 h" or a number of seconds, in µs.

    Raises
    ------
    ValueError
        If it is neither, or longer than a hundred years.

    Examples
    --------
    >>> microseconds_of("-1.5 h"), microseconds_of(0.25)
    (-5400000000, 250000)
    """
    number = float("nan")
    if isinstance(value, str):
        found = _TIME.fullmatch(value)
        number = float(found[1]) * _SECONDS[found[2]] if found else number
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    if not abs(number) <= _LONGEST_S:
        raise ValueError('a time such as "90 s", "-15 min", "2 h", "1 day", or a number of seconds')
    return round(number * 1_000_000)


FlagName = Literal["pass", "not_evaluated", "suspect", "fail", "missing"]
Length = Annotated[int, BeforeValidator(microseconds_of)]
Number = Annotated[int, Field(gt=0, lt=1 << 63)]
Standard = tuple[float, float]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=False)


class Condition(_Said):
    """Which rows of a span are meant: all that is said must hold. `missing`: whether the result is absent."""

    flag: tuple[FlagName, ...] | None = None
    above: float | None = None
    below: float | None = None
    equals: float | None = None
    missing: bool | None = None


class _OfRows(_Said):
    observations: tuple[Number, ...] | None = Field(None, min_length=1, max_length=10_000)
    where: Condition | None = None


class Flag(_OfRows):
    """Set the flag; `worse`: only where that makes it worse."""

    flag: FlagName
    worse: bool = False


class Offset(_OfRows):
    """Add a number to the result; `uncertainty` (k = 1) is that of the number."""

    offset: float
    uncertainty: float | None = Field(None, ge=0)
    flag: FlagName | None = None


class Drift(_OfRows):
    """Add what grows from 0 at the start of the span to the gap found at its end.

    One of `gap` (standard minus reading, in the unit of the result), `gap_percent` (of the reading), `points` ([time,
    gap] several times), `standards` (low and high, each [its value, what was read]). With `shape` "step" all of it was
    there from the start. `uncertainty` (k = 1) holds all along; with `start_uncertainty` it goes from that at the start
    to `uncertainty` at the end.
    """

    gap: float | None = None
    gap_percent: float | None = Field(None, gt=-100)
    points: tuple[tuple[int, float], ...] | None = Field(None, min_length=1, max_length=1000)
    standards: tuple[Standard, Standard] | None = None
    shape: Literal["linear", "step"] = "linear"
    uncertainty: float | None = Field(None, ge=0)
    start_uncertainty: float | None = Field(None, ge=0)
    flag: FlagName | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Drift:
        forms = (self.gap, self.gap_percent, self.points, self.standards)
        if sum(form is not None for form in forms) != 1:
            raise ValueError("a drift needs exactly one of gap, gap_percent, points, standards")
        if self.points is not None and any(b[0] <= a[0] for a, b in zip(self.points, self.points[1:], strict=False)):
            raise ValueError("the times of points must ascend")
        if self.standards is not None:
            (low, low_read), (high, high_read) = self.standards
            if not (low < high and low_read < high_read):
                raise ValueError("standards must be [low, read], [high, read], both ascending")
        return self


class Delete(_OfRows):
    """Take the result away: it becomes null, its flag MISSING; the raw result stays."""


class Interpolate(_OfRows):
    """Put the straight line between good neighbours in place of what is absent or bad.

    Without `where` these are the rows without a result or with the flag FAIL or MISSING.
    """

    greatest_gap: Length = Field(gt=0)
    flag: FlagName = "suspect"


class Retime(_Said):
    """Move the rows in time: by `shift`, or from `shift` at the start of the span to `shift_end` at its end."""

    shift: Length
    shift_end: Length | None = None

    @model_validator(mode="after")
    def _moves(self) -> Retime:
        if self.shift == 0 and not self.shift_end:
            raise ValueError("a shift of 0 moves nothing")
        return self


Parameters = Flag | Offset | Drift | Delete | Interpolate | Retime

ACTIONS: dict[str, type[Parameters]] = {
    "flag": Flag,
    "offset": Offset,
    "drift": Drift,
    "delete": Delete,
    "interpolate": Interpolate,
    "retime": Retime,
}
"""What can be done to rows, by name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One action on a span of one Datastream.

    Parameters
    ----------
    id : int
        Its number in the history; steps are applied in ascending order.
    start, end : int
        µs since 1970 UTC, end exclusive, `FOREVER` while it is open.
    what : Parameters
        What the action was told.
    """

    id: int
    start: int
    end: int
    what: Parameters

    @property
    def is_open(self) -> bool:
        """Whether its span has no end yet."""
        return self.end == FOREVER

    @property
    def reach(self) -> int:
        """How far, in µs, rows beyond its span have a say in what it does."""
        return self.what.greatest_gap if isinstance(self.what, Interpolate) else 0

    @property
    def image(self) -> tuple[int, int]:
        """The span in which its rows lie when it is done."""
        if not isinstance(self.what, Retime) or self.end == FOREVER:
            return self.start, self.end
        last = self.what.shift if self.what.shift_end is None else self.what.shift_end
        return self.start + self.what.shift, self.end + last


def parse(action: str, start: int, end: int, parameters: Mapping[str, Any], *, number: int = 0) -> Step:
    """Return a step from its JSON, or say what is wrong.

    Parameters
    ----------
    action : str
        A name of `ACTIONS`.
    start, end : int
        The span; end exclusive.
    parameters : mapping
        What the action is told.
    number : int
        The step's id.

    Raises
    ------
    RequestError
        For an unknown action, a reversed or empty span, or parameters that do not fit.

    Examples
    --------
    >>> parse("drift", 0, 1000, {"gap": 0.2}).what.gap
    0.2
    """
    model = ACTIONS.get(action)
    if model is None:
        raise RequestError(f"{action!r} is no action (allowed: {', '.join(ACTIONS)}, sign_off)", place="$.action")
    if end <= start:
        raise RequestError("the span ends before it starts, or is empty; end is exclusive", place="$.end")
    try:
        what = model.model_validate(dict(parameters))
    except ValidationError as error:
        raise _refusal(error, model) from error
    step = Step(number, start, end, what)
    if end == FOREVER and not isinstance(what, Flag):
        raise RequestError(f"{action} needs the end of its span; only flag may stay open", place="$.end")
    if isinstance(what, Retime) and step.image[1] - step.image[0] <= 0:
        raise RequestError("with these shifts time would run backwards", place="$.shift_end")
    if isinstance(what, Drift) and what.points is not None:
        first, last = what.points[0][0], what.points[-1][0]
        if first < start or last > end:
            raise RequestError("the points lie outside the span", place="$.points")
    return step


def _refusal(error: ValidationError, model: type[BaseModel]) -> RequestError:
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    place = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return RequestError(f"unknown member (allowed: {', '.join(model.model_fields)})", place=place)
    message = first["msg"].removeprefix("Value error, ")
    return RequestError(message[0].lower() + message[1:], place=place)
