"""NMEA 2000 and J1939: frames or messages to quantities; does no I/O.

The identifier is drawn in `j1939_id`, long messages in `nmea2000_fast` and `j1939_transport`, the groups stand in
``nmea2000_groups.toml`` and ``j1939_groups.toml``, the text forms of gateways in `nmea2000_text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.can_lines import Lines
from nilometer.acquisition.protocols.can_reading import decoded
from nilometer.acquisition.protocols.j1939_groups import Content, Family, Group, groups, iso
from nilometer.acquisition.protocols.j1939_id import split_identifier
from nilometer.acquisition.protocols.j1939_transport import CONNECTION, DATA, Message, TransportProtocol
from nilometer.acquisition.protocols.nmea2000_fast import FastPackets
from nilometer.acquisition.protocols.nmea2000_text import said_in
from nilometer.errors import FrameError

__all__ = ["CLOCKS", "DECODER", "Assembler", "GroupDecoder", "decode_message"]

CLOCKS = (126992, 129029, 129033)
"""Groups that tell the time of the bus: system time, GNSS position, time and date."""


class Assembler:
    """Frames of one bus to whole messages.

    Parameters
    ----------
    known : mapping of int to Group
        The groups: those marked fast come in fast packets.
    """

    def __init__(self, known: Mapping[int, Group]) -> None:
        self._known = known
        self._fast, self._transport = FastPackets(), TransportProtocol()

    def take(self, frame: CanFrame) -> Message | None:
        """Take a frame; return the message that is whole with it, None for part of one or a frame that bears none.

        Raises
        ------
        FrameError
            If part of a long message is missing.
        """
        if not frame.extended or frame.remote or frame.error:
            return None
        told = split_identifier(frame.identifier)
        if told.pgn in (CONNECTION, DATA):
            return self._transport.take(told, frame.data)
        group = self._known.get(told.pgn)
        if group is not None and group.fast:
            return self._fast.take(told, frame.data)
        return Message(told.pgn, told.source, told.destination, told.priority, frame.data)


def decode_message(message: Message, known: Mapping[int, Group]) -> Content | None:
    """Return what a message says; None where its group is not in the tables.

    Examples
    --------
    >>> said = decode_message(Message(130310, 35, 255, 5, bytes.fromhex("ff8b72ffffffffff")), groups("nmea2000"))
    >>> said.readings[0].value
    20.08
    """
    group = known.get(message.pgn)
    return None if group is None else group.decode(message.data)


class GroupDecoder:
    """Lines of frames or messages to values; meets `nilometer.acquisition.decoding.Decoder`.

    A message of an unknown group is kept as it is: parameter ``message``, its bytes as the value.

    Parameters
    ----------
    families : str
        Whose groups are read.
    """

    def __init__(self, *families: Family) -> None:
        self._known = {pgn: group for family in families for pgn, group in groups(family).items()}
        self._lines, self._messages = Lines(), Assembler(self._known)

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
                said, time = said_in(text)
                message = self._messages.take(said) if isinstance(said, CanFrame) else said
            except FrameError as error:
                found.append(BadFrame(error=str(error), offset=at, frame=text[:64].encode()))
                continue
            if message is not None:
                found += self._values(message, time)
        return iter(found)

    def _values(self, message: Message, time: int | None) -> list[DecodedValue | BadFrame]:
        more: dict[str, object] = {"pgn": message.pgn, "source": message.source, "destination": message.destination}
        said = decode_message(message, self._known)
        if said is None:
            return [DecodedValue(parameter="message", value=message.data.hex(), time=iso(time), more=more)]
        more["group"] = said.group.name
        more |= {"instance": said.instance} if said.instance else {}
        more |= said.kinds
        own = iso(said.time if said.time is not None else time)
        values: list[DecodedValue | BadFrame] = [decoded(one, own, more) for one in (*said.readings, *said.aside)]
        if said.time is not None and message.pgn in CLOCKS:
            values.append(DecodedValue(parameter="time", value=own, time=own, more=more))
        return values


DECODER = DecoderInfo(
    name="nmea2000",
    title="NMEA 2000 in lines of candump, Yacht Devices RAW, Actisense N2K ASCII or canboat",
    make=lambda _instrument: GroupDecoder("nmea2000"),
)
