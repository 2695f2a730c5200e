"""What a number of an SDI-12 measurement means by its channel: scale, offset, and numbers that stand for none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nilometer.acquisition.instrument_file import AnyChannel

__all__ = ["Meaning", "meaning"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """A value, NaN for none, and what stands for why."""

    value: float
    mark: str | None = None


def meaning(channel: AnyChannel | None, number: float) -> Meaning:
    """Return what a number means.

    Parameters
    ----------
    channel : AnyChannel, optional
        Its channel; a number equal to a key of its `sentinel` is no value, and leaves the mark.
    number : float
        As it stood on the wire.

    Examples
    --------
    >>> from nilometer.acquisition.sdi12_instrument import Sdi12Channel
    >>> meaning(Sdi12Channel(key="depth", position=1, sentinel={"-9999": "sensor_error"}), -9999.0)
    Meaning(value=nan, mark='sensor_error')
    """
    for text, mark in channel.sentinel.items() if channel is not None else ():
        if number == float(text) or (math.isnan(number) and text == "nan"):
            return Meaning(math.nan, mark)
    if not math.isfinite(number):
        return Meaning(math.nan, f"{number:g}")
    if channel is None or (channel.scale == 1.0 and channel.offset == 0.0):
        return Meaning(number)
    return Meaning(number * channel.scale + channel.offset)
