"""The immutable read view: lake files, hot tail and tombstones as of one commit."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

__all__ = ["Snapshot"]


class Snapshot:
    """Everything that was acknowledged when it was taken; nothing twice, nothing later."""

    def read(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        columns: Sequence[str] | None = None,
        as_of: int | None = None,
        water_only: bool = True,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> pa.Table:
        """Return rows sorted by (datastream, phenomenon_time)."""
        raise NotImplementedError

    def count(
        self,
        datastreams: Sequence[int] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        water_only: bool = True,
        as_of: int | None = None,
    ) -> int:
        """Return how many rows `read` would return."""
        raise NotImplementedError

    def by_id(self, ids: Sequence[int]) -> pa.Table:
        """Return the rows of these ids, sorted by (datastream, phenomenon_time)."""
        raise NotImplementedError

    def latest(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return the newest water row of each Datastream, without a scan."""
        raise NotImplementedError

    def extent(self, datastream: int) -> tuple[int, int] | None:
        """Return the first and last phenomenon_time of a Datastream, µs UTC."""
        raise NotImplementedError
