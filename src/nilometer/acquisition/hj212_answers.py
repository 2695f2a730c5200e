"""What the receiving side of HJ 212 says: answers to uploads and notices, and its own requests; does no I/O.

References
----------
HJ 212-2017 sections 6.1, 6.2 and Tables 7, 9; Appendix C.1, C.3, C.5, C.14, C.47 to C.50.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from nilometer.acquisition.protocols.hj212 import Message, encode_frame

__all__ = ["Edition", "Kind", "answer", "edition_bits", "kind_of", "outcome", "request"]

Edition = str
_BITS: Mapping[str, int] = {"2005": 0, "2017": 4, "2025": 8}
SYSTEM_INTERACTION = "91"


class Kind(Enum):
    """What a message of a station is, by its command."""

    UPLOAD = "upload"  # answered by 9014 when it is durable
    HEARTBEAT = "heartbeat"  # answered by 9014 at once
    NOTICE = "notice"  # answered by 9013
    RESPONSE = "response"  # 9011 to 9014: an answer to us, never answered
    UNKNOWN = "unknown"


_NOTICES = frozenset({"1013"})
_RESPONSES = frozenset({"9011", "9012", "9013", "9014"})


def kind_of(message: Message) -> Kind:
    """Return what a station's message is."""
    command = message.command
    if command == "9015":
        return Kind.HEARTBEAT
    if command in _RESPONSES:
        return Kind.RESPONSE
    if command in _NOTICES:
        return Kind.NOTICE
    return Kind.UPLOAD if command[:1] in {"1", "2", "3"} else Kind.UNKNOWN


def edition_bits(edition: Edition) -> int:
    """Return the version bits of Flag."""
    return _BITS[edition]


def answer(message: Message, command: str, edition: Edition, fields: Mapping[str, str] | None = None) -> bytes:
    """Return the frame that answers a message: its QN, ST 91, no answer wanted.

    Parameters
    ----------
    message : Message
        What is answered.
    command : str
        9013 for a notice, 9014 for an upload or a heartbeat.
    edition : str
        Gives the version bits.
    fields : mapping of str to str, optional
        The data area; empty as a rule.
    """
    header = {"QN": message.request} if message.request else {}
    header |= {"ST": SYSTEM_INTERACTION, "CN": command}
    header |= {name: message.header[name] for name in ("PW", "MN") if name in message.header}
    header["Flag"] = str(edition_bits(edition))
    return encode_frame(Message(header=header, fields=fields or {}).encode())


def request(
    message: Message, command: str, edition: Edition, number: Callable[[], str], fields: Mapping[str, str]
) -> tuple[str, bytes]:
    """Return the QN and the frame of a request to the station that sent a message; it wants 9011 and 9012.

    Parameters
    ----------
    message : Message
        Any message of the station: its ST, PW and MN are taken.
    command : str
        Such as 1012 (set time) or 1062 (set the real-time interval).
    edition : str
        Gives the version bits.
    number : callable
        Gives a fresh QN.
    fields : mapping of str to str
        The data area.
    """
    own = number()
    header = {"QN": own, "ST": message.system or SYSTEM_INTERACTION, "CN": command}
    header |= {name: message.header[name] for name in ("PW", "MN") if name in message.header}
    header["Flag"] = str(edition_bits(edition) | 1)
    return own, encode_frame(Message(header=header, fields=fields).encode())


_REQUEST_OUTCOMES = {
    "2": "refused",
    "3": "password wrong",
    "4": "MN wrong",
    "5": "ST wrong",
    "6": "Flag wrong",
    "7": "QN wrong",
    "8": "CN wrong",
    "9": "CRC wrong",
    "100": "unknown error",
}
_EXECUTION_OUTCOMES = {
    "2": "failed",
    "3": "bad condition",
    "4": "communication time-out",
    "5": "busy",
    "6": "system fault",
    "100": "no data",
}


def outcome(message: Message) -> str | None:
    """Return what went wrong with our request by a 9011 or 9012, or None where nothing did."""
    if message.command == "9011":
        code = message.fields.get("QnRtn", "")
        return None if code == "1" else _REQUEST_OUTCOMES.get(code, f"QnRtn {code!r}")
    if message.command == "9012":
        code = message.fields.get("ExeRtn", "")
        return None if code == "1" else _EXECUTION_OUTCOMES.get(code, f"ExeRtn {code!r}")
    return None
