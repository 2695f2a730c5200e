"""CSV of Greenspan's data converter: names after ``Column Heading``, units after ``Unit``, rows after ``Data``."""

from __future__ import annotations

import csv as reader
import io
import re
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.greenspan import called, named
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read", "table_of"]

# As the converter writes it, or as a spreadsheet that took it for a date of its own.
_STAMP = re.compile(r"^(\d{1,2}/\d{1,2}/\d{4}|\d{4}-\d{2}-\d{2}) \d{1,2}:\d{2}(:\d{2})?$")


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a CSV of the Greenspan data converter.

    Raises
    ------
    ReadError
        If it has no headings, or no row under them.
    """
    return recording_of(table_of(*opening.text_of(path), path), wishes)


def table_of(data: bytes, encoding: str, path: Path) -> RawTable:
    """Return the table that the converter wrote; see `read`."""
    lines = data.decode("utf-8", "replace").split("\n")
    start = next((at for at, line in enumerate(lines) if line.startswith("Column Heading")), None)
    if start is None:
        raise ReadError("no line 'Column Heading' names the columns", path=path, format=FORMAT.name)
    try:
        cells = [[cell.strip() for cell in row] for row in reader.reader(io.StringIO("\n".join(lines[start:])))]
    except reader.Error as error:
        raise ReadError(f"the table is broken: {error}", path=path, line=start + 1, format=FORMAT.name) from error
    width = len(cells[0])
    units = next((row for row in cells[1:4] if row[:1] == ["Unit"]), [])
    rows = [row for row in cells[1:] if len(row) == width >= 4 and _STAMP.match(row[1])]
    if not rows:
        raise ReadError("there is no row with a time under the headings", path=path, line=start + 1, format=FORMAT.name)
    units = units + [""] * (width - len(units))
    told = [named(name, unit) for name, unit in zip(cells[0][3:], units[3:width], strict=True)]
    names = distinct([name or f"column {at}" for at, (name, _) in enumerate(told, start=4)])
    units = [unit for _, unit in told]
    lost = len([row for row in cells[1:] if any(row)]) - len(rows) - 2
    return RawTable(
        path=path,
        format=FORMAT.name,
        names=["time", "comment", *names],
        columns=[pa.array([row[at] for row in rows]) for at in (1, 2, *range(3, width))],
        # The heading of the times tells their order.
        unit_texts=[cells[0][1], "", *units],
        unit_source="file",
        preamble=lines[:start],
        metadata={"encoding": encoding, "stamps": "instant (not told by the file)", "model": "Greenspan"},
        notes=[f"{lost} lines have no time and are left out"] if lost > 0 else [],
        called=called(names, units),
        beside=["comment"],
    )


def _sniff(_path: Path, head: bytes) -> float:
    is_one = b"Greenspan data converter" in head[:1000] or re.search(rb"^Column Heading,dd/mm", head, re.MULTILINE)
    return 0.97 if is_one else 0.0


FORMAT = FormatInfo(
    name="greenspan_csv", title="Greenspan data converter (CSV)", suffixes=(".csv",), sniff=_sniff, read=read
)
