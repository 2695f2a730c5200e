"""What the store knows of Datastreams, as columns: the times and the area of their Observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import RequestError
from nilometer.store import Snapshot
from nilometer.web.sensorthings.observed_area import ObservedAreas
from nilometer.web.sensorthings.query.columns import Column, missing
from nilometer.web.sensorthings.query.functions import Kind

__all__ = ["DatastreamColumns"]


class DatastreamColumns:
    """``phenomenonTime``, ``resultTime`` and ``observedArea`` of Datastreams and MultiDatastreams by their ids.

    Parameters
    ----------
    snapshot : Snapshot
        The Observations, of the present or of the past.
    areas : ObservedAreas
        Of Datastreams.
    """

    def __init__(self, snapshot: Snapshot, areas: ObservedAreas) -> None:
        self._snapshot, self._areas = snapshot, areas

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
                return _observed_area(self._areas.documents(self._snapshot, ids), ids)
        raise RequestError(f"{name} of a Datastream cannot be asked of; name a member of it", place="$filter")

    def shapes(self, name: str, ids: NDArray[np.int64]) -> Column | None:
        """Return a property of some Datastreams as geometries; None: it has none."""
        return Column(Kind.GEOMETRY, *self._areas.shapes(self._snapshot, ids)) if name == "observedArea" else None


def _phenomenon_time(snapshot: Snapshot, ids: NDArray[np.int64]) -> Column:
    first, over, valid = snapshot.spans(ids)
    return Column(Kind.INTERVAL, first, valid, over)


def _result_time(snapshot: Snapshot, ids: NDArray[np.int64]) -> Column:
    first, last, valid = snapshot.result_times(ids)
    return Column(Kind.INTERVAL, first, valid, last)


def _observed_area(areas: Mapping[int, Any], ids: NDArray[np.int64]) -> Column:
    found = missing(Kind.JSON, len(ids))
    for at, number in enumerate(ids.tolist()):
        found.values[at], found.valid[at] = areas.get(number), number in areas
    return found
