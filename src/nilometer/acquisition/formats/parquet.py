"""Parquet files: times, numbers and text as they are typed, units from the fields' own metadata."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_KEPT = {"stamps", "model", "serial number", "station", "source"}


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
    fields = {field.name: _told(field.metadata) for field in table.schema}
    raw = RawTable(
        path=path,
        format="parquet",
        names=tuple(table.schema.names),
        columns=table.columns,
        unit_texts=tuple(told.get("unit") or told.get("units") or "" for told in fields.values()),
        unit_source="file",
        metadata={key: text for key, text in _told(table.schema.metadata).items() if key in _KEPT},
        # What `nilometer read -o` wrote of a column holds.
        called={name: told["observed_property"] for name, told in fields.items() if told.get("observed_property")},
        statistics={name: told["cell_method"] for name, told in fields.items() if told.get("cell_method")},
        speaks_of={name: told["qualifies"] for name, told in fields.items() if told.get("qualifies")},
    )
    return recording_of(raw, wishes)


def _told(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode("utf-8", "replace"): text.decode("utf-8", "replace") for key, text in (metadata or {}).items()}


def _sniff(_path: Path, head: bytes) -> float:
    return 1.0 if head.startswith(b"PAR1") else 0.0


FORMAT = FormatInfo(name="parquet", title="Apache Parquet", suffixes=(".parquet", ".pq"), sniff=_sniff, read=read)
