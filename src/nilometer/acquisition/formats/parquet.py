"""Parquet files: times, numbers and text as they are typed, units from the fields' own metadata."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a Parquet file.

    Raises
    ------
    ReadError
        If it is none, is cut off, or has no column of times.
    """
    data = opening.contents(path)
    try:
        table = pa.parquet.read_table(io.BytesIO(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise ReadError(f"no Parquet file, or cut off: {error}", path=path, format="parquet") from error
    units = []
    for field in table.schema:
        told = field.metadata or {}
        units.append((told.get(b"unit") or told.get(b"units") or b"").decode())
    raw = RawTable(
        path=path,
        format="parquet",
        names=tuple(table.schema.names),
        columns=table.columns,
        unit_texts=tuple(units),
        unit_source="file",
    )
    return recording_of(raw, wishes)


def _sniff(_path: Path, head: bytes) -> float:
    return 1.0 if head.startswith(b"PAR1") else 0.0


FORMAT = FormatInfo(name="parquet", title="Apache Parquet", suffixes=(".parquet", ".pq"), sniff=_sniff, read=read)
