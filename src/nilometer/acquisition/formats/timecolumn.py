"""Which column of a table holds the times: one of date and time, a pair of columns, an epoch, or a typed column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.acquisition.formats.clockparts import ClockParts, clock_parts
from nilometer.acquisition.formats.instants import DATE, DATE_TIME, TIME_OF_DAY, epochs, instants, kind_of
from nilometer.acquisition.formats.numbers import numbers
from nilometer.acquisition.formats.recording import Wishes
from nilometer.acquisition.formats.serials import clock_of_digits, serials, with_colons
from nilometer.acquisition.formats.zones import is_zone, to_utc, zone_in, zoned_by
from nilometer.errors import ConfigError, ReadError
from nilometer.model.batch import NO_TIME

__all__ = ["UNTOLD_ZONE", "Times", "find_times", "zones_beside"]

UNTOLD_ZONE = "UTC (assumed)"
"""What the metadata say of a zone that neither the file nor the caller told."""

_WORDS = re.compile(
    r"time|date|epoch|stamp|zeit|datum|fecha|hora|heure|clock|时间|日期|时刻|^ts$|^t$|^data$|^index$|^$", re.IGNORECASE
)
_WHOLE_WORDS = re.compile(r"(?i)(?:\b|_)(?:date|time|datetime|timestamp|datum|zeit|fecha)(?:\b|_)|时间|日期|^date")
_ZONE_NAMES = re.compile(r"(?i)time_?zone(_?code)?$|^tz(_cd|_code)?$|^时区$")
_SINCE = "numbers are counted since 1970 UTC"
SAMPLE = 400
_WITHOUT_YEAR = re.compile(r"^\s*\d{1,2}[-/月]\d{1,2}日?\s+\d{1,2}:\d{2}(:\d{2})?\s*$")


@dataclass(frozen=True, slots=True)
class Times:
    """The times of a table, the columns they come from, other columns that are times, the zone, what was decided."""

    times: NDArray[np.int64]
    positions: tuple[int, ...]
    names: tuple[str, ...]
    alike: frozenset[int]
    zone: str
    notes: tuple[str, ...]


def find_times(
    names: Sequence[str],
    columns: Sequence[Any],
    preamble: Sequence[str],
    unit_texts: Sequence[str] | None,
    wishes: Wishes,
    path: Path,
    format_name: str,
    told_zone: str | None = None,
) -> Times:
    """Return the times of a table; `told_zone` is that which the format itself keeps its times in.

    Raises
    ------
    ReadError
        If no column holds times; says which columns were seen and how to name one.
    ConfigError
        If a wish names a column that is not there, or one that holds no times.
    """
    if wishes.time is None:
        parts = clock_parts(names, columns)
        if parts is not None:
            return _of_parts(parts, names, wishes.time_zone or told_zone or _zone_of_preamble(preamble), path)
    kinds = [_kind(name, column) for name, column in zip(names, columns, strict=True)]
    positions = _wished(names, wishes.time, path) if wishes.time is not None else _chosen(names, kinds)
    if positions is None:
        raise _unseen(names, columns, kinds, path, format_name)
    chosen = [columns[at] for at in positions]
    if wishes.time_zone is None:
        chosen[-1] = _with_zones(chosen[-1], kinds[positions[-1]], names, columns)
    label = " + ".join(names[at] or "the first column" for at in positions)
    told = " ".join(names[at] for at in positions)
    zone = wishes.time_zone or zone_in(told) or told_zone or _zone_of_preamble(preamble)
    day_first = wishes.day_first
    for text in (unit_texts[positions[0]] if unit_texts is not None else "", names[positions[0]]):
        day_first = _order_told(text) if day_first is None else day_first
    if _is_year_first(names[positions[0]], unit_texts[positions[0]] if unit_texts is not None else ""):
        chosen[0] = _with_century(chosen[0])
    try:
        times, zoned, decided = _read(chosen, kinds[positions[0]], zone, day_first)
    except ConfigError as error:
        raise ConfigError(error.key, seen=error.seen, allowed=error.allowed, reason=error.reason, file=path) from error
    if times is None:
        raise ConfigError("time", seen=label, reason="holds no times", file=path)
    notes = [f"{label}: {decided}"] if decided else []
    if not zoned and zone is None:
        notes.append(f"{label} has no time zone: UTC is assumed (time_zone= names another)")
    alike = frozenset(at for at, kind in enumerate(kinds) if kind not in {None, "serial"} and at not in positions)
    return Times(
        times,
        tuple(positions),
        tuple(names[at] or "the first column" for at in positions),
        alike,
        "in each row" if zoned else (zone or UNTOLD_ZONE),
        tuple(notes),
    )


def zones_beside(names: Sequence[str], columns: Sequence[Any]) -> int | None:
    """Return the column that names a zone for each row, as the portals of agencies have it; None where none does."""
    for at, name in enumerate(names):
        if _ZONE_NAMES.search(name) and pa.types.is_string(columns[at].type):
            words = {word.strip() for word in columns[at].unique().to_pylist() if word and word.strip()}
            if words and all(is_zone(word) for word in words):
                return at
    return None


def _with_zones(column: Any, kind: str | None, names: Sequence[str], columns: Sequence[Any]) -> Any:  # noqa: ANN401
    at = zones_beside(names, columns) if kind in {DATE_TIME, TIME_OF_DAY} else None
    if at is None or any(re.search(r"(?i)[zt]$|[+-]\d\d:?\d\d$", word.strip()) for word in _sample(column) if word):
        return column  # the cells name it themselves
    return zoned_by(column, columns[at])


def _unseen(
    names: Sequence[str], columns: Sequence[Any], kinds: Sequence[str | None], path: Path, format_name: str
) -> ReadError:
    if "no year" in kinds:
        at = kinds.index("no year")
        said = (
            f"the times of {names[at]!r}, such as {_sample(columns[at])[0]!r}, have no year: write it into the column"
        )
        return ReadError(said, path=path, format=format_name)
    seen = ", ".join(repr(name) for name in names if name) or "columns without names"
    return ReadError(
        f"no column of times is seen among {seen}; name it: time='…' or time=['date', 'time'] (--time in a shell)",
        path=path,
        format=format_name,
    )


def _kind(name: str, column: Any) -> str | None:  # noqa: ANN401 -- pyarrow has no types
    if pa.types.is_timestamp(column.type):
        return "typed"
    named = bool(_WORDS.search(name.strip()))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _kind_of_text(name, [word for word in _sample(column) if word], named=named)
    if named and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return _counted(name, np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64))
    return None


def _kind_of_text(name: str, words: list[str], *, named: bool) -> str | None:
    # Summaries under a table are no times: where the name says so, half of the words are enough.
    kind = kind_of(words, 0.5 if named and name.strip() else 0.9)
    if kind is not None and (named or not _all_digits(words)):
        return kind
    if clock_of_digits(name, words):
        return TIME_OF_DAY
    if named and _all_digits(words):
        found = numbers(pa.array(words))
        return None if found is None else _counted(name, found.values)
    return "no year" if named and _WITHOUT_YEAR.match(words[0] if words else "") else None


def _counted(name: str, values: NDArray[np.float64]) -> str | None:
    """Say whether numbers count seconds since 1970, or days as spreadsheets do."""
    if epochs(values) is not None:
        return "epoch"
    # "Centimeter" has a time in it, and is none.
    return "serial" if _WHOLE_WORDS.search(name) and serials(values) is not None else None


def _sample(column: Any) -> list[str]:  # noqa: ANN401 -- pyarrow has no types
    words: list[str] = column.slice(0, SAMPLE).to_pylist()
    middle = len(column) // 2
    if len(column) > 2 * SAMPLE:
        words += column.slice(middle, SAMPLE // 2).to_pylist()
    return words


def _all_digits(words: Sequence[str]) -> bool:
    return bool(words) and all(re.fullmatch(r"\s*\d+(\.\d*)?\s*", word) for word in words)


def _chosen(names: Sequence[str], kinds: Sequence[str | None]) -> list[int] | None:
    def first(kind: str) -> int | None:
        found = [at for at, seen in enumerate(kinds) if seen == kind]
        # Named as UTC before others, named as a time before unnamed.
        found.sort(key=lambda at: ("utc" not in names[at].casefold(), not _WORDS.search(names[at].strip()), at))
        return found[0] if found else None

    typed = first("typed")
    if typed is not None:
        return [typed]
    stamp = first(DATE_TIME)
    date, clock = first(DATE), first(TIME_OF_DAY)
    # A pair that is named stands before a column that is not.
    paired = date is not None and clock is not None and bool(_WORDS.search(names[date]) and _WORDS.search(names[clock]))
    if stamp is not None and (_WORDS.search(names[stamp].strip()) or not paired):
        return [stamp]
    if date is not None and clock is not None:
        later = [at for at, kind in enumerate(kinds) if kind == TIME_OF_DAY and at > date]
        return [date, later[0] if later and "utc" not in names[clock].casefold() else clock]
    for counted in ("epoch", "serial") if date is None else ():
        place = first(counted)
        if place is not None:
            return [place]
    return [date] if date is not None else None


def _wished(names: Sequence[str], time: str | Sequence[str], path: Path) -> list[int]:
    wanted = [time] if isinstance(time, str) else list(time)
    positions = []
    for name in wanted:
        if name not in names:
            raise ConfigError("time", seen=name, allowed=[n for n in names if n], file=path, reason="no such column")
        positions.append(list(names).index(name))
    return positions


def _read(
    columns: Sequence[Any],
    kind: str | None,
    zone: str | None,
    day_first: bool | None,  # noqa: FBT001 -- None is a third answer
) -> tuple[NDArray[np.int64] | None, bool, str]:
    column = columns[0]
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        times = np.asarray(pc.fill_null(stamps, NO_TIME).to_numpy(zero_copy_only=False), np.int64)
        if column.type.tz is not None or zone is None:
            return times, column.type.tz is not None, ""
        column, kind = column.cast(pa.timestamp("us"), safe=False).cast(pa.string()), DATE_TIME
    if kind == "serial":
        return *_serial(column, zone), "numbers are days since 30 December 1899, as spreadsheets count"
    if kind == "epoch" or not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return *_epoch(column), _SINCE
    text = pc.utf8_trim(column.cast(pa.string()), " \t'\"")
    if len(columns) > 1 and kind == DATE:
        columns = [columns[0], with_colons(columns[1])]
    if len(columns) > 1:
        text = pc.binary_join_element_wise(text, pc.utf8_trim(columns[1].cast(pa.string()), " \t'\""), " ")
    found = instants(text, zone=zone, day_first=day_first)
    if (found.times == NO_TIME).all():
        return *_epoch(column), _SINCE
    return found.times, found.zoned, found.decided


def _epoch(column: Any) -> tuple[NDArray[np.int64] | None, bool]:  # noqa: ANN401 -- pyarrow has no types
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = numbers(column.cast(pa.string()))
        return (None if found is None else epochs(found.values)), True
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return epochs(np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)), True
    return None, True


def _serial(column: Any, zone: str | None) -> tuple[NDArray[np.int64] | None, bool]:  # noqa: ANN401 -- pyarrow
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = numbers(column.cast(pa.string()))
        values = np.empty(0) if found is None else found.values
    else:
        values = np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    local = serials(values)
    return (None if local is None else to_utc(local, zone)[0]), False


def _of_parts(parts: ClockParts, names: Sequence[str], zone: str | None, path: Path) -> Times:
    label = " + ".join(names[at] for at in parts.positions)
    try:
        found = instants(parts.words, zone=zone)
    except ConfigError as error:
        raise ConfigError(error.key, seen=error.seen, allowed=error.allowed, reason=error.reason, file=path) from error
    notes = [f"{label}: {parts.decided}"] if parts.decided else []
    notes += [] if zone else [f"{label} have no time zone: UTC is assumed (time_zone= names another)"]
    notes += [f"{label}: {found.decided}"] if found.decided and "month" not in found.decided else []
    told = tuple(names[at] for at in parts.positions)
    return Times(found.times, parts.positions, told, frozenset(), zone or UNTOLD_ZONE, tuple(notes))


def _is_year_first(name: str, unit_text: str) -> bool:
    return any(re.search(r"(?i)\by{1,4}[/.-]m{1,2}[/.-]d{1,2}\b", text) for text in (name, unit_text))


def _with_century(column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Put the century before years of two digits: the header says that the year comes first."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    text = pc.utf8_trim(column.cast(pa.string()), " \t'\"")
    rest = r"\d[/.-]\d{1,2}[/.-]\d{1,2})(\s.*)?$"
    for start, century in ((rf"^([0-6]{rest}", r"20\1\2"), (rf"^([7-9]{rest}", r"19\1\2")):
        text = pc.replace_substring_regex(text, start, century)
    return text


def _zone_of_preamble(preamble: Sequence[str]) -> str | None:
    for line in preamble:
        if re.search(r"time.?zone|\btz\b|时区|^\W*\(?(UTC|GMT)", line, re.IGNORECASE):
            zone = zone_in(line)
            if zone is not None:
                return zone
    return None


def _order_told(text: str) -> bool | None:
    match = re.search(r"\b(d{1,2}|m{1,2})[/.-](d{1,2}|m{1,2})[/.-]y{1,4}\b", text, re.IGNORECASE)
    return match[1].casefold().startswith("d") if match else None
