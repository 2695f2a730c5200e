"""Text, epochs and pairs of date and time of day to µs since 1970 UTC.

The order of day and month is what the rows show: a number above 12 decides, then the order in which time runs forward.
What was decided, and what could not be, is said in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.acquisition.formats.zones import VAGUE, offsets_of, to_utc
from nilometer.errors import ConfigError
from nilometer.model.batch import NO_TIME

__all__ = ["DATE", "DATE_TIME", "TIME_OF_DAY", "Instants", "epochs", "instants", "kind_of"]

DATE_TIME, DATE, TIME_OF_DAY = "date and time", "date", "time of day"

_DAY = r"(?P<a>\d{1,4})\s*[-/.年 ]\s*(?P<b>\d{1,2}|[A-Za-z]{3,9})\.?\s*[-/.月 ,]\s*(?P<c>\d{1,4})日?"
_CLOCK = r"(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?P<f>[.,]\d{1,9})?)?(?:\s*(?P<p>[AaPp])\.?\s?[Mm]\.?)?"
_ZONE = r"(?:\s*[\[(]?(?P<z>Z|(?:UTC|GMT)?\s*[+-]\d{2}:?\d{2}|(?:UTC|GMT)?\s*[+-]\d{1,2}|UTC|GMT|[ACEMP][SD]T)?[\])]?)?"
_STAMP = rf"^\s*{_DAY}(?:[T ,]\s*{_CLOCK}{_ZONE})?\s*$"
_COMPACT = (
    r"^\s*(?P<a>(?:19|20)\d{2})(?P<b>\d{2})(?P<c>\d{2})(?:[T ]?(?P<h>\d{2}):?(?P<m>\d{2}):?(?P<s>\d{2})?(?P<f>\.\d+)?"
    r"(?P<p>x)?(?P<z>Z|[+-]\d{2}:?\d{2})?)?\s*$"
)
_TIME_ONLY = re.compile(rf"^\s*{_CLOCK}\s*$")
_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan ene",
            "feb",
            "mar mär",
            "apr abr avr",
            "may mai",
            "jun",
            "jul",
            "aug ago",
            "sep",
            "oct okt",
            "nov",
            "dec dez dic",
        ],
        start=1,
    )
    for name in names.split()
}
# What people write is brought into the form above: weekdays, months before days, the words of Chinese clocks.
_SPELLINGS = (
    (r"^\s*(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+)", ""),
    (r"^\s*([A-Za-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})\b", r"\2 \1 \3"),
    (r"(?:星期|周)[一二三四五六日天]", " "),
    ("：", ":"),
    (r"(上午|凌晨|早上|午前|오전)\s*([\d:.]+)", r"\2 AM"),
    (r"(下午|晚上|中午|午後|오후)\s*([\d:.]+)", r"\2 PM"),
    (r"(\d)\s*[时時点點]\s*$", r"\1:00"),
    (r"(\d)\s*[时時点點]\s*", r"\1:"),
    (r"(:\d{1,2})\s*分\s*$", r"\1"),
    (r"(:\d{1,2})\s*分\s*", r"\1:"),
    (r"(\d)\s*秒", r"\1"),
)
_LONGEST = 100
_FIRST_LETTERS = re.compile(r"^\s*[A-Za-z]{3}|[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Instants:
    """Times of a column (µs since 1970 UTC or `NO_TIME`), whether the cells named their zone, what was decided."""

    times: NDArray[np.int64]
    zoned: bool
    decided: str = ""


def _spelled(word: str) -> str:
    if not _FIRST_LETTERS.search(word):
        return word
    for pattern, form in _SPELLINGS:
        word = re.sub(pattern, form, word)
    return word


def kind_of(words: list[str], share: float = 0.9) -> str | None:
    """Return what a sample of words is: `DATE_TIME`, `DATE`, `TIME_OF_DAY`, or None where fewer than a share fit."""
    # Patterns need not look at what is longer than any stamp: blanks within would keep them busy.
    said = [_spelled(word) if len(word) <= _LONGEST else "" for word in words if word.strip()]
    if not said:
        return None
    matches = [re.match(_STAMP, word) or re.match(_COMPACT, word) for word in said]
    fits = [match for match in matches if match]
    if len(fits) >= share * len(said) and all(match["a"] and match["c"] for match in fits):
        if not any(len(match["a"]) == 4 or len(match["c"]) in {2, 4} for match in fits):
            return None
        return DATE_TIME if any(match["h"] for match in fits) else DATE
    if sum(bool(_TIME_ONLY.match(word)) for word in said) >= share * len(said):
        return TIME_OF_DAY
    return None


def instants(
    column: Any,  # noqa: ANN401 -- pyarrow has no types
    *,
    zone: str | None = None,
    day_first: bool | None = None,
) -> Instants:
    """Return times written as text.

    Parameters
    ----------
    column : pyarrow string array
        ISO 8601, or day, month and year in any order, with or without time of day, AM/PM, zone.
    zone : str, optional
        IANA name or offset of times that carry none; None: UTC.
    day_first : bool, optional
        Whether 03/04 is 3 April; None: what the rows show.

    Returns
    -------
    Instants
        `NO_TIME` for what is no time, or none that the calendar has.

    Raises
    ------
    ConfigError
        If the zone is unknown, or the rows contradict any one order of day and month.
    """
    words = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    quick = _iso(words)
    if quick is not None:
        times, said = to_utc(quick, zone)
        return Instants(times, zoned=False, decided=said)
    if pc.any(pc.match_substring_regex(words, _FIRST_LETTERS.pattern)).as_py():
        for pattern, form in _SPELLINGS:
            words = pc.replace_substring_regex(words, pattern, form)
    parts = pc.extract_regex(words, _STAMP)
    if parts.null_count > 0.5 * len(parts):
        parts = pc.extract_regex(words, _COMPACT)
    there = np.asarray(pc.is_valid(parts).to_numpy(zero_copy_only=False), bool)

    def part(name: str) -> Any:  # noqa: ANN401 -- pyarrow has no types
        return pc.fill_null(pc.struct_field(parts, name), "")

    a, b, c = _whole_numbers(part("a")), _months(part("b")), _whole_numbers(part("c"))
    clock = _clock(part)
    dotted = bool(pc.any(pc.match_substring_regex(words, r"^\s*\d{1,2}\.\d{1,2}\.\d{2,4}")).as_py())
    year, month, day, decided = _order(a, b, c, clock, there, day_first, dotted=dotted)
    local = _civil(year, month, day, there) + clock
    local[~there] = NO_TIME
    zones = part("z")
    known = np.asarray(pc.not_equal(zones, "").to_numpy(zero_copy_only=False), bool)
    vague = np.asarray(pc.is_in(zones, pa.array(VAGUE)).to_numpy(zero_copy_only=False), bool)
    zoned = known & ~vague
    naive = np.where(zoned, NO_TIME, local)
    times, said = to_utc(naive, zone)
    if zoned.any():
        times = np.where(zoned & (local != NO_TIME), local - offsets_of(zones), times)
    if (vague & there).any():
        word = next(word for word, at in zip(zones.to_pylist(), vague.tolist(), strict=True) if at)
        said = "; ".join(
            filter(None, [said, f"{word} names more than one zone, and is not taken for any (time_zone=)"])
        )
    decided = "; ".join(filter(None, [decided, said]))
    return Instants(times, zoned=bool(zoned[there].all()) if there.any() else False, decided=decided)


def epochs(values: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return seconds, ms or µs since 1970 as µs; None where the numbers are not of this age.

    NaN becomes `NO_TIME`.
    """
    said = values[~np.isnan(values)]
    if not len(said):
        return None
    middle = float(np.median(said))
    for low, high, factor in ((3e8, 5e9, 1e6), (3e11, 5e12, 1e3), (3e14, 5e15, 1.0)):
        if low <= middle <= high and said.min() > 0 and said.max() * factor < 9e18:
            whole = np.where(np.isnan(values), 0.0, np.round(values * factor))
            return np.where(np.isnan(values), NO_TIME, whole.astype(np.int64))
    return None


def _iso(words: Any) -> NDArray[np.int64] | None:  # noqa: ANN401 -- pyarrow has no types
    try:
        stamps = words.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    return np.asarray(pc.fill_null(stamps.cast(pa.int64()), NO_TIME).to_numpy(zero_copy_only=False), np.int64)


def _whole_numbers(words: Any) -> NDArray[np.int64]:  # noqa: ANN401 -- pyarrow has no types
    plain = pc.if_else(pc.equal(words, ""), "0", words)
    return np.asarray(plain.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)


def _months(words: Any) -> NDArray[np.int64]:  # noqa: ANN401 -- pyarrow has no types
    coded = words.dictionary_encode()
    numbers = [
        int(word or 0) if not word or word.isdecimal() else 100 + _MONTHS.get(word[:3].casefold(), 99)
        for word in coded.dictionary.to_pylist()
    ]
    found: NDArray[np.int64] = np.array(numbers or [0], np.int64)[coded.indices.to_numpy(zero_copy_only=False)]
    return found


def _clock(part: Callable[[str], Any]) -> NDArray[np.int64]:
    hour, minute, second = (_whole_numbers(part(name)) for name in "hms")
    half = np.asarray(pc.utf8_lower(part("p")).to_numpy(zero_copy_only=False), object)
    afternoon, morning = half == "p", half == "a"
    hour = np.where(afternoon & (hour < 12), hour + 12, np.where(morning & (hour == 12), 0, hour))
    fraction = pc.utf8_rpad(pc.utf8_slice_codeunits(part("f"), 1, 7), 6, "0")
    micro = _whole_numbers(pc.if_else(pc.equal(part("f"), ""), "0", fraction))
    clock = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
    # 24:00 is the end of the day; 60 is a leap second; beyond that there is no such time.
    return np.where((hour > 24) | (minute > 59) | (second > 60), -(2**62), clock)


def _order(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    c: NDArray[np.int64],
    clock: NDArray[np.int64],
    there: NDArray[np.bool_],
    day_first: bool | None,  # noqa: FBT001 -- None is a third answer
    *,
    dotted: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], str]:
    year_first = there & (a > 31)
    if not there.any() or year_first[there].all():
        return a, b % 100, c, ""
    if year_first.any():
        return _of_two_forms(a, b, c, clock, there, day_first)
    year = np.where(c < 69, c + 2000, np.where(c < 100, c + 1900, c))
    if (b[there] > 100).any():
        return year, b % 100, a, ""
    first, second = int(a[there].max()), int(b[there].max())
    if first > 12 and second > 12:
        raise ConfigError(
            "day_first",
            reason="some rows can only be day/month, others only month/day",
            allowed="one order in the file",
        )
    decided = ""
    if day_first is not None:
        pass
    elif first > 12 and second <= 12 and _is_year_first(a, b, c, clock, there):
        said = "dates of two digits each are taken as year/month/day: so time runs forward (day_first= turns it)"
        return np.where(a < 69, a + 2000, a + 1900), b, c, said
    elif first > 12 or second > 12:
        day_first = first > 12
        decided = f"dates are {'day/month' if day_first else 'month/day'}/year: a number above 12 shows it"
    elif dotted:
        day_first, decided = True, "dates with dots are taken as day.month.year (day_first= turns it)"
    else:
        day_first, decided = _by_running(a, b, year, clock, there)
    day, month = (a, b) if day_first else (b, a)
    return year, month, day, decided


def _is_year_first(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    c: NDArray[np.int64],
    clock: NDArray[np.int64],
    there: NDArray[np.bool_],
) -> bool:
    """Say whether 24/05/13 begins with its year: then time goes back more rarely, or in smaller steps."""
    if (c[there] > 99).any():
        return False
    found = []
    for year, day in ((c, a), (a, c)):
        alive = there.copy()
        times = (_civil(np.where(year < 69, year + 2000, year + 1900), b, day, alive) + clock)[alive]
        steps = times[1:] - times[:-1]
        found.append((int((there & ~alive).sum()), int((steps < 0).sum()), float(np.abs(steps.astype(float)).sum())))
    return found[1] < found[0]


def _of_two_forms(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    c: NDArray[np.int64],
    clock: NDArray[np.int64],
    there: NDArray[np.bool_],
    day_first: bool | None,  # noqa: FBT001 -- None is a third answer
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], str]:
    """Read dates of which some begin with the year.

    A spreadsheet that opens 03/04 of another country's order turns it into a date of its own, and leaves 18/04 as text:
    where no date that begins with the year has a day above 12, both orders are tried, and time must run forward.
    """
    first = there & (a > 31)
    others = there & ~first
    year, month, day, decided = _order(a, b, c, clock, others, day_first)
    year, month, day = (np.where(first, mine, yours) for mine, yours in ((a, year), (b % 100, month), (c, day)))
    if (c[first] > 12).any() or (b[first] > 12).any():
        return year, month, day, f"dates are of two forms, year first and not; {decided}".rstrip("; ")
    turned = np.where(first, day, month), np.where(first, month, day)
    back = [_steps_back(year, order[0], order[1], clock, there) for order in ((month, day), turned)]
    if back[1] < back[0]:
        month, day = turned
        said = f"a spreadsheet has taken {first.sum()} of {there.sum()} dates in the wrong order of day and month"
        return year, month, day, f"{said}: they are turned back, so that time runs forward; {decided}".rstrip("; ")
    return year, month, day, f"dates are of two forms, year first and not; {decided}".rstrip("; ")


def _steps_back(
    year: NDArray[np.int64],
    month: NDArray[np.int64],
    day: NDArray[np.int64],
    clock: NDArray[np.int64],
    there: NDArray[np.bool_],
) -> int:
    times = (_civil(year, month, day, there.copy()) + clock)[there]
    return int((times[1:] < times[:-1]).sum())


def _by_running(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    year: NDArray[np.int64],
    clock: NDArray[np.int64],
    there: NDArray[np.bool_],
) -> tuple[bool, str]:
    """Choose the order in which time runs forward in even steps; month first where both do."""
    uneven, middles = [], []
    for month, day in ((a, b), (b, a)):
        steps = np.diff((_civil(year, month, day, there.copy()) + clock)[there])
        middle = float(np.median(np.abs(steps))) if len(steps) else 0.0
        middles.append(middle)
        uneven.append(int((np.abs(steps) > 20 * middle).sum()) + int((steps < 0).sum()))
    # Of two orders in which time runs forward, days are likelier than months.
    day_first = (uneven[1], middles[1]) < (uneven[0], middles[0])
    if (uneven[0], middles[0]) == (uneven[1], middles[1]):
        return False, "dates may be month/day or day/month: taken as month/day (day_first=True turns it)"
    order = "day/month" if day_first else "month/day"
    return day_first, f"dates are taken as {order}/year: so time runs forward in even steps (day_first= turns it)"


def _civil(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64], there: NDArray[np.bool_]
) -> NDArray[np.int64]:
    sound = there & (month >= 1) & (month <= 12) & (year > 1677) & (year < 2262)
    months = (np.where(sound, year, 1970) - 1970) * 12 + np.where(sound, month, 1) - 1
    start = months.astype("datetime64[M]")
    length = ((start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64)
    sound &= (day >= 1) & (day <= length)
    there &= sound
    days = start.astype("datetime64[D]").astype(np.int64) + np.where(sound, day, 1) - 1
    return days * 86_400_000_000
