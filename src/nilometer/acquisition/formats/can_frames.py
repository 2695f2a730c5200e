"""Frames out of a capture, whatever wrote it: candump and gateway text here; ASC, BLF and TRC by python-can."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nilometer.acquisition.formats import opening
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.nmea2000_text import Timed, said_in
from nilometer.errors import ConfigError, FrameError, ReadError

__all__ = ["Capture", "Kind", "capture", "kind_of"]

Kind = Literal["text", "asc", "blf", "trc", "dbc"]
MOST_BYTES = 1 << 31
"""Of what a BLF unpacks to: a damaged or hostile one may claim any size."""

_OBJECT = struct.Struct("<4sHHII")
_HEADER = 144
_LEAST_YEAR = 946_684_800_000_000  # µs; a time before 2000 counts from somewhere else
_DBC = re.compile(rb"^VERSION \".*\"\s*$|^BO_ \d+ ", re.MULTILINE)
_ASC = re.compile(rb"^\s*(date\s.*\n\s*)?base\s+(hex|dec)\b", re.IGNORECASE)
_TRC = re.compile(rb"^;\$FILEVERSION=|^;#{10,}\s*\n;\s+\S+\.trc", re.IGNORECASE)
_BROKEN_PYTHON = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    OSError,
    EOFError,
)
_BROKEN = (*_BROKEN_PYTHON, struct.error, zlib.error)


@dataclass(slots=True)
class Capture:
    """What a capture holds, in its order."""

    said: list[Timed] = field(default_factory=list)
    bad: int = 0
    first_bad: str = ""
    is_absolute: bool = False
    zone_told: bool = True
    writer: str = "candump"

    def note(self, error: str) -> None:
        """Count a line that is no frame."""
        self.bad += 1
        self.first_bad = self.first_bad or error


def kind_of(head: bytes) -> Kind | None:
    """Return which kind of capture the first bytes of a file are of, or None."""
    if head.startswith(b"LOGG"):
        return "blf"
    if _TRC.match(head):
        return "trc"
    if _ASC.match(head):
        return "asc"
    lines = [line for line in head.splitlines()[:200] if line.strip() and not line.startswith(b"#")]
    whole = lines[:-1] if len(lines) > 1 and len(head) >= opening.HEAD else lines
    frames = sum(_is_frame(line) for line in whole)
    if whole and frames > 0.3 * len(whole):
        return "text"
    described = sum(bool(_DBC.match(line)) for line in lines)
    return "dbc" if lines and described > 0.02 * len(lines) and b"BO_ " in head else None


def _is_frame(line: bytes) -> bool:
    try:
        said_in(line.decode("latin-1"))
    except FrameError:
        return False
    return True


def capture(path: Path) -> Capture:
    """Return the frames of a capture.

    Raises
    ------
    ReadError
        If there is no frame in it, or it is damaged.
    ConfigError
        If it needs python-can, which is not installed.
    """
    kind = kind_of(opening.head(path)) or "text"
    data = opening.contents(path)
    found = _text(data) if kind in ("text", "dbc") else _by_library(data, kind, path)
    if not found.said:
        why = f": {found.bad} lines are none, the first: {found.first_bad}" if found.bad else ""
        raise ReadError(f"there is no CAN frame in it{why}", path=path, format="can_capture")
    times = [one.time for one in found.said if one.time is not None]
    found.is_absolute = bool(times) and min(times) >= _LEAST_YEAR
    return found


def _text(data: bytes) -> Capture:
    found = Capture()
    for line in data.decode("latin-1").replace("\r", "\n").split("\n"):
        text = line.strip(" \t\0")
        if not text or text.startswith("#"):
            continue
        try:
            found.said.append(said_in(text))
        except FrameError as error:
            found.note(str(error))
    return found


def _by_library(data: bytes, kind: Kind, path: Path) -> Capture:
    try:
        import can.io  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise ConfigError(
            f"a {kind.upper()} file", reason="python-can is not installed", allowed="pip install nilometer[can]"
        ) from error
    found = Capture(writer=kind.upper(), zone_told=kind == "blf")
    if kind == "blf":
        _check_blf(data, path)
    try:
        for message in _reader(can.io, data, kind):
            found.said.append(_timed(message, is_local=kind == "asc"))
    except (*_BROKEN, can.CanError, can.io.blf.BLFParseError) as error:
        # What came before the damage is sound.
        found.note(f"{kind.upper()} is damaged after {len(found.said)} frames: {type(error).__name__} {error}")
    if kind == "trc" and not found.bad:
        # python-can passes over lines that it does not understand.
        lines = sum(bool(line.strip()) and not line.lstrip().startswith(b";") for line in data.splitlines())
        found.bad, found.first_bad = lines - len(found.said), "no data frame of TRC"
    return found


def _reader(library: Any, data: bytes, kind: Kind) -> Iterable[Any]:  # noqa: ANN401 -- of python-can
    if kind == "blf":
        found: Iterable[Any] = library.BLFReader(io.BytesIO(data))
        return found
    text = io.StringIO(data.decode("latin-1"), newline=None)
    found = library.TRCReader(text) if kind == "trc" else library.ASCReader(text, relative_timestamp=False)
    return found  # noqa: RET504 -- gives it its type


def _timed(message: Any, *, is_local: bool) -> Timed:  # noqa: ANN401 -- of python-can
    time = round(float(message.timestamp) * 1e6)
    if is_local and time >= _LEAST_YEAR:
        # python-can takes the header's date as this machine's local time: put it back to what the file says.
        with contextlib.suppress(ValueError, OverflowError, OSError):
            said = dt.datetime.fromtimestamp(time / 1e6)  # noqa: DTZ006 -- undoes exactly that
            time = round(said.replace(tzinfo=dt.UTC).timestamp() * 1e6)
    frame = CanFrame(
        identifier=int(message.arbitration_id) & 0x1FFFFFFF,
        data=bytes(message.data),
        extended=bool(message.is_extended_id),
        time=time,
        bus="" if message.channel is None else str(message.channel),
        remote=bool(message.is_remote_frame),
        error=bool(message.is_error_frame),
        fd=bool(message.is_fd),
    )
    return Timed(frame, time)


def _check_blf(data: bytes, path: Path) -> None:
    """Refuse a BLF whose objects have no size, which python-can would read for ever, or unpack to any size."""
    room, inner = MOST_BYTES, bytearray()
    for place, size, kind in _objects(data, _HEADER, path):
        if kind != 10 or size < 32:
            continue
        body = data[place + 32 : place + size]
        if int.from_bytes(data[place + 16 : place + 18], "little") == 2:
            try:
                body = zlib.decompressobj().decompress(body, room)
            except zlib.error as error:
                raise ReadError(f"BLF is damaged: {error}", path=path, format="can_capture") from error
        room -= len(body)
        if room <= 0:
            raise ReadError("BLF unpacks to more than 2 GB", path=path, format="can_capture")
        inner += body
    for _ in _objects(bytes(inner), 0, path):
        pass


def _objects(data: bytes, start: int, path: Path) -> Iterator[tuple[int, int, int]]:
    at = start
    while at + _OBJECT.size <= len(data):
        at = data.find(b"LOBJ", at, at + 8)
        if at < 0 or at + _OBJECT.size > len(data):
            return
        _, _, _, size, kind = _OBJECT.unpack_from(data, at)
        if size < _OBJECT.size:
            raise ReadError(f"BLF is damaged: an object of {size} bytes at {at}", path=path, format="can_capture")
        yield at, size, kind
        at += size
