"""Water level from a float and a counterweight on a wheel whose turns are counted."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.function import Input, function

__all__ = ["encoder_level", "unwrapped"]

COUNTS: Final = Input("count", -1e9, 1e9, scale=100.0, typical=2000.0)


@function(
    counts=COUNTS,
    counts_per_turn=Input("count", 1.0, 1e6, scale=10.0, typical=400.0),
    circumference=Input("m", 0.01, 10.0, typical=0.4),
    zero=Input("m", -500.0, 9_000.0, default=0.0, scale=1.0, typical=1.0),
    tape_thickness=Input("m", 0.0, 0.01, default=0.0, typical=0.001),
    unit="m",
)
def encoder_level(
    counts: float, counts_per_turn: float, circumference: float, zero: float = 0.0, tape_thickness: float = 0.0
) -> float:
    """Return the water level of a float on a wheel with a shaft encoder.

    Parameters
    ----------
    counts : array_like, shape (n,)
        Since the reading was set, without overflow (see `unwrapped`); negative where the wheel turned the other way.
    counts_per_turn : array_like, shape (n,)
        Of the encoder, 1 to 1e6.
    circumference : array_like, shape (n,)
        Of the wheel where the tape lies, m, 0.01 to 10.
    zero : array_like, shape (n,)
        Level at 0 counts, m.
    tape_thickness : array_like, shape (n,)
        m, 0 to 0.01: the tape moves with its middle, π times its thickness farther each turn. Left out, or 0 for a
        tape with holes on a wheel with pins: the circumference is that of the moving line.

    Returns
    -------
    array_like, shape (n,)
        m. NaN where an input is NaN or out of range.

    References
    ----------
    Geometry: zero + counts / counts per turn · (circumference + π · thickness). What the tape's weight, its warmth and
    the lag of the float add is not known here: it belongs into the uncertainty (ISO 4373:2022).

    Examples
    --------
    >>> float(encoder_level(1000.0, 400.0, 0.4, 1.0))
    2.0
    """
    return zero + counts / counts_per_turn * (circumference + math.pi * tape_thickness)


def unwrapped(counts: ArrayLike, span: int) -> NDArray[np.float64]:
    """Return counts that go on where a counter overflows.

    Parameters
    ----------
    counts : array_like, shape (n,)
        In order of time, within one span, such as 0 to 65535 or -32768 to 32767.
    span : int
        How many values the counter has, such as 65536.

    Returns
    -------
    ndarray of float64, shape (n,)
        The first as it is; NaN stays NaN, and the next value is joined to the last one before it. Between two values
        the shorter way is taken, so that a real change of half a span or more is told wrongly: no counter shows it.

    Raises
    ------
    ValueError
        If the span is not above 1.

    Examples
    --------
    >>> unwrapped([65530, 65535, 4, float("nan"), 65534], 65536).tolist()
    [65530.0, 65535.0, 65540.0, nan, 65534.0]
    """
    if not span > 1:
        raise ValueError(f"span = {span!r}: how many values the counter has, such as 65536")
    found = np.array(counts, np.float64)
    seen = np.flatnonzero(np.isfinite(found))
    if len(seen):
        steps = np.diff(found[seen])
        turns = np.cumsum(np.rint(steps / span))
        found[seen[1:]] -= turns * span
    return found
