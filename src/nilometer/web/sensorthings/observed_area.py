"""``observedArea`` of Datastreams: what bounds the FeaturesOfInterest of their Observations.

Samples of standards are no part of the water, and bound nothing. Longitudes are numbers: around the 180th meridian the
area is the long way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from nilometer.errors import NotFound
from nilometer.store import Catalog, Snapshot
from nilometer.web.sensorthings.query.geometry import read_geojson

__all__ = ["ObservedAreas"]

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class _Place:
    """The geometry of a FeatureOfInterest; `shape` is None where it has none that can be read."""

    feature: Any
    geometry: Any
    shape: Any


@dataclass(frozen=True, slots=True)
class _Areas:
    """Areas of some Datastreams, shape (n,) each.

    Attributes
    ----------
    at : ndarray of intp
        Whose: places among the ids that were asked for, ascending.
    place : ndarray of object
        A `_Place` of the Datastream.
    box : ndarray of float64, shape (n, 4)
        West, south, east, north of all its places, degrees.
    one : ndarray of bool
        Whether the place is its only geometry.
    """

    at: NDArray[np.intp]
    place: NDArray[Any]
    box: NDArray[np.float64]
    one: NDArray[np.bool_]


class ObservedAreas:
    """Areas of Datastreams as GeoJSON and as geometries, of the present and of the past.

    Geometries of FeaturesOfInterest are kept once they are read, as long as the FeatureOfInterest stays as it is.

    Parameters
    ----------
    catalog : Catalog
        Where the FeaturesOfInterest are.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._places: dict[int, _Place] = {}

    def documents(self, snapshot: Snapshot, datastreams: NDArray[np.int64]) -> dict[int, Any]:
        """Return the area of each Datastream whose Observations are of a place.

        Parameters
        ----------
        snapshot : Snapshot
            The Observations, of the present or of the past.
        datastreams : ndarray of int64
            Ids.

        Returns
        -------
        dict
            By id GeoJSON in degrees, longitude first: the place itself where there is one only; else the box around
            all, a Point or a LineString where that has no width.
        """
        areas = self._areas(snapshot, datastreams)
        rows = zip(datastreams[areas.at].tolist(), areas.place, areas.box, areas.one.tolist(), strict=True)
        return {number: place.geometry if one else _box(box.tolist()) for number, place, box, one in rows}

    def shapes(self, snapshot: Snapshot, datastreams: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the same as geometries, shape (n,) as `datastreams`, and which of them have one."""
        areas = self._areas(snapshot, datastreams)
        found = np.full(len(datastreams), None, object)
        found[areas.at] = [place.shape for place in areas.place]
        several = ~areas.one
        flat = several & ((areas.box[:, 0] == areas.box[:, 2]) | (areas.box[:, 1] == areas.box[:, 3]))
        found[areas.at[several]] = shapely.box(*areas.box[several].T)
        if flat.any():
            documents = [_encode(_box(box)).decode() for box in areas.box[flat].tolist()]
            found[areas.at[flat]] = read_geojson(documents)[0]
        valid = np.zeros(len(datastreams), bool)
        valid[areas.at] = True
        return found, valid

    def _areas(self, snapshot: Snapshot, datastreams: NDArray[np.int64]) -> _Areas:
        at, features = snapshot.features(datastreams)
        samples = np.fromiter(self._catalog.sample_kinds(), np.int32)
        numbers, which = np.unique(features, return_inverse=True)
        places = self._known(numbers.tolist())
        there = ~np.isin(numbers, samples) & np.array([place.shape is not None for place in places], bool)
        boxes = shapely.bounds(np.array([place.shape for place in places], object))
        at, which = at[there[which]], which[there[which]]
        order = np.lexsort([which, at])
        at, which = at[order], which[order]
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        if not len(starts):
            nothing = np.zeros(0, np.intp)
            return _Areas(nothing, np.zeros(0, object), np.zeros((0, 4)), np.zeros(0, bool))
        west_south = np.minimum.reduceat(boxes[which, :2], starts)
        east_north = np.maximum.reduceat(boxes[which, 2:], starts)
        place = np.empty(len(places), object)
        place[:] = places
        return _Areas(
            at[starts], place[which[starts]], np.hstack([west_south, east_north]), _are_one(which, starts, places)
        )

    def _known(self, features: Sequence[int]) -> list[_Place]:
        """Return the places of FeaturesOfInterest; geometries that are new, or have changed, are read."""
        given = [self._feature(number) for number in features]
        kept = [self._places.get(number) for number in features]
        new = [
            n for n, (place, feature) in enumerate(zip(kept, given, strict=True))
            if place is None or place.feature is not feature
        ]  # fmt: skip
        geometries = [_geometry(given[n]) for n in new]
        shapes, valid = read_geojson([None if one is None else _encode(one).decode() for one in geometries])
        valid &= ~np.isnan(shapely.bounds(shapes)).any(axis=1)
        for n, geometry, shape, good in zip(new, geometries, shapes, valid.tolist(), strict=True):
            place = _Place(given[n], geometry, shape if good else None)
            kept[n] = self._places[features[n]] = place
        return [place for place in kept if place is not None]

    def _feature(self, number: int) -> Any:  # noqa: ANN401 -- JSON
        try:
            return self._catalog.feature(number).feature
        except NotFound:
            return None


def _geometry(feature: Any) -> Any:  # noqa: ANN401 -- JSON
    if not isinstance(feature, Mapping):
        return None
    return feature.get("geometry") if feature.get("type") == "Feature" else feature


def _are_one(which: NDArray[np.intp], starts: NDArray[np.intp], places: Sequence[_Place]) -> NDArray[np.bool_]:
    """Say of each Datastream whether all of its places have the same geometry."""
    counts = np.diff(starts, append=len(which))
    if counts.max() == 1:
        return np.ones(len(starts), bool)
    several = np.unique(which[np.repeat(counts > 1, counts)])
    texts = np.array([_encode(places[n].geometry) for n in several.tolist()], object)
    code = np.zeros(len(places), np.intp)
    code[several] = np.unique(texts, return_inverse=True)[1]
    codes = code[which]
    same = np.minimum.reduceat(codes, starts) == np.maximum.reduceat(codes, starts)
    return np.asarray(same | (counts == 1))


def _box(box: Sequence[float]) -> dict[str, Any]:
    west, south, east, north = box
    if west == east and south == north:
        return {"type": "Point", "coordinates": [west, south]}
    if west == east or south == north:
        return {"type": "LineString", "coordinates": [[west, south], [east, north]]}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
