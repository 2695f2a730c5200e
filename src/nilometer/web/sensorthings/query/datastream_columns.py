"""What the store knows of Datastreams, as columns: the times and the area of their Observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import RequestError
from nilometer.store import Catalog, Snapshot
from nilometer.web.sensorthings.query.columns import Column, missing
from nilometer.web.sensorthings.query.functions import Kind

__all__ = ["DatastreamColumns"]


class DatastreamColumns:
    """``phenomenonTime``, ``resultTime`` and ``observedArea`` of Datastreams and MultiDatastreams by their ids.

    Parameters
    ----------
    snapshot : Snapshot
        The Observations, of the present or of the past.
    catalog : Catalog
        Where Things stand.
    """

    def __init__(self, snapshot: Snapshot, catalog: Catalog) -> None:
        self._snapshot, self._catalog = snapshot, catalog

    def ids(self) -> NDArray[np.int64]:
        """Return the Datastreams that have Observations."""
        return self._snapshot.datastreams()

    def column(self, name: str, ids: NDArray[np.int64]) -> Column:
        """Return a property of some Datastreams.

        Raises
        ------
        RequestError
            If it is none that the store knows.
        """
        match name:
            case "phenomenonTime":
                return _phenomenon_time(self._snapshot, ids)
            case "resultTime":
                return _result_time(self._snapshot, ids)
            case "observedArea":
                return _observed_area(self._snapshot, self._catalog, ids)
        raise RequestError(f"{name} of a Datastream cannot be asked of; name a member of it", place="$filter")


def _phenomenon_time(snapshot: Snapshot, ids: NDArray[np.int64]) -> Column:
    first, over, valid = snapshot.spans(ids)
    return Column(Kind.INTERVAL, first, valid, over)


def _result_time(snapshot: Snapshot, ids: NDArray[np.int64]) -> Column:
    """Return the result times of the first and of the newest row, where the newest has one."""
    found = missing(Kind.INTERVAL, len(ids))
    newest = _times(snapshot.latest(ids.tolist()))
    first = _times(snapshot.first(sorted(newest), ["result_time"])) if newest else {}
    ends = found.values.copy()
    for at, number in enumerate(ids.tolist()):
        if number in newest:
            found.values[at], ends[at] = sorted((first.get(number, newest[number]), newest[number]))
            found.valid[at] = True
    return Column(Kind.INTERVAL, found.values, found.valid, ends)


def _times(rows: pa.Table) -> dict[int, int]:
    times = rows["result_time"].cast(pa.int64()).to_pylist()
    return {n: time for n, time in zip(rows["datastream"].to_pylist(), times, strict=True) if time is not None}


def _observed_area(snapshot: Snapshot, catalog: Catalog, ids: NDArray[np.int64]) -> Column:
    found = missing(Kind.JSON, len(ids))
    _, _, seen = snapshot.extents(ids)
    wanted = set(ids[seen].tolist())
    things = {one.id: one.thing for one in catalog.streams.all() if one.id in wanted}
    places = catalog.locations_of_each(sorted(set(things.values())))
    for at in np.flatnonzero(seen):
        shapes = (_geometry(place.location) for place in places.get(things.get(int(ids[at]), 0), ()))
        found.values[at] = next((shape for shape in shapes if shape is not None), None)
        found.valid[at] = found.values[at] is not None
    return found


def _geometry(location: Any) -> Any:  # noqa: ANN401 -- GeoJSON
    if not isinstance(location, Mapping):
        return None
    return location.get("geometry") if location.get("type") == "Feature" else location
