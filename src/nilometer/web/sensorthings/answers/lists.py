"""Lists of Observations in pieces: JSON objects, and data arrays with one group for each Datastream.

What is told of the whole stands where it is known: the count before the rows, the next link behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from nilometer.web.sensorthings.answers.observation_texts import ObservationTexts
from nilometer.web.sensorthings.answers.paging import Rows
from nilometer.web.sensorthings.answers.sending import Piece
from nilometer.web.sensorthings.answers.texts import filled, join, json_text
from nilometer.web.sensorthings.schema import TYPES

__all__ = ["data_array", "json_list", "text_bytes"]

Next = Callable[[str], str]
"""Gives the next link of a token."""
_NO_GROUP: Final = -1


def json_list(rows: Rows, objects: Callable[[pa.Table], Any], link: Next) -> Iterator[Piece]:
    """Yield ``{"@iot.count", "value", "@iot.nextLink"}`` piece by piece.

    Parameters
    ----------
    rows : Rows
        What is listed.
    objects : callable
        Gives a column of JSON objects for some rows.
    link : callable
        Gives the next link of a token.
    """
    yield _head(rows)
    first = True
    for table in rows:
        text = text_bytes(join(",", objects(table)))
        yield text[1:] if first else text
        first = False
    yield b"]" + _tail(rows, link)


def data_array(rows: Rows, texts: ObservationTexts, names: Sequence[str], root: str, link: Next) -> Iterator[Piece]:
    """Yield a data array piece by piece; rows of a Datastream or MultiDatastream follow each other.

    Parameters
    ----------
    rows : Rows
        What is listed.
    texts : ObservationTexts
        Makes the columns.
    names : sequence of str
        The components.
    root : str
        URL of the service.
    link : callable
        Gives the next link of a token.
    """
    components = json_text(list(names))
    yield _head(rows)
    owner, n, separator = _NO_GROUP, 0, ""
    for table in rows:
        columns = texts.columns(table, names)
        cells: list[Any] = [part for column in columns.values() for part in (",", filled(column, "null"))]
        lines = join(",[", *cells[1:], "]")
        owners = table["datastream"].to_numpy()
        cuts = np.concatenate(([0], np.flatnonzero(np.diff(owners)) + 1, [len(owners)])).tolist()
        pieces: list[Piece] = []
        for start, stop in pairwise(cuts):
            text = text_bytes(lines.slice(start, stop - start))
            if owners[start] != owner:
                if owner != _NO_GROUP:
                    pieces.append(_end(n))
                owner, n = int(owners[start]), 0
                kind = TYPES[texts.owner(owner)]
                link_of = json_text(f"{root}/{kind.plural}({owner})")
                opening = f'{separator}{{"{kind.name}@iot.navigationLink":{link_of},"components":{components}'
                pieces.append(f'{opening},"dataArray":['.encode())
                separator, text = ",", text[1:]
            n += stop - start
            pieces.append(text)
        yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
    yield (b"" if owner == _NO_GROUP else _end(n)) + b"]" + _tail(rows, link)


def _end(n: int) -> bytes:
    return f'],"dataArray@iot.count":{n}}}'.encode()


def _head(rows: Rows) -> bytes:
    count = "" if rows.count is None else f'"@iot.count":{rows.count},'
    return f'{{{count}"value":['.encode()


def _tail(rows: Rows, link: Next) -> bytes:
    if rows.following is None:
        return b"}"
    return f',"@iot.nextLink":{json_text(link(rows.following))}}}'.encode()


def text_bytes(column: Any) -> Piece:  # noqa: ANN401 -- pyarrow has no types
    """Return the texts of a column, which has no nulls, one behind the other; where they lie so, nothing is copied."""
    if isinstance(column, pa.ChunkedArray):
        return b"".join(text_bytes(chunk) for chunk in column.chunks)
    if not len(column):
        return b""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[[column.offset, column.offset + len(column)]]
    return memoryview(data)[int(ends[0]) : int(ends[1])]
