"""``observedArea`` of Datastreams: what bounds the FeaturesOfInterest of their Observations.

Samples of standards are no part of the water, and bound nothing. Longitudes are numbers: around the 180th meridian the
area is the long way round.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from nilometer.errors import NotFound
from nilometer.store import Catalog, Snapshot
from nilometer.web.sensorthings.query.geometry import read_geojson

__all__ = ["observed_areas"]


def observed_areas(snapshot: Snapshot, catalog: Catalog, datastreams: NDArray[np.int64]) -> dict[int, Any]:
    """Return the area of each Datastream whose Observations are of a place.

    Parameters
    ----------
    snapshot : Snapshot
        The Observations, of the present or of the past.
    catalog : Catalog
        Where their FeaturesOfInterest are.
    datastreams : ndarray of int64
        Ids.

    Returns
    -------
    dict
        GeoJSON in degrees, longitude first: the place itself where there is one only; else the box around all, a Point
        or a LineString where that has no width.
    """
    samples = catalog.sample_kinds()
    features = {number: some - samples.keys() for number, some in snapshot.features(datastreams).items()}
    places = _places(catalog, set().union(*features.values()))
    shapes, valid = read_geojson([msgspec.json.encode(place).decode() for place in places.values()])
    boxes = shapely.bounds(shapes)
    valid &= ~np.isnan(boxes).any(axis=1)
    bounds = {
        number: tuple(box) for number, box, good in zip(places, boxes.tolist(), valid.tolist(), strict=True) if good
    }
    areas = {number: _area([one for one in some if one in bounds], places, bounds) for number, some in features.items()}
    return {number: area for number, area in areas.items() if area is not None}


def _places(catalog: Catalog, features: Collection[int]) -> dict[int, Any]:
    """Return the geometries of FeaturesOfInterest by id, those that have one."""
    found = {}
    for number in features:
        try:
            feature = catalog.feature(number).feature
        except NotFound:
            continue
        if isinstance(feature, Mapping):
            found[number] = feature.get("geometry") if feature.get("type") == "Feature" else feature
    return found


def _area(some: list[int], places: Mapping[int, Any], bounds: Mapping[int, tuple[float, ...]]) -> Any:  # noqa: ANN401 -- GeoJSON
    if not some:
        return None
    first = places[some[0]]
    if len(some) == 1 or all(places[one] == first for one in some):
        return first
    wests, souths, easts, norths = zip(*(bounds[one] for one in some), strict=True)
    west, south, east, north = min(wests), min(souths), max(easts), max(norths)
    if west == east and south == north:
        return {"type": "Point", "coordinates": [west, south]}
    if west == east or south == north:
        return {"type": "LineString", "coordinates": [[west, south], [east, north]]}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
