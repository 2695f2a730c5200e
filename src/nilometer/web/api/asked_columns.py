"""``columns=``: which columns of Observations an answer has, and which of the store have to be read for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from nilometer.errors import RequestError, near
from nilometer.model.schemas import OBSERVATION
from nilometer.web.api.tables import EXPORTED, JSON_COLUMNS, SERVED

__all__ = ["Asked", "asked_columns", "padded"]

# JSON has shorter names for three of them; either is understood wherever the other is.
_SHORT = {"phenomenon_time": "time", "result_uncertainty": "uncertainty", "result_quality": "quality"}
_LONG = {short: long for long, short in _SHORT.items()}
_SIGNED = ("datastream", "phenomenon_time", "commit")
_REST_ON: dict[str, tuple[str, ...]] = {
    "raw_result": ("raw_result", "result", "extra"),
    "tests": ("tests", "provenance"),
    "test_names": ("provenance",),
    "profile": ("provenance",),
    "profile_version": ("provenance",),
    "profile_id": ("provenance",),
    "review_level": _SIGNED,
    "sample": ("feature",),
}
_TABLE = {"csv": ("datastream", "phenomenon_time", *EXPORTED)}


@dataclass(frozen=True, slots=True)
class Asked:
    """Columns of an answer in its own order and spelling, and the columns of OBSERVATION that they rest on."""

    shown: tuple[str, ...]
    read: tuple[str, ...]


def asked_columns(given: Sequence[str] | None, format_name: str) -> Asked | None:
    """Return what ``columns`` names; None: it was not given, everything is wanted.

    Parameters
    ----------
    given : sequence of str, optional
        As written: several, or separated by commas.
    format_name : str
        ``json``, or a table's.

    Raises
    ------
    RequestError
        If one is no column of that format.

    Examples
    --------
    >>> asked_columns(["time,result"], "json")
    Asked(shown=('time', 'result'), read=('phenomenon_time', 'result'))
    """
    if given is None:
        return None
    known = JSON_COLUMNS if format_name == "json" else _TABLE.get(format_name, SERVED.names)
    other = _SHORT if format_name == "json" else _LONG
    wanted = {other.get(name, name) for text in given for name in text.split(",") if name}
    for name in sorted(wanted.difference(known)):
        close = near(name, known)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise RequestError(f"there is no column {name[:60]!r}{hint} (allowed: {', '.join(known)})", place="columns")
    shown = tuple(name for name in known if name in wanted)
    rest_on = {column for name in shown for column in _REST_ON.get(name, (_LONG.get(name, name),))}
    return Asked(shown, tuple(name for name in OBSERVATION.names if name in rest_on))


def padded(rows: pa.Table) -> pa.Table:
    """Return rows with all columns of OBSERVATION; those that were not read say nothing."""
    there: Collection[str] = rows.schema.names
    arrays: Iterable[pa.Array] = (
        rows[field.name]
        if field.name in there
        else pa.nulls(len(rows), field.type)
        if field.nullable
        else pa.repeat(pa.scalar(0, pa.int64()), len(rows)).cast(field.type)
        for field in OBSERVATION
    )
    return pa.Table.from_arrays(list(arrays), schema=OBSERVATION)
