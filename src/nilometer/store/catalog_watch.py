"""What a change of the catalog means for the rows: which Datastreams there are, their waters, the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.model import Datastream, FeatureOfInterest, Location, Thing
from nilometer.store.catalog import Catalog
from nilometer.store.catalog_edit import Struck
from nilometer.store.live import Live

__all__ = ["CatalogWatch"]


class CatalogWatch:
    """Keeps what the store knows of the catalog in step with it.

    Parameters
    ----------
    catalog : Catalog
        Tells of changes.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._samples: NDArray[np.int32] | None = None
        self._live: Live | None = None

    def samples(self) -> NDArray[np.int32]:
        """Return the features that are not water, ascending."""
        if self._samples is None:
            self._samples = np.array(sorted(self._catalog.sample_kinds()), np.int32)
        return self._samples

    def follow(self, live: Live) -> None:
        """Tell the index of every Datastream, those that were deleted too: their rows are recovered with the others."""
        self._live = live
        self._catalog.on_change(self._changed)
        for datastream in self._catalog.streams.all():
            live.index.know(datastream)
        for number in self._catalog.streams.deleted():
            live.index.reach(number)
            live.index.known[number] = True

    def close_deleted(self) -> None:
        """Let no row of a deleted Datastream be admitted from now on."""
        if self._live is not None:
            self._live.index.known[self._catalog.streams.deleted()] = False

    def _changed(self, entity: object) -> None:
        live = self._live
        if live is None:
            return
        index = live.index
        with live.lock:  # what a commit writes while the arrays grow would be lost
            match entity:
                case Datastream():
                    index.know(entity)
                case Struck(Datastream() as gone):
                    index.known[gone.id] = False
                case Thing() | Location() | Struck(FeatureOfInterest()):
                    index.water[:] = 0  # asked for again; a Thing may have been moved, or its Location corrected
                    self._samples = None
                case FeatureOfInterest():
                    self._samples = None
                    live.changed()
                case _:
                    pass
