"""Delimited text: CSV and its kin, with whatever stands above, between and beside the values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.shape import LINES, Shape, shape_of
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "raw_table", "raw_table_of", "read"]


# A quote that opens a cell and is not closed on its line; what follows it up to the line's end after the closing one.
_OPEN = re.compile(rb'(?:^|[,;\t|])[ ]*"(?:[^"]|"")*$')
_CLOSED = re.compile(rb'\n(?:[^"]|""){0,2000}"(?=[ ]*(?:[,;\t|]|\n|$))[^\n]*')


@dataclass(slots=True)
class _Skipped:
    """Rows that have not as many cells as the table."""

    count: int = 0
    example: str = ""
    cells: set[int] = field(default_factory=set)

    def __call__(self, row: Any) -> str:  # noqa: ANN401 -- pyarrow has no types
        self.count += 1
        self.cells.add(row.actual_columns)
        if not self.example and row.text:
            self.example = row.text[:80]
        return "skip"


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a delimited text file.

    Raises
    ------
    ReadError
        If it is no text, has no table, no rows, or no column of times.
    """
    return recording_of(raw_table_of(path, FORMAT.name), wishes)


def raw_table_of(path: Path, format_name: str) -> RawTable:
    """Return the table that stands in a file of delimited text; see `raw_table`."""
    data, encoding = opening.text_of(path)
    return raw_table(data, path, format_name, encoding)


def raw_table(data: bytes, path: Path, format_name: str, encoding: str = "utf-8") -> RawTable:
    """Return the table that stands in delimited text.

    Parameters
    ----------
    data : bytes
        UTF-8 with LF line ends.
    path : Path
        For messages.
    format_name : str
        The format it is read as.
    encoding : str
        What it was written in, for the metadata.

    Raises
    ------
    ReadError
        If no table is seen, or most of its rows have another number of cells.
    """
    lines = _first_lines(data)
    shape = shape_of(lines, path)
    held = any("\n" in line for line in lines)
    # In lines of the file, of which a line held together by quotes is several.
    shape = replace(shape, first_row=sum(line.count("\n") + 1 for line in lines[: shape.first_row]))
    table, skipped = _table(data, shape, path, held=held)
    notes = []
    if skipped.count:
        if skipped.count > table.num_rows:
            line = _line_of(data, skipped.example)
            raise ReadError(
                f"{skipped.count} of {skipped.count + table.num_rows} rows have not the {len(shape.names)} cells "
                f"of the table (cells are separated by {shape.delimiter!r}), such as {skipped.example!r}",
                path=path,
                line=line,
                format=format_name,
            )
        plural = "rows were" if skipped.count > 1 else "row was"
        notes.append(
            f"{skipped.count} {plural} left out, having not {len(shape.names)} cells, the first in line "
            f"{_line_of(data, skipped.example)}: {skipped.example!r}"
        )
    return RawTable(
        path=path,
        format=format_name,
        names=shape.names,
        columns=[table.column(at) for at in range(table.num_columns)],
        unit_texts=shape.units,
        preamble=shape.preamble,
        decimal=shape.decimal,
        first_line=shape.first_row + 1,
        metadata={
            "encoding": encoding,
            "delimiter": shape.delimiter,
            "decimal": shape.decimal,
        },
        notes=notes,
    )


def _first_lines(data: bytes) -> list[str]:
    """Return the first lines; those that quotes hold together are one, with its line ends."""
    lines: list[bytes] = []
    at = 0
    while len(lines) < LINES and at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        if _OPEN.search(data[at:end]):
            closed = _CLOSED.match(data, end)
            end = closed.end() if closed is not None else end
        lines.append(data[at:end])
        at = end + 1
    return [line.decode("utf-8", errors="replace") for line in lines]


def _table(data: bytes, shape: Shape, path: Path, *, held: bool) -> tuple[pa.Table, _Skipped]:
    at = 0
    for _ in range(shape.first_row):
        at = data.index(b"\n", at) + 1
    skipped = _Skipped()
    codes = [str(number) for number in range(len(shape.names))]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(memoryview(data)[at:]),
            read_options=pa.csv.ReadOptions(column_names=codes),
            parse_options=pa.csv.ParseOptions(
                delimiter=shape.delimiter, quote_char=shape.quote, invalid_row_handler=skipped, newlines_in_values=held
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(codes, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise ReadError(
            f"the table cannot be read: {error}", path=path, line=shape.first_row + 1, format="csv"
        ) from error
    return table, skipped


def _line_of(data: bytes, text: str) -> int | None:
    at = data.find(text.encode())
    return data.count(b"\n", 0, at) + 1 if text and at >= 0 else None


def _sniff(path: Path, head: bytes) -> float:
    suffix = opening.bare_suffix(path)
    try:
        data, _ = opening.as_utf8(head, path)
        shape_of(_complete(data, len(head)), path)
    except ReadError:
        return 0.2 if suffix in FORMAT.suffixes else 0.0
    return 0.7 if suffix in FORMAT.suffixes else 0.5


def _complete(data: bytes, size: int) -> Sequence[str]:
    lines = _first_lines(data)
    # The last line of a head may be cut.
    return lines[:-1] if size >= opening.HEAD and len(lines) > 1 else lines


FORMAT = FormatInfo(
    name="csv",
    title="Delimited text (CSV, TSV, semicolons)",
    suffixes=(".csv", ".tsv", ".txt", ".dat", ".tab"),
    sniff=_sniff,
    read=read,
)
