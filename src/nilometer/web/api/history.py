"""What an Observation said before it was revised, asked of the store moment by moment."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nilometer.model import ObservationBatch
from nilometer.store import Snapshot
from nilometer.web.api.tables import json_columns
from nilometer.web.sensorthings.quality import Evidence

__all__ = ["MOST_VERSIONS", "earlier_versions"]

MOST_VERSIONS = 20


def earlier_versions(snapshot: Snapshot, row: pa.Table, evidence: Evidence) -> list[dict[str, Any]]:
    """Return the versions that a row superseded, the newest first, each with `until`, the ms at which it was revised.

    The commit that is seen at a moment only ever grows, so the moment a version began is found by halving: some fifty
    readings of one row each. Commits long past are known to the second.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    row : pyarrow.Table
        The current row, all columns, as `Snapshot.by_id` gives it.
    evidence : Evidence
        Which profile version judged each version.
    """
    versions: list[dict[str, Any]] = []
    current, seen = row, time.time_ns() // 1000
    while len(versions) < MOST_VERSIONS:
        began = _began(snapshot, current, seen)
        before = _at(snapshot, current, began - 1)
        if not len(before):
            break
        columns = json_columns(ObservationBatch.from_arrow(before), {}, evidence)
        versions.append({name: cells[0] for name, cells in columns.items()} | {"until": began // 1000})
        current, seen = before, began - 1
    return versions


def _began(snapshot: Snapshot, row: pa.Table, seen: int) -> int:
    """Return the first µs at which this version was seen; `seen` is one at which it was."""
    commit = row["commit"][0].as_py()
    before, after = 0, seen
    while after - before > 1:
        middle = (before + after) // 2
        version = _at(snapshot, row, middle)
        if len(version) and version["commit"][0].as_py() >= commit:
            after = middle
        else:
            before = middle
    return after


def _at(snapshot: Snapshot, row: pa.Table, moment: int) -> pa.Table:
    start = row["phenomenon_time"].cast(pa.int64())[0].as_py()
    found = snapshot.read([row["datastream"][0].as_py()], start, start + 1, as_of=moment, water_only=False)
    return found.filter(pc.equal(found["id"], row["id"][0]))
