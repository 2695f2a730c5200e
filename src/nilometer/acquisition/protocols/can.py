"""CAN as ``nilometer decode`` knows it: lines of frames to frames, or by a DBC database to signals; does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.can_dbc import CanDatabase
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.can_lines import Lines
from nilometer.acquisition.protocols.can_reading import decoded
from nilometer.acquisition.protocols.j1939_groups import iso
from nilometer.acquisition.protocols.nmea2000_text import said_in
from nilometer.errors import FrameError

__all__ = ["DECODER", "CanDecoder"]


class CanDecoder:
    """Lines of frames to frames or signals; meets `nilometer.acquisition.decoding.Decoder`.

    Parameters
    ----------
    database : CanDatabase, optional
        Gives signals in place of frames; what it does not know stays a frame.
    """

    def __init__(self, database: CanDatabase | None = None) -> None:
        self._lines, self._database = Lines(), database

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take the next bytes and return what became whole."""
        return self._decode(self._lines.feed(data))

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what is left."""
        return self._decode(self._lines.close())

    def _decode(self, lines: Iterable[tuple[int, str] | BadFrame]) -> Iterator[DecodedValue | BadFrame]:
        found: list[DecodedValue | BadFrame] = []
        for line in lines:
            if isinstance(line, BadFrame):
                found.append(line)
                continue
            at, text = line
            if text.startswith("#"):
                continue
            try:
                frame, time = _frame(text)
            except FrameError as error:
                found.append(BadFrame(error=str(error), offset=at, frame=text[:64].encode()))
                continue
            found += self._values(frame, time)
        return iter(found)

    def _values(self, frame: CanFrame, time: int | None) -> list[DecodedValue]:
        more: dict[str, object] = {"id": f"{frame.identifier:X}", "extended": frame.extended}
        more |= {"bus": frame.bus} if frame.bus else {}
        readings = self._database.decode(frame) if self._database is not None else []
        if readings:
            return [decoded(one, iso(time), more) for one in readings]
        kind = "remote" if frame.remote else "error" if frame.error else "frame"
        return [DecodedValue(parameter=kind, value=frame.data.hex(), time=iso(time), more=more)]


def _frame(text: str) -> tuple[CanFrame, int | None]:
    said, time = said_in(text)
    if not isinstance(said, CanFrame):
        raise FrameError("a message of NMEA 2000, no frame: decode nmea2000", frame=text[:64].encode())
    return said, time


def _make(database: str | None) -> CanDecoder:
    if database is None:
        return CanDecoder()
    from nilometer.acquisition.can_database import load  # noqa: PLC0415 -- a codec opens no file; its caller named one

    return CanDecoder(load(database))


DECODER = DecoderInfo(
    name="can", title="CAN frames in lines of candump; --instrument FILE.dbc gives signals", make=_make
)
