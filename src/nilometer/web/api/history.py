"""What an Observation said before it was revised, and until when it was served so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nilometer.model import ObservationBatch
from nilometer.store import Snapshot
from nilometer.web.api.tables import json_columns
from nilometer.web.sensorthings.quality import Evidence

__all__ = ["MOST_VERSIONS", "earlier_versions"]

MOST_VERSIONS = 20


def earlier_versions(snapshot: Snapshot, row: pa.Table, evidence: Evidence) -> list[dict[str, Any]]:
    """Return the versions that a row superseded, the newest first.

    Each has `until`, the first ms at which `as_of` no longer shows it. A version that a later one followed in the
    same commit (a row that came late into a reviewed span) was never served, and is told too: the row as it was judged.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    row : pyarrow.Table
        The current row, all columns, as `Snapshot.by_id` gives it.
    evidence : Evidence
        Which profile version judged each version.
    """
    table = snapshot.versions([row["datastream"][0].as_py()], ids=[row["id"][0].as_py()])
    table = table.slice(0, max(len(table) - 1, 0)).take(pa.array(np.arange(len(table) - 1)[::-1][:MOST_VERSIONS]))
    if not len(table):
        return []
    columns = json_columns(ObservationBatch.from_arrow(table.drop_columns(["superseded_commit"])), {}, evidence)
    commits = table["commit"].to_pylist()
    ends = table["superseded_commit"].to_pylist()
    moments = {commit: snapshot.committed(commit) // 1000 for commit in {*ends}}
    return [
        {name: cells[place] for name, cells in columns.items()}
        | {"until": moments[end], "served": commits[place] < end, "commit": commits[place]}
        for place, end in enumerate(ends)
    ]
