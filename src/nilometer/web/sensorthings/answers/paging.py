"""Where a page ends, and where the next begins: ``$skiptoken``, which costs the same on every page.

Of entities by their ids the token is the last id; in another order they have none. Of Observations in the store's own
order it is the last row that was shown: the next page begins behind it, whether it is still there or not, so that rows
which arrive meanwhile neither push a row onto two pages nor off both. In any other order a row may change its place:
there the token is a commit and a place, and all pages show what the first saw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from nilometer.errors import RequestError
from nilometer.store.walking import Position

__all__ = ["LastId", "Place", "Rows", "Token", "position_of", "read_token", "write_token"]

_TOKEN = re.compile(r"(?P<kind>[wrk])(?P<parts>-?\d{1,19}(\.-?\d{1,19}){0,2})", re.ASCII)
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Place:
    """How many rows were shown of an order that is not the store's, as it was after a commit."""

    commit: int
    place: int


@dataclass(frozen=True, slots=True)
class LastId:
    """The last entity that was shown, by id."""

    id: int


Token = Position | Place | LastId


def read_token(text: str, place: str) -> Token:
    """Return what a token says.

    Raises
    ------
    RequestError
        If it is none that was given out.
    """
    match = _TOKEN.fullmatch(text)
    parts = [int(part) for part in match["parts"].split(".")] if match is not None else []
    if any(abs(part) >= _LARGEST for part in parts):
        parts = []
    if match is not None and match["kind"] == "w" and len(parts) == 3:
        return parts[0], parts[1], parts[2]
    if match is not None and match["kind"] == "r" and len(parts) == 2 and min(parts) >= 0:
        return Place(parts[0], parts[1])
    if match is not None and match["kind"] == "k" and len(parts) == 1 and parts[0] >= 0:
        return LastId(parts[0])
    raise RequestError(f"{text[:60]!r} is no token of a next link; follow the link as it is", place=place)


def write_token(token: Token) -> str:
    """Return the text that `read_token` reads."""
    if isinstance(token, LastId):
        return f"k{token.id}"
    if isinstance(token, Place):
        return f"r{token.commit}.{token.place}"
    return "w" + ".".join(str(part) for part in token)


class Rows:
    """Some rows as tables in their order; iterate once, then ask where to go on.

    Parameters
    ----------
    tables : iterator of pyarrow.Table
        All rows from the first that may be shown on; with ``id``, ``datastream`` and ``phenomenon_time``.
    skip : int
        Leave out so many first.
    top : int, optional
        Give so many at most; None: all.
    count : int, optional
        How many there are in all; None: not asked.
    most : int, optional
        How many will come at most, where it is known.
    """

    def __init__(
        self,
        tables: Iterator[pa.Table],
        skip: int,
        top: int | None,
        count: int | None = None,
        most: int | None = None,
    ) -> None:
        self.count, self.most = count, most
        self.following: str | None = None
        self._tables, self._skip, self._top = tables, skip, top

    def __iter__(self) -> Iterator[pa.Table]:
        """Give the rows; `following` is known afterwards."""
        skip, left, last = self._skip, self._top, None
        for whole in self._tables:
            table = whole.slice(min(skip, len(whole)))
            skip -= len(whole) - len(table)
            if not len(table):
                continue
            if left is not None and len(table) > left:
                if left:
                    yield table.slice(0, left)
                    last = table.slice(left - 1, 1)
                if last is not None:
                    self.following = write_token(position_of(last))
                return
            left = None if left is None else left - len(table)
            last = table.slice(len(table) - 1)
            yield table

    def table(self, schema: pa.Schema) -> pa.Table:
        """Return all of them as one table."""
        tables = list(self)
        return pa.concat_tables(tables) if tables else schema.empty_table()


def position_of(row: pa.Table) -> Position:
    """Return where a row is in the store's order."""
    moment = row["phenomenon_time"].cast(pa.int64())[0].as_py()
    return row["datastream"][0].as_py(), moment, row["id"][0].as_py()
