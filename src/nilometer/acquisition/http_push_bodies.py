"""Bodies that devices post (JSON, CSV, Arrow) to what they say, record by record; a bad record spoils no other."""

from __future__ import annotations

import csv
import io
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import msgspec
import pyarrow as pa
from pydantic import Field, model_validator

from nilometer.acquisition.driver import DriverOptions
from nilometer.acquisition.mqtt_formats import ValueOptions
from nilometer.acquisition.protocols.json_mapping import JsonFormat, Mapped, at_path
from nilometer.acquisition.protocols.telemetry import Message, json_of
from nilometer.errors import FrameError

__all__ = ["MOST_REASONS", "PushedBody", "RouteOptions", "read_body"]

MOST_RECORDS = 100_000
MOST_REASONS = 100
MOST_COLUMNS = 2000
_KINDS = {
    "application/json": "json",
    "text/json": "json",
    "text/csv": "csv",
    "application/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
}


class RouteOptions(DriverOptions):
    """What is posted to a path, and how it is read."""

    path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$", max_length=200)] = "/"
    format: Literal["json", "csv", "arrow"] | None = None
    device: str = ""
    records: str = ""
    time: str = ""
    time_form: Literal["iso", "s", "ms", "us"] = "iso"
    time_zone: str | None = None
    values: dict[str, ValueOptions] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.format in {"csv", "arrow"} and (self.records or not self.time):
            raise ValueError("a table has a column of `time`, and no `records`")
        if self.time_zone is not None:
            try:
                zoneinfo.ZoneInfo(self.time_zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"time_zone = {self.time_zone!r} is no IANA zone, such as Europe/Berlin") from error
        return self

    def reader(self) -> JsonFormat:
        """Return what reads one record."""
        return JsonFormat(
            records=self.records,
            time=self.time,
            time_form=self.time_form,
            zone=zoneinfo.ZoneInfo(self.time_zone) if self.time_zone else None,
            device=self.device,
            values=tuple(
                Mapped(path, item.key or path, item.unit, item.property, item.missing)
                for path, item in self.values.items()
            ),
        )


@dataclass(slots=True)
class PushedBody:
    """What a body says: a message a record, and which records were refused, by number and reason."""

    messages: list[Message] = field(default_factory=list)
    refused: int = 0
    reasons: list[tuple[int, str]] = field(default_factory=list)

    def refuse(self, record: int, reason: str) -> None:
        """Note a record that is not taken; the first reasons are kept."""
        self.refused += 1
        if len(self.reasons) < MOST_REASONS:
            self.reasons.append((record, reason[:300]))


def read_body(options: RouteOptions, media_type: str, body: bytes) -> PushedBody:
    """Return what a body says.

    Parameters
    ----------
    options : RouteOptions
        Its route; without a `format` there the media type says which it is, and JSON is taken where that does not.
    media_type : str
        Of the request.
    body : bytes
        Unpacked.

    Raises
    ------
    FrameError
        If nothing of it can be read.
    """
    kind = options.format or _KINDS.get(media_type, "json")
    if kind != "json" and not options.time:
        raise FrameError(f"{kind}: this path has no `time` column configured")
    whole = json_of(body) if kind == "json" else None
    records = _of_json(options, whole) if kind == "json" else _of_csv(body) if kind == "csv" else _of_arrow(body)
    reader, found = options.reader(), PushedBody()
    for number, record in enumerate(records, 1):
        if number > MOST_RECORDS:
            raise FrameError(f"more than {MOST_RECORDS} records; send them in parts")
        try:
            found.messages.append(_message(reader, options, record, whole))
        except FrameError as error:
            found.refuse(number, str(error))
    if not found.messages and not found.refused:
        raise FrameError("the body has no records")
    return found


def _message(reader: JsonFormat, options: RouteOptions, record: object, whole: object) -> Message:
    message = reader.record(record, whole)
    if message.problems:
        # Its time cannot be read. Beside others of the same body, the moment of arrival would be one of nothing.
        raise FrameError(message.problems[0])
    if options.time and any(said.time is None for said in message.values):
        raise FrameError(f"time: none at {options.time}")
    if not message.values:
        raise FrameError("values: none of those that are mapped, or no number at all")
    return message


def _of_json(options: RouteOptions, whole: object) -> list[Any]:
    found = at_path(whole, options.records) if options.records else whole
    if found is None:
        raise FrameError(f"records: none at {options.records or 'the top'}")
    return found if isinstance(found, list) else [found]


def _of_csv(body: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FrameError(f"csv: not UTF-8 at byte {error.start}", frame=body[:256], offset=error.start) from None
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(rows, [])]
        if len(names) < 2 or len(set(names)) < len(names) or len(names) > MOST_COLUMNS:
            raise FrameError(f"csv: the first line has to name two columns or more, each once: {head[:200]!r}")
        for row in rows:
            if row:
                yield {name: _cell(cell, delimiter) for name, cell in zip(names, row, strict=False)}
    except csv.Error as error:
        raise FrameError(f"csv: line {rows.line_num}: {error}") from None


def _cell(cell: str, delimiter: str) -> Any:  # noqa: ANN401 -- a number, a text, or nothing
    text = cell.strip()
    if not text:
        return None
    try:
        # Where commas do not part the cells, they part the decimals.
        return float(text if delimiter == "," else text.replace(",", "."))
    except ValueError:
        return text


def _of_arrow(body: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        with pa.ipc.open_stream(body) as stream:
            if len(stream.schema) > MOST_COLUMNS:
                raise FrameError(f"arrow: more than {MOST_COLUMNS} columns")
            for batch in stream:
                if batch.num_rows > MOST_RECORDS:
                    raise FrameError(f"more than {MOST_RECORDS} records; send them in parts")
                batch.validate(full=True)
                for record in batch.to_pylist():
                    # Times, decimals and NaN in JSON's own types.
                    yield msgspec.to_builtins(record, str_keys=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, NotImplementedError) as error:
        raise FrameError(f"arrow: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None
