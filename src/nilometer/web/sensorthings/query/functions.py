"""Kinds of values, and the table of functions: what each takes and what it gives.

Sources: OGC 18-088, clause 9.3.3.5.2 (built-in functions); the relations of intervals are those of Allen (1983) as
implementations of SensorThings have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ARITHMETIC", "FUNCTIONS", "MOMENTS", "Function", "Kind", "Operation"]


class Kind(StrEnum):
    """What a value is. Times are µs since 1970 UTC, dates days since then, clocks µs of the day, durations µs."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIME = "time"
    INTERVAL = "interval"
    DATE = "date"
    CLOCK = "time of day"
    DURATION = "duration"
    GEOMETRY = "geometry"
    JSON = "json"
    NULL = "null"


N, T, B, I, G = Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.INTERVAL, Kind.GEOMETRY  # noqa: E741
MOMENTS = frozenset({Kind.TIME, Kind.INTERVAL, Kind.DATE})
"""Kinds that lie on the time line, and so compare with one another."""


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes and gives; the last `optional` arguments may be left out."""

    takes: tuple[Kind, ...]
    gives: Kind
    optional: int = 0


FUNCTIONS: dict[str, Function] = {
    **dict.fromkeys(("substringof", "startswith", "endswith", "contains"), Function((T, T), B)),
    **dict.fromkeys(("tolower", "toupper", "trim"), Function((T,), T)),
    "length": Function((T,), N),
    "indexof": Function((T, T), N),
    "substring": Function((T, N, N), T, optional=1),
    "concat": Function((T, T), T),
    **dict.fromkeys(("round", "floor", "ceiling"), Function((N,), N)),
    **dict.fromkeys(
        ("year", "month", "day", "hour", "minute", "second", "fractionalseconds", "totaloffsetminutes"),
        Function((Kind.TIME,), N),
    ),
    "date": Function((Kind.TIME,), Kind.DATE),
    "time": Function((Kind.TIME,), Kind.CLOCK),
    **dict.fromkeys(("now", "mindatetime", "maxdatetime"), Function((), Kind.TIME)),
    **dict.fromkeys(("before", "after", "meets", "during", "overlaps", "starts", "finishes"), Function((I, I), B)),
    "geo.distance": Function((G, G), N),
    "geo.length": Function((G,), N),
    **dict.fromkeys(("geo.intersects", "st_intersects", "st_equals", "st_disjoint"), Function((G, G), B)),
    **dict.fromkeys(("st_touches", "st_within", "st_overlaps", "st_crosses", "st_contains"), Function((G, G), B)),
    "st_relate": Function((G, G, T), B),
}
"""By name."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What an arithmetic operator means for two kinds: its own name, what it takes, what it gives."""

    name: str
    takes: tuple[Kind, Kind]
    gives: Kind
    swapped: bool = False


def _arithmetic() -> dict[tuple[str, Kind, Kind], Operation]:
    time, date, duration = Kind.TIME, Kind.DATE, Kind.DURATION
    table = {(name, N, N): Operation(name, (N, N), N) for name in ("add", "sub", "mul", "div", "mod")}
    for left in (time, date, I):
        kept = I if left is I else time
        table["add", left, duration] = Operation("later", (kept, duration), kept)
        table["add", duration, left] = Operation("later", (kept, duration), kept, swapped=True)
        table["sub", left, duration] = Operation("earlier", (kept, duration), kept)
        for right in (time, date, I):
            table["sub", left, right] = Operation("since", (time, time), duration)
    table["add", duration, duration] = Operation("longer", (duration, duration), duration)
    table["sub", duration, duration] = Operation("shorter", (duration, duration), duration)
    table["mul", duration, N] = Operation("times", (duration, N), duration)
    table["mul", N, duration] = Operation("times", (duration, N), duration, swapped=True)
    table["div", duration, N] = Operation("parted", (duration, N), duration)
    table["div", duration, duration] = Operation("ratio", (duration, duration), N)
    return table


ARITHMETIC = _arithmetic()
"""By operator and the kinds of both sides."""
