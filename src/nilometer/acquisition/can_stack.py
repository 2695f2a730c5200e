"""What stands above the frames of one bus: databases, J1939 and NMEA 2000 groups, OBD-II; does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nilometer.acquisition.protocols.can_dbc import CanDatabase
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.can_reading import CanReading
from nilometer.acquisition.protocols.j1939_groups import Group
from nilometer.acquisition.protocols.j1939_transport import Message
from nilometer.acquisition.protocols.nmea2000 import Assembler, decode_message
from nilometer.acquisition.protocols.obd2 import Obd2Answers, answered_by

__all__ = ["CanStack", "Heard"]


@dataclass(slots=True)
class Heard:
    """What one frame or message says: readings, who sent them, their own time, and a position."""

    readings: list[CanReading]
    source: int = -1
    time: int | None = None
    position: tuple[float, float] | None = None
    is_answer: bool = False


@dataclass(slots=True)
class CanStack:
    """The layers that a source was given.

    Parameters
    ----------
    databases : sequence of CanDatabase
        The first that knows a frame decodes it.
    known : mapping of int to Group
        Parameter groups; empty: no frame is taken for one.
    obd2 : Obd2Answers, optional
        Takes answers of control units.
    wanted : callable
        Says whether a group is wanted, by number and source.
    """

    databases: Sequence[CanDatabase] = ()
    known: Mapping[int, Group] = field(default_factory=dict)
    obd2: Obd2Answers | None = None
    wanted: Callable[[int, int], bool] = lambda _pgn, _source: True
    _messages: Assembler | None = None

    def take(self, said: CanFrame | Message) -> Heard | None:
        """Take a frame, or a whole message; None: nothing of it is known, or it is part of a longer one.

        Raises
        ------
        FrameError
            If part of a long message is missing, or an answer is a refusal.
        """
        if isinstance(said, Message):
            return self._message(said)
        if said.remote or said.error:
            return None
        for database in self.databases:
            readings = database.decode(said)
            if readings:
                named = [one._replace(observed_property=one.parameter) for one in readings]
                return Heard(named, said.identifier & 0xFF if said.extended else -1)
        if self.obd2 is not None and answered_by(said):
            return Heard(self.obd2.take(said), said.identifier & 0xFF, is_answer=True)
        if not self.known:
            return None
        if self._messages is None:
            self._messages = Assembler(self.known)
        message = self._messages.take(said)
        return None if message is None else self._message(message)

    def _message(self, message: Message) -> Heard | None:
        if not self.wanted(message.pgn, message.source):
            return None
        content = decode_message(message, self.known)
        # What a sender simulates passes for nothing that was measured.
        if content is None or content.mode == "simulator":
            return None
        aside = {one.parameter: one.value for one in content.aside}
        latitude, longitude = aside.get("latitude"), aside.get("longitude")
        heard = Heard(content.readings, message.source)
        if isinstance(latitude, float) and isinstance(longitude, float):
            heard.position = (latitude, longitude)
        if content.group.name.endswith("_station"):
            heard.time = content.time
        return heard
