"""What a report of SL 651 says, made of `OwnValues`: the newest value of each element at its digits; does no I/O.

The wire has no place for a mark. So a value with a mark that does not say that it is good is refused, as is one below
or above what can be measured: sent bare, it would pass for measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nilometer.acquisition.protocols.sl651 import SYMBOLS, Element, Layout
from nilometer.acquisition.protocols.sl651_writing import Group
from nilometer.errors import ConfigError, UnitError
from nilometer.model import Datastream, Origin
from nilometer.store import Catalog
from nilometer.units import affine
from nilometer.uplink.decimals import exact, text_of
from nilometer.uplink.own_values import OwnValues, raw_unit_of

__all__ = ["Content", "ElementConfig", "ElementRule", "content", "element_rules"]

_MINUTE_US = 60_000_000


class ElementConfig(BaseModel):
    """``[uplink.options.elements.SYMBOL]``: which Datastream an element is, where that is not plain."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    datastream: str | None = None
    decimals: Annotated[int, Field(ge=0, le=7)] | None = None
    scaled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementRule:
    """How a Datastream becomes an element: ``wire = value × scale + offset``, rounded to `decimals`."""

    element: Element
    datastream: int
    scale: Fraction
    offset: Fraction
    decimals: int
    scaled: bool


@dataclass(slots=True)
class Content:
    """What is to be said, of how many rows, and the rows that were refused, by reason."""

    groups: list[Group] = field(default_factory=list)
    rows: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Count a row."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


def element_rules(
    catalog: Catalog, thing: str, configured: Mapping[str, ElementConfig]
) -> tuple[list[ElementRule], dict[str, str]]:
    """Return the elements of a Thing, and why some of its Datastreams are not sent.

    Parameters
    ----------
    catalog : Catalog
        The Datastreams.
    thing : str
        Its key.
    configured : mapping of str to ElementConfig
        By letters; with none, every instrument's Datastream whose property has one element of a moment is sent.

    Raises
    ------
    ConfigError
        If a configured element cannot be sent.
    """
    known = catalog.thing_by_key(thing)
    mine = [one for one in catalog.datastreams() if known is not None and one.thing == known.id]
    rules: list[ElementRule] = []
    left_out: dict[str, str] = {}
    chosen: dict[str, list[Datastream]] = {}
    for one in mine:
        symbol = _SYMBOL_OF.get(catalog.observed_property(one.observed_property).key)
        if symbol is not None and (not configured or symbol in configured):
            chosen.setdefault(symbol, []).append(one)
    for symbol in sorted({*chosen, *configured}):
        config = configured.get(symbol, ElementConfig())
        candidates = [one for one in mine if one.key == config.datastream] if config.datastream else chosen.get(symbol)
        try:
            rules.append(_rule(symbol, config, candidates or []))
        except ConfigError as error:
            if symbol in configured and candidates:
                raise
            left_out[symbol] = str(error)
    return rules, left_out


_SYMBOL_OF: Mapping[str, str] = {
    element.observed_property: element.symbol
    for element in reversed([*SYMBOLS.values()])
    if element.observed_property is not None and element.layout is Layout.NUMBER and not element.duration_us
}


def _rule(symbol: str, config: ElementConfig, candidates: Sequence[Datastream]) -> ElementRule:
    place = f"elements.{symbol}"
    element = SYMBOLS.get(symbol)
    if element is None or element.layout is not Layout.NUMBER:
        raise ConfigError(place, reason="it is no element with a number, such as Z, PN05, Q")
    if len(candidates) != 1:
        keys = ", ".join(one.key for one in candidates) or "no Datastream"
        raise ConfigError(place, reason=f"{keys} measure it: name the `datastream` that is sent")
    (datastream,) = candidates
    if datastream.origin is not Origin.INSTRUMENT:
        raise ConfigError(place, reason=f"{datastream.key} is {datastream.origin}: only what instruments said is sent")
    unit = datastream.unit if config.scaled else raw_unit_of(datastream)
    try:
        scale, offset = affine(unit, element.unit or unit)
    except UnitError as error:
        raise ConfigError(place, reason=f"{datastream.key} is in {unit}, which is not {element.unit}") from error
    return ElementRule(
        element=element,
        datastream=datastream.id,
        scale=Fraction(repr(scale)).limit_denominator(10**12),
        offset=Fraction(repr(offset)).limit_denominator(10**12),
        decimals=element.decimals if config.decimals is None else min(config.decimals, element.decimals),
        scaled=config.scaled,
    )


def content(own: OwnValues, rules: Sequence[ElementRule], good_marks: frozenset[str]) -> Content:
    """Return the newest value of each element, by its time of observation.

    Parameters
    ----------
    own : OwnValues
        Of a period.
    rules : sequence of ElementRule
        The elements.
    good_marks : frozenset of str
        Marks that say that a value is good.
    """
    said = Content()
    groups: dict[int, list[tuple[Element, float]]] = {}
    for rule in rules:
        newest = None
        for time, value in _told(own.of(rule.datastream), rule, good_marks, said):
            newest = (time, value)
        if newest is not None:
            said.rows += 1
            groups.setdefault(newest[0], []).append((rule.element, newest[1]))
    said.groups = [Group(time, groups[time]) for time in sorted(groups)]
    return said


def _told(own: OwnValues, rule: ElementRule, good_marks: frozenset[str], said: Content) -> Iterator[tuple[int, float]]:
    """Yield what may be said of one Datastream: time of observation, to the minute, and value."""
    numbers = own.scaled if rule.scaled else own.value
    columns = (own.time, own.duration, numbers, own.censored)
    for row, (start, duration, number, censored) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        mark = own.mark[row]
        length = rule.element.duration_us
        if length and duration != length:
            said.refuse("duration")
        elif censored:
            said.refuse("censored")
        elif mark is not None and mark not in good_marks:
            said.refuse("mark")
        elif not math.isfinite(number):
            said.refuse("no_value")
        else:
            # An element of an interval bears the time of its end.
            at = start + length
            text = text_of(exact(number) * rule.scale + rule.offset, rule.decimals)
            if sum(letter.isdecimal() for letter in text) > rule.element.digits + 1:
                said.refuse("digits")
            else:
                yield at - at % _MINUTE_US, float(text)
