"""What each code of HJ 212 gets: which Datastream, in which unit, with how many decimals, by which mean and marks.

The decimals are those of the number formats of Table B.1; a code beyond it needs them, and its unit, configured.

References
----------
HJ 212-2017 Appendix B, Table B.1 (number format ``Nx.y``: y decimals), after HJ 525-2009.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from nilometer.acquisition.protocols.hj212 import CODES
from nilometer.errors import ConfigError, UnitError
from nilometer.model import Datastream, Origin
from nilometer.model.properties import by_hj525, vocabulary
from nilometer.store import Catalog
from nilometer.units import affine, same_dimension
from nilometer.uplink.own_values import raw_unit_of

__all__ = ["DECIMALS", "CodeConfig", "CodeRule", "code_rules"]

_OF = {
    0: "w01006 w01012 w02003 w02006 w20089 w20113 w20120 w21038",
    1: "w01009 w01010 w01014 w01017 w01018 w01019 w01020 w03001 w03002 w20092 w20115 w21004 w21022 w25043 w33001 "
    "w33007 w99001",
    2: "w00000 w01001 w01002 w19001 w19002 w20111 w20121 w20122 w20128 w21001 w21003 w21011 w21017 w22001",
    3: "w20012 w20023 w20116 w20117 w20119 w20123 w20124 w20125 w20126 w20127 w20138 w20139 w20140 w20141 w20142 "
    "w20143 w20144 w21006 w21007 w21016 w21019",
    4: "w20038 w20061 w23002",
}
DECIMALS: Mapping[str, int] = {code: decimals for decimals, codes in _OF.items() for code in codes.split()}
"""Places behind the point by code of 2017."""

FLOW_UNIT = "L s-1"


class CodeConfig(BaseModel):
    """``[uplink.options.codes.CODE]``: what differs from what the vocabulary and Table B.1 say; docs/uplinks.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    datastream: str | None = None
    unit: str | None = None
    decimals: Annotated[int, Field(ge=0, le=9)] | None = None
    mean: Literal["arithmetic", "hydrogen_ion"] | None = None
    total: bool | None = None
    scaled: bool = False
    marks: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRule:
    """How a Datastream becomes a code: ``wire = raw × scale + offset``, in decimal arithmetic.

    `total`: Cou is sent, the volume that flowed. `unit` is the CF text of the unit on the wire. `scaled`: the raw
    result is a signal, and the result what the instrument's range makes of it.
    """

    code: str
    datastream: int
    unit: str
    scale: Fraction
    offset: Fraction
    decimals: int
    mean: Literal["arithmetic", "hydrogen_ion"]
    total: bool
    scaled: bool
    marks: Mapping[str, str]
    speaks_hj212: bool


def code_rules(
    catalog: Catalog, things: Sequence[str], configured: Mapping[str, CodeConfig]
) -> tuple[list[CodeRule], dict[str, str]]:
    """Return the codes of Things in order, and why some Datastreams that have a code are not sent.

    Parameters
    ----------
    catalog : Catalog
        The Datastreams.
    things : sequence of str
        Keys.
    configured : mapping of str to CodeConfig
        By code; with none, every instrument's Datastream whose property has a code is sent.

    Raises
    ------
    ConfigError
        If a configured code cannot be sent: no such Datastream, no unit or decimals, two Datastreams for one code.
    """
    known = [thing for key in things if (thing := catalog.thing_by_key(key)) is not None]
    mine = [one for one in catalog.datastreams() if one.thing in {thing.id for thing in known}]
    chosen: dict[str, list[Datastream]] = {}
    left_out: dict[str, str] = {}
    for one in mine:
        code = _code_of(catalog, one)
        if code is not None and (not configured or code in configured):
            if one.origin is Origin.INSTRUMENT:
                chosen.setdefault(code, []).append(one)
            else:
                left_out[one.key] = str(one.origin)
    rules: list[CodeRule] = []
    for code in sorted({*chosen, *configured}):
        config = configured.get(code, CodeConfig())
        try:
            rules.append(_rule(catalog, code, config, chosen.get(code, []), mine))
        except ConfigError as error:
            if code in configured and error.key != "datastream":
                raise
            left_out[code] = str(error)
    return rules, left_out


def _code_of(catalog: Catalog, datastream: Datastream) -> str | None:
    term = vocabulary().get(catalog.observed_property(datastream.observed_property).key)
    return None if term is None else term.hj525


def _rule(
    catalog: Catalog, code: str, config: CodeConfig, candidates: Sequence[Datastream], mine: Sequence[Datastream]
) -> CodeRule:
    datastream = _datastream(code, config, candidates, mine)
    term = by_hj525(code)
    unit = config.unit or (term.hj525_unit if term is not None else None)
    decimals = config.decimals if config.decimals is not None else DECIMALS.get(code)
    if unit is None or decimals is None:
        raise ConfigError(
            f"codes.{code}", reason="Table B.1 of HJ 212-2017 does not have this code: set its `unit` and `decimals`"
        )
    scale, offset, scaled = _conversion(code, config, datastream, unit)
    mean = config.mean or ("hydrogen_ion" if term is not None and term.mean == "hydrogen_ion" else "arithmetic")
    is_flow = code in CODES and CODES[code].unit == "L/s"
    scheme = datastream.mark_scheme or ""
    total = is_flow if config.total is None else config.total
    if total and not same_dimension(unit, FLOW_UNIT):
        raise ConfigError(f"codes.{code}.total", seen=True, reason=f"a total is of a flow, and {unit} is none")
    return CodeRule(
        code=code,
        datastream=datastream.id,
        unit=unit,
        scale=scale,
        offset=offset,
        decimals=decimals,
        mean=mean,
        total=total,
        scaled=scaled,
        marks=config.marks,
        speaks_hj212=scheme.startswith("hj212"),
    )


def _datastream(
    code: str, config: CodeConfig, candidates: Sequence[Datastream], mine: Sequence[Datastream]
) -> Datastream:
    if config.datastream is not None:
        candidates = [one for one in mine if one.key == config.datastream]
    if not candidates:
        seen = config.datastream or code
        raise ConfigError("datastream", seen=seen, allowed=[one.key for one in mine], reason="there is no such one yet")
    if len(candidates) > 1:
        keys = ", ".join(one.key for one in candidates)
        raise ConfigError(f"codes.{code}", reason=f"{keys} all measure it: name the `datastream` that is sent")
    return candidates[0]


def _conversion(code: str, config: CodeConfig, datastream: Datastream, unit: str) -> tuple[Fraction, Fraction, bool]:
    raw = raw_unit_of(datastream)
    is_scaled = config.scaled and not same_dimension(raw, unit)
    try:
        scale, offset = affine(datastream.unit if is_scaled else raw, unit)
    except UnitError as error:
        reason = (
            f"the instrument of {datastream.key} gives {raw}, which is not {unit}; where that is a signal that a "
            "calibration makes a quantity of, set `scaled = true`"
        )
        raise ConfigError(f"codes.{code}", reason=reason) from error
    # The factors of units are short decimals or ratios; what binary fractions made of them is taken back.
    return *(Fraction(repr(number)).limit_denominator(10**12) for number in (scale, offset)), is_scaled  # type: ignore[return-value]
