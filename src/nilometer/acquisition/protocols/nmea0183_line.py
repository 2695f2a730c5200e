r"""One NMEA 0183 sentence: its frame, its checksum, its fields; knows no sentence by name and does no I/O.

::

    ┌───┬────────┬──────────┬───┬────────┬───┬───┬────┬───────┐
    │ $ │ talker │ sentence │ , │ fields │ … │ * │ hh │ CR LF │
    └───┴────────┴──────────┴───┴────────┴───┴───┴────┴───────┘
      1     2         3                        1    2

``hh`` is the XOR of all bytes between ``$`` (or ``!``) and ``*``. ``$P`` and a maker's three letters start a
proprietary sentence, which has no talker. A tag block of IEC 61162-450 (``\s:…,c:…*hh\``) may stand before the ``$``.

References
----------
IEC 61162-1 (2016) section 7.2 and 7.3, NMEA 0183 4.11; IEC 61162-450 section 7 for the tag block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from nilometer.errors import ChecksumError, FrameError

__all__ = ["Sentence", "checksum", "encode", "parse"]

_ADDRESS = re.compile(r"[A-Z0-9]{3,15}")
_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_CONTROL = re.compile(rb"[^\x20-\x7e]")
_STRAY = re.compile(r"[,*$!\\\x00-\x1f\x7f-\U0010ffff]")


class Sentence(msgspec.Struct, frozen=True):
    """A sentence whose frame is right.

    `talker` is ``P`` where the sentence is proprietary, and `name` then the whole address (``PGRME``). `fields` are
    verbatim, a null field is an empty text. `checked` is False where the sender wrote no checksum. `offset` is where
    the sentence began in its stream.
    """

    talker: str
    name: str
    fields: tuple[str, ...]
    checked: bool = True
    tag: Mapping[str, str] = msgspec.field(default_factory=dict)
    text: str = ""
    offset: int = 0

    def field(self, number: int) -> str:
        """Return field `number`, counted from 1 as the standard counts; empty where the sentence is shorter."""
        return self.fields[number - 1].strip() if number <= len(self.fields) else ""


def checksum(body: bytes) -> int:
    """Return the XOR of the bytes between ``$`` and ``*``.

    Examples
    --------
    >>> f"{checksum(b'YXMTW,15.2,C'):02X}"
    '14'
    """
    result = 0
    for byte in body:
        result ^= byte
    return result


def encode(talker: str, name: str, fields: Sequence[str]) -> bytes:
    r"""Return the bytes of a sentence, with checksum and CR LF.

    Parameters
    ----------
    talker : str
        Two characters; ``P`` for a proprietary sentence, whose `name` is then the whole address.
    name : str
        Such as ``MTW``, or ``PGRME``.
    fields : sequence of str
        Verbatim; a null field is an empty text.

    Raises
    ------
    ValueError
        If a part holds a character that the frame reserves.

    Examples
    --------
    >>> encode("YX", "MTW", ["15.2", "C"])
    b'$YXMTW,15.2,C*14\r\n'
    """
    parts = [name if talker == "P" else talker + name, *fields]
    for part in parts:
        if _STRAY.search(part):
            raise ValueError(f"{part!r} holds a character that NMEA 0183 reserves")
    body = ",".join(parts).encode("ascii")
    return b"$%s*%02X\r\n" % (body, checksum(body))


def parse(line: bytes, *, offset: int = 0, require_checksum: bool = False) -> Sentence:
    """Take a sentence apart.

    Parameters
    ----------
    line : bytes
        From the ``$``, ``!`` or the tag block's backslash on; the line end may be there or not.
    offset : int
        Where the line began, for the error.
    require_checksum : bool
        Refuse a sentence without one.

    Raises
    ------
    ChecksumError
        If the checksum is not that of the bytes.
    FrameError
        If the frame is not one; the message starts with what is wrong, in one word: ``characters``, ``start``,
        ``checksum_format``, ``checksum_absent``, ``address``, ``tag_block``.
    """
    line = line.rstrip(b"\r\n")
    stray = _CONTROL.search(line)
    if stray:
        raise FrameError(f"characters: byte {stray[0][0]:#04x} inside a sentence", frame=line, offset=offset)
    text = line.decode("ascii")
    tag: Mapping[str, str] = {}
    body = text
    if body.startswith("\\"):
        tag_text, closed, body = body[1:].partition("\\")
        if not closed:
            raise FrameError("tag_block: not closed", frame=line, offset=offset)
        tag = _tag_block(tag_text, line, offset)
    if not body.startswith(("$", "!")):
        raise FrameError("start: no $ or !", frame=line, offset=offset)
    content, star, sent = body[1:].partition("*")
    checked = bool(star)
    if checked:
        _verify(content, sent.rstrip(" "), line, offset)
    elif require_checksum:
        raise FrameError("checksum_absent: this source has to send one", frame=line, offset=offset)
    address, *fields = content.split(",")
    if not _ADDRESS.fullmatch(address):
        raise FrameError(f"address: {address!r}", frame=line, offset=offset)
    talker, name = _names(address)
    return Sentence(talker, name, tuple(fields), checked=checked, tag=tag, text=body, offset=offset)


def _names(address: str) -> tuple[str, str]:
    if address.startswith("P"):
        return "P", address
    return (address[:2], address[2:]) if len(address) == 5 else ("", address)


def _verify(content: str, sent: str, line: bytes, offset: int) -> None:
    if not _HEX.fullmatch(sent):
        raise FrameError(f"checksum_format: {sent!r} is not two hex digits", frame=line, offset=offset)
    computed = checksum(content.encode("ascii"))
    if int(sent, 16) != computed:
        raise ChecksumError(f"checksum_mismatch: sent {sent}, computed {computed:02X}", frame=line, offset=offset)


def _tag_block(text: str, line: bytes, offset: int) -> dict[str, str]:
    content, star, sent = text.partition("*")
    if not star:
        raise FrameError("tag_block: no checksum", frame=line, offset=offset)
    _verify(content, sent, line, offset)
    pairs = (part.partition(":") for part in content.split(","))
    return {name: value for name, _, value in pairs}
