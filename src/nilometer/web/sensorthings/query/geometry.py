"""Geometries of the query language: WKT and GeoJSON in, planar answers out, in degrees as coordinates are.

Longitude first, WGS 84. Heights do not count. What is no geometry is null, and so is what a function cannot answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException, ShapelyError

from nilometer.errors import RequestError

__all__ = ["MEASURES", "TESTS", "parse_wkt", "read_geojson", "relate"]

_MOST_WKT = 100_000
_PATTERN = re.compile(r"[TF*012]{9}", re.IGNORECASE)
_SRID = re.compile(r"SRID=\d{1,6};", re.IGNORECASE)


def parse_wkt(text: str, place: str) -> Any:  # noqa: ANN401 -- shapely is untyped
    """Return the geometry of a WKT text; ``SRID=4326;`` before it is passed over.

    Raises
    ------
    RequestError
        If it is none.
    """
    if len(text) > _MOST_WKT:
        raise RequestError(f"a geometry of more than {_MOST_WKT} characters", place=place)
    try:
        with np.errstate(all="ignore"):
            shape = shapely.from_wkt(_SRID.sub("", text, count=1).strip())
    except (GEOSException, ShapelyError, ValueError) as error:
        raise RequestError(
            f"{text[:60]!r} is not WKT such as POINT(8 51), longitude first: {str(error)[:120]}", place=place
        ) from error
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        raise RequestError(f"{text[:60]!r} has a coordinate that is no finite number", place=place)
    return shape


def read_geojson(texts: Sequence[str | None]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the geometries of GeoJSON texts, bare or in Features, and which texts are such."""
    with np.errstate(all="ignore"):
        shapes = shapely.from_geojson(np.array(texts, object), on_invalid="ignore")
    return shapes, np.asarray(~shapely.is_missing(shapes), bool)


def _length(shapes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the length of lines; points and areas have none, as the reference server has it."""
    return np.where(shapely.get_dimensions(shapes) == 1, shapely.length(shapes), 0.0)


MEASURES: dict[str, Callable[..., NDArray[np.float64]]] = {
    "geo.distance": shapely.distance,
    "geo.length": _length,
}
TESTS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "geo.intersects": shapely.intersects,
    "st_intersects": shapely.intersects,
    "st_equals": shapely.equals,
    "st_disjoint": shapely.disjoint,
    "st_touches": shapely.touches,
    "st_within": shapely.within,
    "st_overlaps": shapely.overlaps,
    "st_crosses": shapely.crosses,
    "st_contains": shapely.contains,
}


def relate(left: NDArray[Any], right: NDArray[Any], pattern: str, place: str) -> NDArray[np.bool_]:
    """Return whether pairs of geometries relate as a pattern of nine of ``T F * 0 1 2`` says (DE-9IM).

    Raises
    ------
    RequestError
        If the pattern is none.
    """
    if not _PATTERN.fullmatch(pattern):
        raise RequestError(f"{pattern[:20]!r} is not a pattern such as T*F**F*** (nine of T F * 0 1 2)", place=place)
    found: NDArray[np.bool_] = shapely.relate_pattern(left, right, pattern.upper())
    return found
