"""Every row that reprocessing changed, with what it was and what it is, as a Parquet file for whoever asks for it."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nilometer.errors import NotFound
from nilometer.model.schemas import TIME
from nilometer.pipeline.reprocess_judging import Judged
from nilometer.store import Catalog

__all__ = ["CHANGES", "ChangesFile"]

_PAIRS = {
    "result": pa.float64(),
    "result_uncertainty": pa.float64(),
    "result_quality": pa.int8(),
    "tests": pa.string(),
    "calibration": pa.int64(),
    "profile": pa.string(),
    "definition": pa.int64(),
}

CHANGES: pa.Schema = pa.schema(
    [
        pa.field("datastream", pa.string()),
        pa.field("id", pa.int64()),
        pa.field("phenomenon_time", TIME),
        pa.field("raw_result", pa.float64()),
        *(pa.field(f"{name}_{when}", kind) for name, kind in _PAIRS.items() for when in ("old", "new")),
    ]
)
"""One changed row; a calibration and a definition are their ids, a profile its name and version."""


class ChangesFile:
    """A file of changed rows; written from several threads.

    Parameters
    ----------
    catalog : Catalog
        Knows Datastreams and provenance.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._lock = catalog, threading.Lock()
        self._ways: dict[int, tuple[int | None, str | None, int | None]] = {}
        number, path = tempfile.mkstemp(prefix="nilometer-changes-", suffix=".parquet")
        os.close(number)
        self.path = Path(path)
        self._writer = pq.ParquetWriter(path, CHANGES, compression="zstd")

    def write(self, judged: Judged) -> None:
        """Add rows."""
        old, new = judged.old, judged.new
        keys = {number: self._catalog.datastream(number).key for number in np.unique(old.datastream).tolist()}
        columns: dict[str, pa.Array] = {
            "datastream": pa.array([keys[number] for number in old.datastream.tolist()]),
            "id": pa.array(old.id),
            "phenomenon_time": pa.array(old.phenomenon_time).view(TIME),
            "raw_result": _numbers(old.raw_result),
        }
        for when, rows in (("old", old), ("new", new)):
            assert rows.provenance is not None  # noqa: S101 -- finished rows
            ways, which = np.unique(rows.provenance, return_inverse=True)
            named = [self._way(int(way)) for way in ways]
            columns |= {
                f"result_{when}": _numbers(rows.result),
                f"result_uncertainty_{when}": _numbers(rows.result_uncertainty),
                f"result_quality_{when}": pa.array(rows.result_quality, pa.int8()),
                f"tests_{when}": rows.tests,
                f"calibration_{when}": pa.array([way[0] for way in named], pa.int64()).take(pa.array(which)),
                f"profile_{when}": pa.array([way[1] for way in named], pa.string()).take(pa.array(which)),
                f"definition_{when}": pa.array([way[2] for way in named], pa.int64()).take(pa.array(which)),
            }
        table = pa.table([columns[name] for name in CHANGES.names], schema=CHANGES)
        with self._lock:
            self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def _way(self, number: int) -> tuple[int | None, str | None, int | None]:
        known = self._ways.get(number)
        if known is None:
            try:
                row = self._catalog.provenance_row(number)
            except NotFound:
                return None, None, None
            version = row.profile_version
            profile = None if version is None else self._catalog.profile_version_row(version)
            known = self._ways[number] = (
                row.calibration,
                None if profile is None else f"{profile.name} {profile.version}",
                row.definition,
            )
        return known


def _numbers(column: NDArray[np.float64] | None) -> pa.Array:
    assert column is not None  # noqa: S101 -- finished rows
    return pa.array(column, pa.float64(), mask=np.isnan(column))
