"""Excel and OpenDocument workbooks: the first sheet that holds a table, read as delimited text is.

Cells are taken as their values, dates as dates. Exports of Kor and HOBOware keep what stands above their tables.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from nilometer.acquisition.formats import exo, greenspan, greenspan_csv, hobo, opening
from nilometer.acquisition.formats.csv import raw_table
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

# Families whose files people open in a spreadsheet and save as a workbook.
_FAMILIES: tuple[Any, ...] = (greenspan, greenspan_csv)
_SURE = 0.9
_OLD = b"\xd0\xcf\x11\xe0"
# A sheet of a million rows of text is below it; a packed file that swells beyond is an attack, not a log.
MOST_BYTES = 2_000_000_000


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a workbook.

    Raises
    ------
    ReadError
        If it is damaged, protected, or no sheet of it holds a table with times.
    """
    data = opening.contents(path)
    _bounded(data, path)
    names, rows_of = _workbook(data, path)
    refused: list[str] = []
    for name in names:
        rows = _trimmed(rows_of(name))
        if not rows:
            continue
        try:
            raw = _table(rows, path)
            raw.metadata |= {"sheet": name}
            raw.first_line = None
            recording = recording_of(raw, wishes)
        except ReadError as error:
            refused.append(f"sheet {name!r}: {error.args[0] if error.args else error}")
            continue
        return recording
    why = "; ".join(refused) or "every sheet is empty"
    raise ReadError(f"no sheet holds a table with times ({why})", path=path, format=FORMAT.name)


def _table(rows: list[list[str]], path: Path) -> RawTable:
    """Return the table of a sheet: as its family's own files are read, where it is a copy of one."""
    width = max(map(len, rows))
    rows = [row + [""] * (width - len(row)) for row in rows]
    if width == 1:
        # A text file whose lines went into one column each.
        text = "\n".join(row[0] for row in rows).encode("utf-8", "replace")
    else:
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows(rows)
        text = written.getvalue().encode("utf-8", "replace")
    for family in _FAMILIES:
        if family.FORMAT.sniff(path, text[: opening.HEAD]) > _SURE:
            raw: RawTable = family.table_of(text, "utf-8", path)
            raw.format = FORMAT.name
            raw.metadata |= {"family": family.FORMAT.title}
            return raw
    if width > 1:
        text = "\n".join(map("\t".join, rows)).encode("utf-8", "replace")
    plain = raw_table(text, path, FORMAT.name)
    plain.metadata = {}
    head = text[:4096].decode("utf-8", "replace")
    if exo.is_exo(head):
        exo.describe(plain)
    elif hobo.is_hobo(head):
        hobo.describe(plain)
        plain.format = FORMAT.name
    return plain


def _workbook(data: bytes, path: Path) -> tuple[list[str], Any]:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    except (CalamineError, OSError, ValueError) as error:
        raise ReadError(
            f"no workbook, or a damaged or protected one: {error}", path=path, format=FORMAT.name
        ) from error

    def rows(name: str) -> list[list[Any]]:
        try:
            found: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
        except (CalamineError, OSError, ValueError) as error:
            raise ReadError(f"sheet {name!r} is damaged: {error}", path=path, format=FORMAT.name) from error
        return found

    return list(book.sheet_names), rows


def _bounded(data: bytes, path: Path) -> None:
    if not data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ReadError(f"the workbook is cut off or damaged: {error}", path=path, format=FORMAT.name) from error
    if size > MOST_BYTES:
        raise ReadError(f"it unpacks to {size} bytes: more than {MOST_BYTES}", path=path, format=FORMAT.name)


def _trimmed(rows: list[list[Any]]) -> list[list[str]]:
    """Return the cells as text, without empty ones at the end of a row and empty rows at the ends of the sheet."""
    told = []
    for row in rows:
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        told.append(cells)
    said = [at for at, cells in enumerate(told) if cells]
    return told[said[0] : said[-1] + 1] if said else []


def _cell(value: Any) -> str:  # noqa: ANN401 -- what a cell holds
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return " ".join(str(value).replace('"', "'").split())


def _sniff(path: Path, head: bytes) -> float:
    if head.startswith(b"PK\x03\x04") and (
        b"xl/" in head or b"[Content_Types].xml" in head or b"opendocument.spreadsheet" in head
    ):
        return 1.0
    if head.startswith(_OLD):
        return 0.9
    return 0.5 if head.startswith(b"PK\x03\x04") and opening.bare_suffix(path) in FORMAT.suffixes else 0.0


FORMAT = FormatInfo(
    name="xlsx",
    title="Excel and OpenDocument workbooks",
    suffixes=(".xlsx", ".xlsm", ".xls", ".ods"),
    sniff=_sniff,
    read=read,
)
