"""Zones: which one a text names, and local times by it to UTC; what a clock that was set back leaves open is said."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.model.batch import NO_TIME

__all__ = ["VAGUE", "is_zone", "offsets_of", "to_utc", "zone_in", "zoned_by"]

# China's and America's, and many: they tell nothing.
VAGUE = ("CST", "AST", "ADT")
_NAMED_ZONES = {"utc": 0, "gmt": 0, "pst": -8, "pdt": -7, "mst": -7, "mdt": -6, "cdt": -5, "est": -5, "edt": -4,
                "aest": 10, "cet": 1, "cest": 2, "北京时间": 8}  # fmt: skip
_AMERICAN = {**{word: hours for word, hours in _NAMED_ZONES.items() if word.isascii()}, "cst": -6, "akst": -9,
             "akdt": -8, "hst": -10, "ast": -4, "adt": -3}  # fmt: skip
# Standard beside daylight time, as programs of the United States head their columns: the rows follow the season.
_SEASONAL = {"est/edt": "America/New_York", "cst/cdt": "America/Chicago", "mst/mdt": "America/Denver",
             "pst/pdt": "America/Los_Angeles", "akst/akdt": "America/Anchorage"}  # fmt: skip


@cache
def _places() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def zone_in(text: str) -> str | None:
    """Return the zone that a column name or a line of a preamble names; None where it names none.

    An offset, or the IANA name of a zone whose two clocks are both named (``EST/EDT``).

    Examples
    --------
    >>> zone_in("Date Time, GMT-04:00"), zone_in("time PST"), zone_in("Timestamp")
    ('-04:00', '-08:00', None)
    """
    match = re.search(r"\b(?:UTC|GMT)\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?", text, re.IGNORECASE)
    if match:
        return f"{match[1]}{int(match[2]):02d}:{match[3] or '00'}"
    for word in re.findall(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?\b", text):
        if word in _places():
            return str(word)
    for pair, place in _SEASONAL.items():
        if pair in text.casefold():
            return place
    for word in re.split(r"[^\w]+|_", text.casefold()):
        if word in _NAMED_ZONES:
            return f"{_NAMED_ZONES[word]:+03d}:00"
    return None


def is_zone(word: str) -> bool:
    """Say whether a word is a code of a zone, or an offset."""
    return word.casefold() in _AMERICAN or re.fullmatch(r"(?:UTC|GMT)?\s*[+-]?\d{1,2}(:?\d{2})?", word) is not None


def zoned_by(stamps: Any, zones: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return stamps with the offsets that a column beside them names; where it names none they stay as they are.

    Beside a column of their own the codes are those of America's agencies: CST is -06:00.
    """
    coded = pc.fill_null(zones.cast(pa.string()), "").dictionary_encode()
    offsets = [_offset_of(word.strip()) for word in coded.dictionary.to_pylist()]
    beside = pa.array(offsets, pa.string()).take(coded.indices)
    return pc.binary_join_element_wise(pc.utf8_trim_whitespace(stamps.cast(pa.string())), beside, "")


def _offset_of(word: str) -> str:
    if word.casefold() in _AMERICAN:
        hours = _AMERICAN[word.casefold()]
        return f"{'-' if hours < 0 else '+'}{abs(hours):02d}:00"
    match = re.fullmatch(r"(?:UTC|GMT)?\s*([+-]?)(\d{1,2})(?::?(\d{2}))?", word)
    return f"{match[1] or '+'}{int(match[2]):02d}:{match[3] or '00'}" if match else ""


def to_utc(local: NDArray[np.int64], zone: str | None) -> tuple[NDArray[np.int64], str]:
    """Return local times as UTC, and what had to be decided where the clock was set back.

    Parameters
    ----------
    local : ndarray of int64, shape (n,)
        µs since 1970 by the local clock, or `NO_TIME`.
    zone : str, optional
        IANA name or offset; None: UTC.

    Raises
    ------
    ConfigError
        If the zone is unknown.
    """
    if zone is None or zone.upper() in {"UTC", "Z", "GMT"}:
        return _sane(local), ""
    match = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", zone, re.IGNORECASE)
    if match:
        offset = (int(match[2]) * 60 + int(match[3] or 0)) * (-1 if match[1] == "-" else 1) * 60_000_000
        return np.where(_sane(local) == NO_TIME, NO_TIME, local - offset), ""
    try:
        place = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            "time_zone", seen=zone, allowed="an IANA name such as Asia/Shanghai, or an offset such as +08:00"
        ) from None
    sane = _sane(local)
    quarters, back = np.unique(np.where(sane == NO_TIME, 0, sane) // 900_000_000, return_inverse=True)
    epoch = dt.datetime(1970, 1, 1)  # noqa: DTZ001 -- local time, whose zone is put on below
    offsets = np.empty((2, len(quarters)), np.int64)
    for at, quarter in enumerate(quarters.tolist()):
        here = (epoch + dt.timedelta(seconds=quarter * 900)).replace(tzinfo=place)
        for fold in (0, 1):
            ahead = here.replace(fold=fold).utcoffset() or dt.timedelta()
            offsets[fold, at] = round(ahead.total_seconds() * 1_000_000)
    twice = (offsets[0] > offsets[1])[back] & (sane != NO_TIME)
    never = (offsets[0] < offsets[1])[back] & (sane != NO_TIME)
    second = _second_pass(sane, twice)
    times = np.where(sane == NO_TIME, NO_TIME, sane - offsets[second, back])
    said = []
    if twice.any():
        said.append(f"{twice.sum()} times are in an hour that comes twice when the clock of {zone} is set back: "
                    f"{second.sum()} are taken for its second coming, as the order of the rows shows")  # fmt: skip
    if never.any():
        said.append(
            f"{never.sum()} times do not exist, for the clock of {zone} was set forward: taken as standard time"
        )
    return times, "; ".join(said)


def _second_pass(local: NDArray[np.int64], twice: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return 1 for rows in an hour that comes twice which stand behind a step back in it."""
    fold = np.zeros(len(local), np.intp)
    rows = np.flatnonzero(twice)
    second, before = False, -1
    for at in rows.tolist():
        same_night = before >= 0 and abs(int(local[at]) - int(local[before])) < 7_200_000_000
        second = same_night and (second or local[at] <= local[before])
        fold[at], before = second, at
    return fold


def offsets_of(zones: Any) -> NDArray[np.int64]:  # noqa: ANN401 -- pyarrow has no types
    """Return the offsets that words name, µs: ``+08:00``, ``UTC-5``, ``EST``; 0 for ``Z`` and what is no zone."""
    coded = zones.dictionary_encode()
    minutes = []
    for word in coded.dictionary.to_pylist():
        if word.casefold() in _NAMED_ZONES:
            minutes.append(_NAMED_ZONES[word.casefold()] * 60)
            continue
        match = re.fullmatch(r"(?:UTC|GMT)?\s*([+-])(\d{1,2}):?(\d{2})?", word)
        sign = -1 if match and match[1] == "-" else 1
        minutes.append(sign * (int(match[2]) * 60 + int(match[3] or 0)) if match else 0)
    found: NDArray[np.int64] = np.array(minutes, np.int64)[coded.indices.to_numpy(zero_copy_only=False)] * 60_000_000
    return found


def _sane(local: NDArray[np.int64]) -> NDArray[np.int64]:
    # A time of day that does not exist was marked with a number far below any date.
    return np.where(local < -(2**61), NO_TIME, local)
