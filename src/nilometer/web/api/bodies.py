"""Bodies of a bulk write, in CSV, Arrow or JSON, as columns; pure: no catalog and no pipeline."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
from numpy.typing import NDArray

from nilometer.errors import RequestError, TooLarge, WrongMediaType, near

__all__ = ["COLUMNS", "MEDIA_TYPES", "REQUIRED", "Body", "read_body"]

REQUIRED = ("datastream", "phenomenon_time", "result")
COLUMNS = (
    *REQUIRED,
    "duration_s",
    "result_time",
    "censored",
    "mark",
    "sample",
    "depth",
    "latitude",
    "longitude",
    "parameters",
)
ARROW = "application/vnd.apache.arrow.stream"
MEDIA_TYPES = ("text/csv", ARROW, "application/json")
MOST_ROWS = 20_000_000
_TEXTS = frozenset({"mark", "sample", "parameters"})


@dataclass(slots=True)
class Body:
    """What a body holds.

    Parameters
    ----------
    columns : dict of str to pyarrow array
        By name, all of one length.
    broken : dict of int to str
        Rows that could not be split into columns, by their number from 0, with the reason; they are not in `columns`.
    n : int
        Rows in the body, the broken ones among them.
    """

    columns: dict[str, Any]
    broken: dict[int, str]
    n: int

    def rows(self) -> NDArray[np.int64]:
        """Return the number in the body of each row of `columns`."""
        every = np.arange(self.n)
        return np.delete(every, np.fromiter(self.broken, np.int64, len(self.broken))) if self.broken else every


def read_body(body: bytes, media_type: str) -> Body:
    """Return the columns of a body.

    Parameters
    ----------
    body : bytes
        As it was sent.
    media_type : str
        One of `MEDIA_TYPES`.

    Raises
    ------
    WrongMediaType
        If it is another.
    RequestError
        If the body as a whole cannot be read: the place is a line, a byte, a column or a JSON path.
    """
    readers = {
        "text/csv": _csv,
        ARROW: _arrow,
        "application/vnd.apache.arrow.file": _arrow,
        "application/json": _json,
    }
    if media_type not in readers:
        raise WrongMediaType(
            f"{media_type[:60] or 'no content-type'!r} is not read (allowed: {', '.join(MEDIA_TYPES)})"
        )
    if not body:
        raise RequestError("the body is empty", place="byte 0")
    return readers[media_type](body)


def _check_names(names: list[str], place: str) -> None:
    for name in names:
        if name not in COLUMNS:
            close = near(name, COLUMNS)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise RequestError(f"unknown column {name[:60]!r}{hint} (allowed: {', '.join(COLUMNS)})", place=place)
        if names.count(name) > 1:
            raise RequestError(f"column {name!r} comes twice", place=place)
    for name in REQUIRED:
        if name not in names:
            raise RequestError(f"column {name!r} is missing (required: {', '.join(REQUIRED)})", place=place)


def _csv(body: bytes) -> Body:
    try:
        head = body[: body.find(b"\n") + 1 or len(body)].decode("utf-8-sig")
        names = next(csv.reader(io.StringIO(head)), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"the header cannot be read: {error}", place="line 1") from error
    _check_names(names, "line 1")
    try:
        table = _read_csv(body, _types(names, strict=True))
        return _of_table(table, {})
    except pa.ArrowInvalid:
        return _csv_with_faults(body, names)


def _types(names: list[str], *, strict: bool) -> dict[str, Any]:
    types: dict[str, Any] = dict.fromkeys(names, pa.string())
    if strict:
        types |= dict.fromkeys((name for name in names if name not in _TEXTS), pa.float64())
        types |= {"datastream": pa.dictionary(pa.int32(), pa.string())}
        types |= {name: pa.timestamp("us", tz="UTC") for name in names if name.endswith("_time")}
    return types


def _read_csv(body: bytes, types: dict[str, Any], **parsing: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    strings_can_be_null = all(kind != pa.string() for name, kind in types.items() if name in REQUIRED)
    return pyarrow.csv.read_csv(
        io.BytesIO(body),
        read_options=pyarrow.csv.ReadOptions(use_threads=not parsing, block_size=max(1 << 20, _longest(body))),
        parse_options=pyarrow.csv.ParseOptions(**parsing),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            strings_can_be_null=strings_can_be_null,
            null_values=["", "NaN", "nan", "NA", "null"],
        ),
    )


def _longest(body: bytes) -> int:
    """Return a block that holds the header line, however long."""
    return min(body.find(b"\n") + 2, 1 << 24)


def _csv_with_faults(body: bytes, names: list[str]) -> Body:
    """Read everything as text, and set aside the rows that do not have the header's number of cells."""
    broken: dict[int, str] = {}

    def set_aside(row: Any) -> str:  # noqa: ANN401 -- pyarrow has no types
        broken[row.number - 2] = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        return "skip"

    try:
        table = _read_csv(body, _types(names, strict=False), invalid_row_handler=set_aside)
    except pa.ArrowInvalid as error:
        raise RequestError(f"the CSV cannot be read: {error}", place=_bad_byte(body)) from error
    return _of_table(table, broken)


def _bad_byte(body: bytes) -> str:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start}: not UTF-8"
    return "line 1"


def _of_table(table: Any, broken: dict[int, str]) -> Body:  # noqa: ANN401 -- pyarrow has no types
    columns = {name: table.column(name) for name in table.schema.names}
    return Body(columns, broken, table.num_rows + len(broken))


def _arrow(body: bytes) -> Body:
    source = pa.BufferReader(body)
    try:
        reader = pyarrow.ipc.open_file(source) if body.startswith(b"ARROW1") else pyarrow.ipc.open_stream(source)
        _check_names(list(reader.schema.names), "schema")
        table = pa.Table.from_batches(list(_bounded(reader)), reader.schema)
        table.validate(full=True)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise RequestError(f"this is no sound Arrow stream: {error}", place="Arrow stream") from error
    return _of_table(table, {})


def _bounded(reader: Any) -> Iterator[Any]:  # noqa: ANN401 -- pyarrow has no types
    """Give the batches, and stop where the rows become too many: a compressed stream may be small and hold billions."""
    rows = 0
    batches = (
        (reader.get_batch(index) for index in range(reader.num_record_batches))
        if isinstance(reader, pyarrow.ipc.RecordBatchFileReader)
        else reader
    )
    for batch in batches:
        rows += batch.num_rows
        if rows > MOST_ROWS:
            raise TooLarge(f"more than {MOST_ROWS} rows; send them in parts", place=f"row {MOST_ROWS}")
        yield batch


_json_document = msgspec.json.Decoder()


class _Texts(msgspec.Struct, forbid_unknown_fields=True):
    """The columns as they nearly always are; anything else takes the slow way, cell by cell."""

    datastream: list[str]
    phenomenon_time: list[str]
    result: list[float | None]


_json_texts = msgspec.json.Decoder(_Texts)


def _json(body: bytes) -> Body:
    try:
        found = _json_columns(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"this is no JSON: {error}", place=_json_place(body, error)) from error
    lengths = {name: len(cells) for name, cells in found.items()}
    if len(set(lengths.values())) > 1:
        raise RequestError(f"the columns have unlike lengths: {lengths}", place="$")
    columns = {name: _json_column(name, cells) for name, cells in found.items()}
    return Body(columns, {}, lengths["result"])


def _json_columns(body: bytes) -> dict[str, list[Any]]:
    try:
        typed = _json_texts.decode(body)
    except msgspec.ValidationError:
        return _json_cells(_json_document.decode(body))
    return {name: getattr(typed, name) for name in REQUIRED}


def _json_place(body: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}"
    text = str(error)
    return text[text.find("(byte") + 1 : -1] if "(byte" in text else f"byte {len(body)}"


def _json_cells(document: Any) -> dict[str, list[Any]]:  # noqa: ANN401 -- any JSON
    if not isinstance(document, dict):
        raise RequestError('expected an object of columns: {"datastream": […], …}', place="$")
    _check_names(list(document), "$")
    for name, cells in document.items():
        if not isinstance(cells, list):
            raise RequestError(f"expected an array, found {type(cells).__name__}", place=f"$.{name}")
    return document


def _json_column(name: str, cells: list[Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return a column of one type; of mixed cells, each as text, so that only the bad ones are refused."""
    try:
        if name == "result":
            return pa.array(cells, pa.float64())
        return pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([cell if cell is None else _cell_text(cell) for cell in cells], pa.string())


def _cell_text(cell: Any) -> str:  # noqa: ANN401 -- any JSON
    if isinstance(cell, str):
        return cell
    return msgspec.json.encode(cell).decode()
