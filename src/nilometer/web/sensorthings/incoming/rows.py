"""Pages of Observations as rows, and as the data arrays they are delivered in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from nilometer.acquisition.protocols.sensorthings import Id
from nilometer.errors import RequestError
from nilometer.web.sensorthings.incoming.origin import id_of
from nilometer.web.times import parse_interval, parse_time

__all__ = ["SELECTED", "Row", "arrays", "identity", "read_page"]

SELECTED = ("phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters")
MOST_BYTES = 16 << 20
_ORDERED = msgspec.json.Encoder(order="deterministic")


@dataclass(slots=True)
class Row:
    """An Observation: its id there, its values by the standard's names, the id of its FeatureOfInterest there."""

    id: Id
    values: dict[str, Any]
    feature: Id | None


def read_page(page: Mapping[str, Any], feature: Id | None) -> list[Row] | None:
    """Return the rows of a page of entities or data arrays; None: it is neither.

    Parameters
    ----------
    page : mapping
        The answer.
    feature : int or str, optional
        The FeatureOfInterest of all rows of data arrays, which do not name theirs.
    """
    items = page.get("value")
    if not isinstance(items, list):
        return None
    rows: list[Row] = []
    for item in items:
        if not isinstance(item, dict):
            return None
        if "dataArray" not in item:
            of = item.get("FeatureOfInterest")
            named = id_of(of) if isinstance(of, dict) else feature
            rows.append(Row(id_of(item), {name: item[name] for name in SELECTED if name in item}, named))
            continue
        names = item.get("components")
        if not isinstance(names, list) or not {"id", "@iot.id"} & set(names):
            return None
        for cells in item["dataArray"] or ():  # no rows are null on some servers
            values = dict(zip(names, cells, strict=False))
            rows.append(Row(id_of(values), {name: values[name] for name in SELECTED if name in values}, feature))
    return rows


def identity(values: Mapping[str, Any], feature: int | None) -> bytes:
    """Return what tells an Observation from any other of its Datastream, however its times are written."""
    said = {name: value for name, value in values.items() if value is not None and name in SELECTED}
    try:
        for name in ("phenomenonTime", "validTime"):
            if name in said:
                said[name] = parse_interval(said[name])
        if "resultTime" in said:
            said["resultTime"] = parse_time(said["resultTime"])
    except (RequestError, TypeError):
        pass  # it will be refused, with its reason
    if said.get("parameters") == {}:
        del said["parameters"]
    if type(said.get("result")) is int:
        said["result"] = _number(said["result"])
    return _ORDERED.encode([said, feature])


def _number(whole: int) -> int | float:
    """Return a whole number as float64 shows it, where it holds it: 3 and 3.0 are one result."""
    return float(whole) if abs(whole) <= 1 << 53 else whole


def arrays(
    kind: str, stream: int, rows: Sequence[tuple[Row, int | None]]
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yield bodies of ``CreateObservations`` that are not too long, each with how many rows it has.

    Parameters
    ----------
    kind : str
        Datastream or MultiDatastream.
    stream : int
        Its id here.
    rows : sequence of (Row, int or None)
        Each with its FeatureOfInterest here.
    """
    components = [name for name in SELECTED if any(row.values.get(name) is not None for row, _ in rows)]
    components = [name for name in SELECTED if name in components or name == "result"]
    with_feature = any(feature is not None for _, feature in rows)
    cells: list[list[Any]] = []
    size = 0
    for row, feature in rows:
        line = [row.values.get(name) for name in components] + ([feature] if with_feature else [])
        length = len(msgspec.json.encode(line))
        if cells and size + length > MOST_BYTES:
            yield _group({kind: stream}, components, cells, with_feature=with_feature), len(cells)
            cells, size = [], 0
        cells.append(line)
        size += length
    if cells:
        yield _group({kind: stream}, components, cells, with_feature=with_feature), len(cells)


def _group(
    owner: dict[str, int], components: list[str], cells: list[list[Any]], *, with_feature: bool
) -> list[dict[str, Any]]:
    names = [*components, "FeatureOfInterest/id"] if with_feature else components
    links = {kind: {"@iot.id": number} for kind, number in owner.items()}
    return [{**links, "components": names, "dataArray": cells}]
