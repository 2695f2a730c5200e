"""Entities of another server as they are made here: their properties verbatim, and beside them whose they were."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nilometer.web.sensorthings.changes.bodies import MANDATORY
from nilometer.web.sensorthings.schema import STREAMS, TYPES

__all__ = ["IMPORTED", "document_of", "mark_of"]

IMPORTED = "imported"
"""Member of ``properties.nilometer`` that says where an entity comes from: ``{"from": URL, "id": …}``."""

_OURS = {
    "Thing": ("key", "water_body", "target_class", "time_zone"),
    "Sensor": ("key",),
    "ObservedProperty": ("key",),
    "Datastream": ("key", "unit", "identity", "origin"),
    "MultiDatastream": ("key", "identity"),
}
"""What is taken of another nilometer's fields. Its results are calibrated and judged: nothing here does it again."""
_UNSAID = {"origin": "derived", IMPORTED: None}
"""Not taken: what is derived there is not derived here."""
_PLACES = {"Location": "location", "FeatureOfInterest": "feature"}
_NESTED = frozenset({"geometry", "geometries", "features"})
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_COMPUTED = frozenset({"observedArea", "phenomenonTime", "resultTime"})
_TEXTS = frozenset({"name", "description"})


def document_of(kind: str, entity: Mapping[str, Any], url: str, number: int | str) -> tuple[dict[str, Any], list[str]]:
    """Return what is posted of an entity, and what of it is not taken, in words.

    Parameters
    ----------
    kind : str
        Name of its type.
    entity : mapping
        As the other server shows it.
    url : str
        Root of that server.
    number : int or str
        Its id there.
    """
    known = TYPES[kind].properties
    document: dict[str, Any] = {}
    left: list[str] = []
    for name, value in entity.items():
        if name in known:
            if not (kind in STREAMS and name in _COMPUTED):
                document[name] = value
        elif name not in TYPES[kind].relations and "@" not in name and name != "id":
            left.append(f"{name}: no property of a {kind} in SensorThings 1.1")
    if kind in _PLACES:
        _place(document, _PLACES[kind], left)
    for name in MANDATORY[kind]:
        if document.get(name) is None and name in _TEXTS:
            document[name] = ""
            left.append(f"{name}: there is none; it is empty here")
    if kind != "HistoricalLocation":
        document["properties"] = _properties(kind, document.get("properties"), left)
        document["properties"]["nilometer"][IMPORTED] = {"from": url, "id": number}
    return document, left


def _properties(kind: str, given: Any, left: list[str]) -> dict[str, Any]:  # noqa: ANN401 -- any JSON
    if given is not None and not isinstance(given, Mapping):
        left.append("properties: no JSON object")
    properties = dict(given) if isinstance(given, Mapping) else {}
    theirs = properties.pop("nilometer", None)
    ours: dict[str, Any] = {}
    if theirs is not None and not isinstance(theirs, Mapping):
        left.append("properties.nilometer: no JSON object")
    elif theirs is not None and kind in {"Location", "FeatureOfInterest"}:
        ours = {name: value for name, value in theirs.items() if name != IMPORTED}
    elif theirs is not None:
        ours = {name: theirs[name] for name in _OURS[kind] if name in theirs}
        if ours.get("unit") == "unknown":
            del ours["unit"]
        if ours.get("origin") == "derived":
            del ours["origin"]
    for name, value in theirs.items() if isinstance(theirs, Mapping) else ():
        if name not in ours and name != IMPORTED and _UNSAID.get(name) != value and value != "unknown":
            left.append(f"properties.nilometer.{name}: it is of that server")
    properties["nilometer"] = ours
    return properties


def _place(document: dict[str, Any], name: str, left: list[str]) -> None:
    given = document.get(name)
    if given is not None or name == "feature":
        document[name] = _numbered(given)
    if document.get(name) != given:
        left.append(f"{name}.coordinates: texts; they are numbers here")


def _numbered(place: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Return a place with coordinates that are numbers (RFC 7946, 3.1.1), where a server writes them as texts."""
    if isinstance(place, list):
        return [_numbered(part) for part in place]
    if not isinstance(place, Mapping):
        return place
    return {
        name: _numbers(part) if name == "coordinates" else _numbered(part) if name in _NESTED else part
        for name, part in place.items()
    }


def _numbers(coordinates: Any) -> Any:  # noqa: ANN401 -- any JSON
    if isinstance(coordinates, list):
        return [_numbers(one) for one in coordinates]
    is_number = isinstance(coordinates, str) and _NUMBER.fullmatch(coordinates)
    return float(coordinates) if is_number else coordinates


def mark_of(entity: Mapping[str, Any], url: str) -> dict[str, Any] | None:
    """Return what an entity of this folder says of where it comes from; None: not from there."""
    found: Any = entity.get("properties") or {}
    for name in ("nilometer", IMPORTED):
        found = found.get(name) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) and found.get("from") == url and "id" in found else None
