"""A set of Observations as an answer in the format that was asked for: whole where it is small, in pieces where not."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

import msgspec
import pyarrow as pa

from nilometer.errors import RequestError
from nilometer.web.exchange import encode_json
from nilometer.web.sensorthings.answers import csv_rows, geojson
from nilometer.web.sensorthings.answers.lists import data_array, json_list
from nilometer.web.sensorthings.answers.observation_texts import PROPERTIES, ObservationTexts
from nilometer.web.sensorthings.answers.paging import Rows
from nilometer.web.sensorthings.answers.sending import Piece, Pieces
from nilometer.web.sensorthings.options import Expansion, Options
from nilometer.web.sensorthings.records import DEFAULT_TOP, MOST_TOP
from nilometer.web.sensorthings.schema import OBSERVATION

__all__ = ["MOST_OBSERVATIONS", "answer_rows", "top_of"]

MOST_OBSERVATIONS: Final = 1_000_000
"""In one answer, but for CSV, which has no next link and so no end before the last row."""
_AT_ONCE: Final = 10_000
"""Rows up to which an answer is made before it is sent, and so has a length."""


def top_of(options: Options, *, inside: bool = False) -> int | None:
    """Return how many Observations are given at most; None: all. `inside` an expansion as many as of entities."""
    if options.result_format == "CSV":
        return options.top
    asked = DEFAULT_TOP if options.top is None else options.top
    is_whole = inside or options.result_format == "GeoJSON"
    return min(asked, MOST_TOP if is_whole else MOST_OBSERVATIONS)


def answer_rows(
    rows: Rows,
    texts: ObservationTexts,
    options: Options,
    root: str,
    objects: Callable[[pa.Table], Any],
    expanded: Callable[[pa.Table, Expansion], list[Any]],
    link: Callable[[str], str],
) -> Pieces | tuple[bytes, str]:
    """Return the answer, or body and media type of a small one.

    Parameters
    ----------
    rows : Rows
        What is answered.
    texts : ObservationTexts
        Makes columns of text.
    options : Options
        The format, what is selected and expanded.
    root : str
        URL of the service.
    objects, expanded : callable
        Give JSON objects of rows, and the documents that an expansion leads to.
    link : callable
        Gives the next link of a token.

    Raises
    ------
    RequestError
        If the format cannot hold what is asked for.
    """
    match options.result_format:
        case "GeoJSON":
            documents = [msgspec.json.decode(text) for table in rows for text in objects(table).to_pylist()]
            following = None if rows.following is None else link(rows.following)
            return encode_json(geojson.feature_collection(documents, rows.count, following)), geojson.MEDIA_TYPE
        case "dataArray":
            media_type = "application/json"
            pieces = data_array(rows, texts, _components(options), root, link)
        case "CSV":
            media_type = csv_rows.MEDIA_TYPE
            csv_rows.all_columns(OBSERVATION, options)  # refused before anything is sent
            pieces = csv_rows.csv_of_rows(rows, texts, options, expanded)
        case _:
            media_type = "application/json"
            pieces = json_list(rows, objects, link)
    if rows.most is not None and rows.most <= _AT_ONCE:
        return b"".join(pieces), media_type
    return Pieces(_generated(pieces), media_type)


def _generated(pieces: Iterator[Piece]) -> Generator[Piece]:
    yield from pieces


def _components(options: Options) -> list[str]:
    """Return the components of a data array."""
    if options.expand:
        raise RequestError("a data array has no place for expansions; ask for JSON or CSV", place="$expand")
    asked = ["id" if name == "@iot.id" else name for name in options.select]
    names = [name for name in asked if name.partition("/")[0] in PROPERTIES]
    if asked and not names:
        raise RequestError(f"no component is selected (known: {', '.join(PROPERTIES)})", place="$select")
    return names or list(PROPERTIES)
