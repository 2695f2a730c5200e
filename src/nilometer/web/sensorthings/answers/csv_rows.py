"""``$resultFormat=CSV`` (RFC 4180), as FROST-Server writes it: a column for each property, none for links.

``unitOfMeasurement`` is three columns, other objects are JSON in one. An expansion to one entity adds its columns under
``Relation/``; one to many would need more than a line, and is refused unless it is cut to one with ``$top=1``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nilometer.errors import RequestError
from nilometer.web.sensorthings.answers.lists import text_bytes
from nilometer.web.sensorthings.answers.observation_texts import PROPERTIES, ObservationTexts
from nilometer.web.sensorthings.answers.paging import Rows
from nilometer.web.sensorthings.answers.sending import Piece
from nilometer.web.sensorthings.answers.texts import filled, join, json_text, patched
from nilometer.web.sensorthings.members import member_of
from nilometer.web.sensorthings.options import Expansion, Options
from nilometer.web.sensorthings.schema import OBSERVATION, TYPES, EntityType

__all__ = ["MEDIA_TYPE", "all_columns", "csv_of_documents", "csv_of_rows", "own_columns"]

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"
_UNIT: Final = tuple(f"unitOfMeasurement/{part}" for part in ("name", "symbol", "definition"))
_PLAIN: Final = frozenset({"phenomenonTime", "resultTime"})
_NEEDS_QUOTES: Final = re.compile(r'[",\r\n]')

Expanded = Callable[[pa.Table, Expansion], list[Any]]
"""Gives for each row the document of the entity that an expansion leads to."""


def own_columns(kind: EntityType, options: Options) -> list[str]:
    """Return the names of an entity's own columns.

    Raises
    ------
    RequestError
        If an expansion leads to many.
    """
    known = PROPERTIES if kind is OBSERVATION else ("id", *kind.properties)
    asked = ["id" if name == "@iot.id" else name for name in options.select]
    names = [name for name in asked if name.partition("/")[0] in known] if asked else list(known)
    return [part for name in names for part in (_UNIT if name == "unitOfMeasurement" else (name,))]


def all_columns(kind: EntityType, options: Options) -> list[str]:
    """Return the names of all columns, those of expansions behind an entity's own."""
    names = own_columns(kind, options)
    for expansion in options.expand:
        relation = kind.relations.get(expansion.relation)
        if relation is None:
            raise kind.unknown(expansion.relation, expansion.at)
        if relation.many and expansion.options.top != 1:
            raise RequestError(
                f"{relation.name} are many, and a line of CSV has room for one: add $top=1, or ask for "
                f"{relation.name} and expand {kind.name}",
                place=expansion.at,
            )
        inner = all_columns(TYPES[relation.target], expansion.options)
        names += [f"{expansion.relation}/{name}" for name in inner]
    return names


def csv_of_rows(rows: Rows, texts: ObservationTexts, options: Options, expanded: Expanded) -> Iterator[Piece]:
    """Yield Observations as CSV, piece by piece.

    Parameters
    ----------
    rows : Rows
        What is listed.
    texts : ObservationTexts
        Makes the columns.
    options : Options
        What is selected and expanded.
    expanded : callable
        Asked for the entities that expansions lead to.
    """
    names = own_columns(OBSERVATION, options)
    yield _line(all_columns(OBSERVATION, options))
    for table in rows:
        cells = [_cells(name, column) for name, column in texts.columns(table, names).items()]
        cells.extend(_of_expansion(table, expansion, expanded) for expansion in options.expand)
        separated = [part for column in cells for part in (",", column)]
        if separated:
            yield text_bytes(join(*separated[1:], "\r\n"))


def csv_of_documents(kind: EntityType, documents: Sequence[Mapping[str, Any]], options: Options) -> bytes:
    """Return entities as CSV."""
    names = all_columns(kind, options)
    lines = [_line(names), *(_line(_values(document, kind, options)) for document in documents)]
    return b"".join(lines)


def _of_expansion(table: pa.Table, expansion: Expansion, expanded: Expanded) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return the cells of an expansion; rows that lead to one entity share them."""
    relation = OBSERVATION.relations[expansion.relation]
    own = table[relation.through.own].to_numpy()
    _, first, place = np.unique(own, return_index=True, return_inverse=True)
    target = TYPES[relation.target]
    different = expanded(table.take(pa.array(first)), expansion)
    lines = [_line(_values(document or {}, target, expansion.options))[:-2].decode() for document in different]
    return pa.array(lines, pa.string()).take(pa.array(place.reshape(-1)))


def _values(document: Mapping[str, Any], kind: EntityType, options: Options) -> list[Any]:
    """Return an entity's values in the order of `all_columns`."""
    values = []
    for name in own_columns(kind, options):
        first, _, rest = name.partition("/")
        value = document.get("@iot.id" if first == "id" else first)
        values.append(member_of(value, rest.split("/")) if rest else value)
    for expansion in options.expand:
        inner = document.get(expansion.relation)
        if isinstance(inner, list):
            inner = inner[0] if inner else None
        values += _values(inner or {}, TYPES[kind.relations[expansion.relation].target], expansion.options)
    return values


def _line(values: Sequence[Any]) -> bytes:
    return (",".join(_cell(value) for value in values) + "\r\n").encode()


def _cell(value: Any) -> str:  # noqa: ANN401 -- any JSON
    if value is None:
        return ""
    text = value if isinstance(value, str) else json_text(value)
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _cells(name: str, column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return JSON texts as cells: a text without its quotes, what needs quotes in quotes."""
    if name in _PLAIN:
        return filled(pc.utf8_trim(column, characters='"'), "")
    column = filled(column, "")
    needy = pc.match_substring_regex(column, '[",\\r\\n]')
    if not pc.any(needy).as_py():
        return column
    said = np.flatnonzero(pc.starts_with(column, '"').to_numpy(zero_copy_only=False))
    texts = {
        at: _cell(msgspec.json.decode(text))
        for at, text in zip(said.tolist(), column.take(pa.array(said)).to_pylist(), strict=True)
    }
    doubled = join('"', pc.replace_substring(column, '"', '""'), '"')
    return patched(pc.if_else(needy, doubled, column), texts)
