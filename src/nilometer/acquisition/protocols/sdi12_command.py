"""SDI-12 commands: what a recorder says.

A command is an address, a body and ``!``; nothing else ends it::

    ┌─────────┬───────────────┬───┐
    │ address │ body          │ ! │     0M!   1CC2!   aD0!   ?!   3A1!   0HA!   0DB12!   0IM_001!   0XPR0!
    └─────────┴───────────────┴───┘

References
----------
SDI-12 specification 1.4 (2019), sections 4.3, 4.4, 5 and 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from nilometer.errors import FrameError

__all__ = ["ADDRESSES", "Command", "Kind", "command", "start_command"]

ADDRESSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Every address a sensor can have."""


class Kind(StrEnum):
    """What a command asks for, and so what its answer looks like."""

    ACKNOWLEDGE = "acknowledge"
    QUERY = "query"
    CHANGE = "change"
    IDENTIFY = "identify"
    START = "start"
    DATA = "data"
    BINARY = "binary"
    CONTINUOUS = "continuous"
    ABOUT = "about"
    PARAMETER = "parameter"
    EXTENDED = "extended"


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Parameters
    ----------
    address : str
        One character; ``?`` asks whoever is there.
    body : str
        What stands between the address and ``!``: ``M``, ``CC2``, ``D0``; empty for acknowledge.
    kind : Kind
        What it asks for.
    has_crc : bool
        A data answer, of this command or of the measurement that it starts, bears a check value.
    digits : int
        How many digits of the answer to a start are the number of values: 1 for M and V, 2 for C, 3 for H.
    page : int
        The page that D or DB asks for.
    """

    address: str
    body: str
    kind: Kind
    has_crc: bool = False
    digits: int = 1
    page: int = 0

    @property
    def wire(self) -> bytes:
        """Return its bytes."""
        return f"{self.address}{self.body}!".encode("ascii")

    @property
    def is_concurrent(self) -> bool:
        """Return whether other sensors may be used while this one measures, which then sends no service request."""
        return self.kind is Kind.START and self.body[0] in "CH"

    @property
    def is_binary(self) -> bool:
        """Return whether its values come in binary pages."""
        return self.body == "HB" or self.kind is Kind.BINARY


_STARTS = r"(?:[MC]C?[1-9]?|V|H[AB])"
_BODIES: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        ("", Kind.ACKNOWLEDGE),
        ("I", Kind.IDENTIFY),
        ("A[0-9A-Za-z]", Kind.CHANGE),
        (_STARTS, Kind.START),
        ("D[0-9]{1,3}", Kind.DATA),
        ("DB[0-9]{1,3}", Kind.BINARY),
        ("RC?[0-9]", Kind.CONTINUOUS),
        (f"I(?:{_STARTS}|RC?[0-9])", Kind.ABOUT),
        (f"I(?:{_STARTS}|RC?[0-9])_[0-9]{{3}}", Kind.PARAMETER),
        (r"[ -~]{1,250}", Kind.EXTENDED),
    )
)


def command(text: str) -> Command:
    """Return a command from its text, with or without the ``!``.

    A body that the specification does not define counts as the maker's own, as X commands do: makers break the rule
    that theirs begin with X.

    Raises
    ------
    FrameError
        If the address is none, or the body holds what cannot be sent.

    Examples
    --------
    >>> command("0MC1!").kind.value, command("0MC1!").has_crc
    ('start', True)
    """
    frame = text.encode("latin-1", "replace")
    text = text.removesuffix("!")
    address, body = text[:1], text[1:]
    if not address or (address not in ADDRESSES and address not in "?*"):
        raise FrameError(f"address: {address!r} is no SDI-12 address (0-9, A-Z, a-z, or ? to ask)", frame=frame)
    if "!" in body:
        raise FrameError("command: ! stands only at the end", frame=frame)
    kind = next((kind for pattern, kind in _BODIES if pattern.fullmatch(body)), None)
    if kind is None:
        raise FrameError("characters: a command is at most 250 printable ASCII characters", frame=frame)
    if kind is Kind.ACKNOWLEDGE and address in "?*":
        return Command(address, body, Kind.QUERY)
    about = body.removeprefix("I") if kind is Kind.ABOUT else body
    page = int(re.sub("[^0-9]", "", body) or 0) if kind in {Kind.DATA, Kind.BINARY} else 0
    has_crc = kind in {Kind.START, Kind.CONTINUOUS, Kind.ABOUT} and (about[1:2] == "C" or about[:1] == "H")
    return Command(address, body, kind, has_crc, {"C": 2, "H": 3}.get(about[:1], 1), page)


def start_command(address: str, body: str, *, crc: bool) -> Command:
    """Return the command that starts a measurement, or reads a continuous sensor, with or without a check value.

    Parameters
    ----------
    address : str
        The sensor.
    body : str
        ``M``, ``M1`` … ``M9``, ``C``, ``C1`` … ``C9``, ``R0`` … ``R9``, ``V``, ``HA``, ``HB``, without the C of a CRC.
    crc : bool
        Ask for a check value where that is a choice: not for V, which has none, nor for HA and HB, which always do.

    Examples
    --------
    >>> start_command("0", "M1", crc=True).wire
    b'0MC1!'
    """
    return command(f"{address}{body[0]}C{body[1:]}" if crc and body[0] in "MCR" else f"{address}{body}")
