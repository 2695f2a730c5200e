"""``$resultFormat=GeoJSON``, as FROST-Server writes it: a Feature for each entity of a set, or for one.

The properties are the entity's own and those of its expansions, flat, named by their path. The geometry is the first
that is found, in the entity before its expansions; geometries are not repeated among the properties. The count and the
next link stand beside the features (RFC 7946, 6.1: foreign members).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["MEDIA_TYPE", "feature_collection"]

MEDIA_TYPE: Final = "application/geo+json"
_PLACES: Final = frozenset({"location", "feature", "observedArea"})
_GEOMETRIES: Final = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)


def feature_collection(
    documents: Iterable[Mapping[str, Any]], count: int | None = None, following: str | None = None
) -> dict[str, Any]:
    """Return entities as a FeatureCollection.

    Parameters
    ----------
    documents : iterable of mapping
        As they are in JSON, expansions included.
    count : int, optional
        How many there are in all.
    following : str, optional
        The next link.

    Examples
    --------
    >>> place = {"@iot.id": 1, "name": "Weir", "location": {"type": "Point", "coordinates": [8, 51]}}
    >>> feature_collection([place])["features"][0]["properties"]
    {'id': 1, 'name': 'Weir'}
    """
    collection: dict[str, Any] = {"type": "FeatureCollection"}
    if count is not None:
        collection["@iot.count"] = count
    if following is not None:
        collection["@iot.nextLink"] = following
    return collection | {"features": [_feature(document) for document in documents]}


def _feature(document: Mapping[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    places: list[Any] = []
    _gather(document, "", properties, places)
    return {"type": "Feature", "properties": properties, "geometry": places[0] if places else None}


def _gather(document: Mapping[str, Any], prefix: str, properties: dict[str, Any], places: list[Any]) -> None:
    """Take a document apart, its expansions after its own properties."""
    inner: list[tuple[str, Any]] = []
    for name, value in document.items():
        if name in {"@iot.id", "id"}:
            properties[f"{prefix}id"] = value
        elif "@iot." in name:
            continue
        elif name in _PLACES and (geometry := _geometry(value)) is not None:
            places.append(geometry)
        elif name[0].isupper():
            inner.append((name, value))
        else:
            _flatten(value, prefix + name, properties)
    for name, value in inner:
        if isinstance(value, Mapping):
            _gather(value, f"{prefix}{name}/", properties, places)
        elif isinstance(value, list):
            for at, item in enumerate(value):
                _gather(item, f"{prefix}{name}/{at}/", properties, places)


def _flatten(value: Any, name: str, properties: dict[str, Any]) -> None:  # noqa: ANN401 -- any JSON
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            _flatten(item, f"{name}/{key}", properties)
    elif isinstance(value, list) and value:
        for at, item in enumerate(value):
            _flatten(item, f"{name}/{at}", properties)
    else:
        properties[name] = value


def _geometry(value: Any) -> Any:  # noqa: ANN401 -- GeoJSON, or anything
    if not isinstance(value, Mapping):
        return None
    if value.get("type") == "Feature":
        return _geometry(value.get("geometry"))
    kind = value.get("type")
    return value if isinstance(kind, str) and kind in _GEOMETRIES else None
