"""The data segment of HJ 212: header, fields and values; written by the standard, read as the field writes it.

::

    QN=…;ST=32;CN=2011;PW=…;MN=…;Flag=5;[PNUM=…;PNO=…;]CP=&&DataTime=…;w01018-Rtd=2.2,w01018-Flag=N;…&&

Slips that the standard itself prints and devices copy are read and named in `Message.tolerated`: ``separator`` (a
comma for a semicolon, or none), ``blanks``, ``unknown_code`` (an odd code inside one item), ``duplicate`` (one value
twice), ``encoding`` (not UTF-8), ``flag`` (a Flag that is no number), ``names`` (letters of the wrong case).

References
----------
HJ 212-2017 sections 6.3.2 and 6.3.3, Tables 3 to 8, Appendix C; what C prints wrong: C.2, C.14, C.19, C.22, C.23, C.29.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from nilometer.errors import FrameError

__all__ = ["Message", "Value", "parse_segment"]

_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?")
# A log's text stands between two double slashes and may hold any separator.
_ITEM = re.compile(r"(?:=//.*?//|[^;])+", re.DOTALL)
_PART = re.compile(r"(?:=//.*?//|[^,])+", re.DOTALL)
_SEPARATORS = {_ITEM: ";", _PART: ","}
_RESERVED = re.compile(r"[;,&#\r\n]|^\s|\s$|^$")
_HEADER = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO")
_NAMES = {name.casefold(): name for name in _HEADER}
_TEXTS = frozenset({"SN", "CompleteTime"})
_ASIDE = ("SampleTime", "Flag", "EFlag")


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a code: `flag` and `eflag` verbatim, `sample_time` as the wire has it."""

    code: str
    statistic: str
    value: float | str | None
    flag: str | None = None
    eflag: str | None = None
    sample_time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A data segment; `header` and `fields` are verbatim, in the order of the wire."""

    header: Mapping[str, str]
    fields: Mapping[str, str] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    tolerated: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """CN."""
        return self.header.get("CN", "")

    @property
    def system(self) -> str:
        """ST."""
        return self.header.get("ST", "")

    @property
    def device(self) -> str:
        """MN."""
        return self.header.get("MN", "")

    @property
    def request(self) -> str:
        """QN; empty where the sender wrote none, as many of 2005 do."""
        return self.header.get("QN", "")

    @property
    def flag(self) -> int | None:
        """Flag, or None where there is none or no number."""
        text = self.header.get("Flag", "")
        return int(text) if _is_byte(text) else None

    @property
    def wants_answer(self) -> bool:
        """Say whether the sender waits for an answer (bit A)."""
        return bool((self.flag or 0) & 1)

    @property
    def packet(self) -> tuple[int, int] | None:
        """PNO and PNUM, or None for a message of one packet."""
        number, count = self.header.get("PNO", ""), self.header.get("PNUM", "")
        if not (number.isdecimal() and count.isdecimal() and len(number) <= 9 and len(count) <= 9):
            return None
        return int(number), int(count)

    def encode(self) -> bytes:
        """Return the data segment.

        Raises
        ------
        ValueError
            If a text holds a character that the segment reserves.
        """
        header = ";".join(f"{name}={_clean(value)}" for name, value in self.header.items())
        items = [f"{name}={_clean(value)}" for name, value in self.fields.items()]
        items += _items(self.values)
        return f"{header};CP=&&{';'.join(items)}&&".encode()


def parse_segment(segment: bytes) -> Message:
    """Take a data segment apart.

    Parameters
    ----------
    segment : bytes
        From the first name to the closing ``&&``.

    Raises
    ------
    FrameError
        If it is none; the message starts with ``segment`` or ``header``.
    """
    slips: list[str] = []
    text = _text(segment, slips)
    head, opened, rest = text.partition("CP=&&")
    area, closed, _ = rest.rpartition("&&")
    if not (opened and closed):
        raise FrameError("segment: no CP=&& … &&", frame=segment)
    header = _header(head, slips, segment)
    fields: dict[str, str] = {}
    items: list[list[tuple[str, str, str]]] = []
    for item in _split(_ITEM, area, slips):
        parts = list(_split(_PART, item, slips))
        plain = [part for part in parts if "-" not in part.partition("=")[0]]
        if len(plain) > 1:
            slips.append("separator")
        for part in plain:
            name, _, value = part.partition("=")
            fields[name.strip()] = value.strip()
        coded = [_coded(part) for part in parts if part not in plain]
        if coded:
            items.append(coded)
    values = tuple(_values(items, slips))
    return Message(header=header, fields=fields, values=values, tolerated=tuple(dict.fromkeys(slips)))


def _text(segment: bytes, slips: list[str]) -> str:
    try:
        return segment.decode("utf-8")
    except UnicodeDecodeError:
        slips.append("encoding")
    try:
        return segment.decode("gb18030")
    except UnicodeDecodeError as error:
        raise FrameError("segment: neither UTF-8 nor GB 18030", frame=segment) from error


def _header(text: str, slips: list[str], segment: bytes) -> dict[str, str]:
    if text and not text.endswith(";"):
        slips.append("separator")
    header: dict[str, str] = {}
    for piece in text.split(";"):
        # Appendix C prints a comma after QN (C.22, C.48).
        pairs = piece.split(",")
        if len(pairs) > 1:
            slips.append("separator")
        for pair in pairs:
            name, equals, value = pair.strip().partition("=")
            if not name and not equals:
                continue
            if not equals:
                raise FrameError(f"header: {pair!r} is no name=value", frame=segment)
            known = _NAMES.get(name.casefold(), name)
            if known != name:
                slips.append("names")
            header[known] = value.strip()
    if not (len(header.get("CN", "")) == 4 and header["CN"].isdecimal()):
        raise FrameError(f"header: CN is {header.get('CN')!r}", frame=segment)
    if "Flag" in header and not _is_byte(header["Flag"]):
        slips.append("flag")
    return header


def _is_byte(text: str) -> bool:
    return text.isdecimal() and len(text) <= 3 and int(text) <= 255


def _split(pattern: re.Pattern[str], text: str, slips: list[str]) -> Iterator[str]:
    # Between // and // of a log a separator separates nothing; most areas hold none.
    pieces = pattern.findall(text) if "//" in text else text.split(_SEPARATORS[pattern])
    for piece in pieces:
        stripped = piece.strip()
        if stripped != piece:
            slips.append("blanks")
        if stripped:
            yield stripped


def _coded(part: str) -> tuple[str, str, str]:
    name, _, value = part.partition("=")
    code, _, statistic = name.partition("-")
    return code.strip(), statistic.strip(), value.strip()


def _values(items: list[list[tuple[str, str, str]]], slips: list[str]) -> Iterator[Value]:
    # A part such as Flag belongs to its item; where a sender makes it an item of its own, to its code.
    by_code: dict[tuple[str, str], str] = {}
    for item in items:
        by_code.update({(code, name): value for code, name, value in item if name in _ASIDE})
    seen: set[tuple[str, str]] = set()
    for item in items:
        if any(code != item[0][0] for code, _, _ in item):
            slips.append("unknown_code")
        asides = {name: value for _, name, value in item if name in _ASIDE}
        own = None
        for code, statistic, text in item:
            if statistic in _ASIDE:
                continue
            if (code, statistic) in seen:
                slips.append("duplicate")
            seen.add((code, statistic))
            if own is None or code != item[0][0]:
                own = {name: asides.get(name) or by_code.get((code, name)) or None for name in _ASIDE}
            yield Value(
                code=code,
                statistic=statistic,
                value=_value(statistic, text),
                flag=own["Flag"],
                eflag=own["EFlag"],
                sample_time=own["SampleTime"],
            )


def _value(statistic: str, text: str) -> float | str | None:
    if not text:
        return None
    if statistic in _TEXTS or not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    return number if math.isfinite(number) else text


def _clean(text: str) -> str:
    if not (text.startswith("//") and text.endswith("//") and len(text) >= 4) and _RESERVED.search(text):
        raise ValueError(f"{text!r} holds a character that HJ 212 reserves")
    return text


def _items(values: Iterable[Value]) -> Iterator[str]:
    by_code: dict[str, list[Value]] = {}
    for value in values:
        by_code.setdefault(value.code, []).append(value)
    for code, group in by_code.items():
        first = group[0]
        parts = [] if first.sample_time is None else [f"{code}-SampleTime={_clean(first.sample_time)}"]
        parts += [f"{code}-{value.statistic}={_text_of(value.value)}" for value in group]
        parts += [] if first.flag is None else [f"{code}-Flag={_clean(first.flag)}"]
        parts += [] if first.eflag is None else [f"{code}-EFlag={_clean(first.eflag)}"]
        yield ",".join(parts)


def _text_of(value: float | str | None) -> str:
    if value is None:
        return ""
    return _clean(value) if isinstance(value, str) else repr(value)
