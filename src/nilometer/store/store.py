"""The store's one door: admit, commit, read, seal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, Settlements
from nilometer.store.admission import Admission
from nilometer.store.catalog import Catalog
from nilometer.store.sealing import SealReport
from nilometer.store.snapshot import Snapshot

__all__ = ["Store"]


class Store:
    """One data folder, opened for writing."""

    catalog: Catalog

    @classmethod
    def open(cls, folder: Path, *, catalog_url: str | None = None, address: str = "") -> Store:
        """Open or create a data folder."""
        raise NotImplementedError

    def admit(self, batch: ObservationBatch) -> Admission:
        """Say of every row whether it is new, unchanged, revised or rejected."""
        raise NotImplementedError

    def commit(self, rows: ObservationBatch, settled: Settlements) -> int:
        """Make rows durable and visible; return their sequence."""
        raise NotImplementedError

    def delete(self, datastreams: Sequence[int], start: int | None, end: int | None) -> int:
        """Delete a time range of Datastreams; return the sequence."""
        raise NotImplementedError

    def snapshot(self) -> Snapshot:
        """Return everything acknowledged so far, immutable."""
        raise NotImplementedError

    def replay(self, after: int) -> Iterator[tuple[int, ObservationBatch]]:
        """Yield journaled batches with a sequence above `after`."""
        raise NotImplementedError

    def save_state(self, name: str, sequence: int, state: bytes) -> None:
        """Keep the state of a stage as of a sequence."""
        raise NotImplementedError

    def load_state(self, name: str) -> tuple[int, bytes] | None:
        """Return the last state kept under a name."""
        raise NotImplementedError

    def hold(self, ids: Callable[[], NDArray[np.int64]]) -> None:
        """Name a provider of ids whose rows must stay hot."""
        raise NotImplementedError

    def seal(self) -> SealReport:
        """Move what is settled from the journal to the lake."""
        raise NotImplementedError

    def sequence(self) -> int:
        """Return the last sequence."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the folder."""
        raise NotImplementedError
