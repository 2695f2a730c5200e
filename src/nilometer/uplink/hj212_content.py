"""What a message of HJ 212 says, made of `OwnValues`: values at their digits with their marks; does no I/O.

A mark of a Datastream that speaks HJ 212 is passed on as it is. A mark of any other scheme has to be mapped
(``codes.CODE.marks``): until it is, the value is refused, for N would be our word and not the instrument's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from nilometer.acquisition.protocols.hj212 import CODES, Message, Value, time_text
from nilometer.units import affine
from nilometer.uplink.decimals import exact, text_of
from nilometer.uplink.hj212_codes import FLOW_UNIT, CodeRule
from nilometer.uplink.own_values import OwnValues
from nilometer.uplink.statistics import Marked, statistics

__all__ = ["LONGEST", "Content", "Rules", "Sender", "period_content", "real_time_content", "segments"]

LONGEST = 1024
"""Bytes of a data segment (HJ 212-2017 6.3.1); what is longer goes in several packets."""

ABOVE = "T"
_FLAG_BITS = {"2005": 0, "2017": 4, "2025": 8}
_PACKETS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How values become content: the edition's codes, the marks that count, what a value without a mark gets."""

    edition: str
    zone: ZoneInfo
    counting: frozenset[str]
    unmarked: str
    below_limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends: the parts of the header that never change."""

    system: str
    password: str
    device: str
    edition: str
    answered: bool

    def header(self, number: str, command: str) -> dict[str, str]:
        """Return the header of a message of ours."""
        flag = str(_FLAG_BITS[self.edition] | self.answered)
        named = {"QN": number, "ST": self.system, "CN": command, "PW": self.password, "MN": self.device}
        return named | {"Flag": flag}


@dataclass(slots=True)
class Content:
    """What is to be said: values, of how many rows they are made, and the rows that were refused here, by reason."""

    values: list[Value] = field(default_factory=list)
    rows: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Count a row."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


def real_time_content(own: OwnValues, codes: Sequence[CodeRule], rules: Rules) -> Content:
    """Return the newest value of each code (Rtd)."""
    content = Content()
    for rule in codes:
        mine = own.of(rule.datastream)
        marked = [(row, one) for row, one in enumerate(_marked(mine, rule, rules, content)) if one is not None]
        if not marked:
            continue
        row, newest = marked[-1]
        content.rows += 1
        sampled = time_text(int(mine.time[row]), rules.zone) if mine.duration[row] else None
        text = _text(newest.value, rule)
        content.values.append(
            Value(code=_code(rule, rules), statistic="Rtd", value=text, flag=newest.mark or None, sample_time=sampled)
        )
    return content


def period_content(own: OwnValues, codes: Sequence[CodeRule], rules: Rules, length_us: int) -> Content:
    """Return Cou (of a flow), Min, Avg and Max of each code over a period of so many µs."""
    content = Content()
    for rule in codes:
        marked = [one for one in _marked(own.of(rule.datastream), rule, rules, content) if one is not None]
        if not marked:
            continue
        found = statistics(marked, rules.counting, rule.mean)
        content.rows += len(marked)
        numbers: dict[str, Fraction | None] = {"Min": found.lowest, "Avg": found.mean, "Max": found.highest}
        if rule.total and found.mean is not None:
            # m³ of a mean flow in L/s over the period: both are exact, and are rounded once.
            scale = Fraction(repr(affine(rule.unit, FLOW_UNIT)[0])).limit_denominator(10**12)
            numbers = {"Cou": found.mean * scale * length_us / 10**9, **numbers}
        content.values += [
            Value(code=_code(rule, rules), statistic=name, value=_text(number, rule), flag=found.mark or None)
            for name, number in numbers.items()
        ]
    return content


def segments(
    sender: Sender, command: str, data_time: str, values: Sequence[Value], numbers: Iterator[str]
) -> list[str]:
    """Return the data segments of a message: one, or several packets, each with a QN of its own (C.49, C.50).

    Parameters
    ----------
    sender : Sender
        Who sends.
    command, data_time : str
        CN and DataTime.
    values : sequence of Value
        Values of one code stay in one packet.
    numbers : iterator of str
        Gives QNs.
    """
    packets: list[list[Value]] = [[]]
    by_code: dict[str, list[Value]] = {}
    for value in values:
        by_code.setdefault(value.code, []).append(value)

    def written(mine: Sequence[Value], number: str, packet: tuple[int, int] | None) -> str:
        header = sender.header(number, command)
        if packet is not None:
            header["Flag"] = str(int(header["Flag"]) | _PACKETS)
            header |= {"PNUM": str(packet[0]), "PNO": str(packet[1])}
        return Message(header=header, fields={"DataTime": data_time}, values=tuple(mine)).encode().decode()

    longest = "0" * 17
    for group in by_code.values():
        if packets[-1] and len(written([*packets[-1], *group], longest, (999, 999)).encode()) > LONGEST:
            packets.append([])
        packets[-1] += group
    if len(packets) == 1:
        return [written(packets[0], next(numbers), None)]
    return [written(mine, next(numbers), (len(packets), at)) for at, mine in enumerate(packets, 1)]


def _marked(own: OwnValues, rule: CodeRule, rules: Rules, content: Content) -> Iterator[Marked | None]:
    """Yield each row in the unit of the wire with its mark; None for what is refused."""
    numbers = own.scaled if rule.scaled else own.value
    for number, censored, mark in zip(numbers.tolist(), own.censored.tolist(), own.mark, strict=True):
        word = _mark(mark, censored, rule, rules)
        value = None if np.isnan(number) or np.isinf(number) else exact(number) * rule.scale + rule.offset
        reason = ""
        if word is None:
            reason = "mark"
        elif censored < 0 and rules.below_limit == "refuse":
            reason = "below_limit"
        elif value is None and mark is None:
            reason = "no_value"
        if reason:
            content.refuse(reason)
            yield None
        else:
            yield Marked(value, word or "")


def _mark(mark: str | None, censored: int, rule: CodeRule, rules: Rules) -> str | None:
    """Return the receiver's word for a mark; None where there is none."""
    if mark is None:
        return ABOVE if censored > 0 else rules.unmarked
    mapped: Mapping[str, str] = rule.marks
    return mapped.get(mark, mark if rule.speaks_hj212 else None)


def _text(value: Fraction | None, rule: CodeRule) -> str | None:
    return None if value is None else text_of(value, rule.decimals)


def _code(rule: CodeRule, rules: Rules) -> str:
    row = CODES.get(rule.code)
    return row.code_2005 if rules.edition == "2005" and row is not None and row.code_2005 else rule.code
