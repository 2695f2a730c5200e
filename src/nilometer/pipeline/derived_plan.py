"""What the definitions of derived Datastreams say, with everything looked up, and in which order they are computed.

A definition speaks of Datastreams by their keys and of a function by its name; what it cannot mean is refused here,
with the place where it stands. What it needs may come later (a source makes its Datastreams when it first speaks):
until then it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nilometer import units
from nilometer.config import DatastreamConfig, config_error
from nilometer.config_derived import DefinitionConfig, DerivedConfig, definition_of
from nilometer.derivation.function import Function, families, functions
from nilometer.errors import ConfigError, NilometerError, UnitError
from nilometer.model import Datastream, Origin, QartodFlag
from nilometer.model.properties import vocabulary
from nilometer.pipeline.derived_rows import Definition, Operand
from nilometer.uncertainty.propagation import correlation_matrix

__all__ = [
    "absent",
    "check_derived",
    "compiled",
    "datastream_of",
    "document_of",
    "function_of",
    "in_order",
    "read_document",
    "table_of",
]

_LENGTHS = ("tolerance", "deadline")


def function_of(config: DefinitionConfig, at: str, *, file: Path | None = None) -> Function:
    """Return the function that a definition names, made with its parameters where it is a family.

    Raises
    ------
    ConfigError
        If there is none, or its parameters cannot be.
    """
    known, made = functions(), families()
    if config.function in known.items:
        if config.parameters:
            reason = f"{config.function} has no settings; what it takes are inputs"
            raise ConfigError(f"{at}.parameters", seen=sorted(config.parameters), file=file, reason=reason)
        return known.items[config.function]
    if config.function in made.items:
        try:
            return made.items[config.function].make(config.parameters)
        except (NilometerError, ValueError, TypeError, KeyError) as error:
            reason = f"{config.function}: {error}"
            raise ConfigError(f"{at}.parameters", seen=sorted(config.parameters), file=file, reason=reason) from error
    reason = known.broken.get(config.function) or made.broken.get(config.function) or "no such function"
    allowed = sorted([*known.items, *made.items])
    raise ConfigError(f"{at}.function", seen=config.function, allowed=allowed, file=file, reason=reason)


def datastream_of(config: DerivedConfig, at: str, *, file: Path | None = None) -> DatastreamConfig:
    """Return what a derived Datastream is beside how it is made: what its function gives is its raw unit."""
    own = config.model_fields_set & DatastreamConfig.model_fields.keys()
    said: dict[str, Any] = {name: getattr(config, name) for name in own}
    raw_unit = function_of(config, at, file=file).unit
    return DatastreamConfig(**said, raw_unit=raw_unit, origin=Origin.DERIVED, identity="time")


def document_of(config: DefinitionConfig) -> dict[str, Any]:
    """Return a definition as it is kept in the catalog, and read again by `read_document`."""
    document = config.model_dump(mode="json", exclude_unset=True)
    for part in (document, *document["inputs"].values()):
        for name in _LENGTHS:
            if part.get(name) is not None:
                part[name] = f"{part[name]:.6f}".rstrip("0").rstrip(".") + " s"
    return document


def table_of(config: DerivedConfig) -> dict[str, Any]:
    """Return a derived Datastream as a table of the configuration, ready for JSON."""
    others = config.model_dump(mode="json", exclude_unset=True, exclude=set(DefinitionConfig.model_fields))
    return others | document_of(definition_of(config))


def read_document(document: Mapping[str, Any], at: str) -> DefinitionConfig:
    """Return a definition from its document.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        return DefinitionConfig.model_validate(dict(document))
    except ValidationError as error:
        raise config_error(error, DefinitionConfig, at=at) from error


def absent(config: DefinitionConfig, known: Callable[[str], Datastream | None]) -> list[str]:
    """Return the keys of inputs that are not there yet."""
    keys = [one.datastream for one in config.inputs.values() if one.datastream is not None]
    return [key for key in dict.fromkeys(keys) if known(key) is None]


def compiled(
    config: DefinitionConfig,
    datastream: Datastream,
    known: Callable[[str], Datastream | None],
    *,
    number: int = 0,
    at: str = "derived",
) -> Definition:
    """Return a definition with everything looked up; all its inputs are there.

    Raises
    ------
    ConfigError
        If an input, a unit or a setting cannot be; it names the place below `at`.
    """
    function = function_of(config, at)

    def unit_of(key: str) -> str | None:
        found = known(key)
        return None if found is None else found.unit

    _check_inputs(config, function, at, unit_of, None)
    scale, offset = _into(function.unit, datastream.unit, f"{at}.unit", None)
    operands = tuple(_operand(config, name, function, known, at) for name in function.inputs)
    return Definition(
        datastream=datastream.id,
        function=function,
        operands=operands,
        clock=[one.name for one in operands].index(_clock(config, at, None)),
        deadline=None if config.when_late == "wait" else round(config.deadline * 1e6),
        used=frozenset(int(QartodFlag[flag.upper()]) for flag in config.when_flagged),
        skips=config.when_missing == "skip",
        correlation=_correlation(config, function),
        scale=scale,
        offset=offset,
        number=number,
    )


def check_derived(
    configs: Sequence[DerivedConfig],
    unit_of: Callable[[str], str | None],
    *,
    file: Path | None = None,
    at: str = "derived",
    standing: Mapping[str, DefinitionConfig] | None = None,
) -> None:
    """Refuse definitions that cannot be, as far as that is known before anything is started.

    Parameters
    ----------
    configs : sequence of DerivedConfig
        As configured.
    unit_of : callable
        Returns the unit of the Datastream of a key, or None where it is not known yet.
    file : path, optional
        Named in messages.
    at : str
        Where they stand.
    standing : mapping of str to DefinitionConfig, optional
        Other definitions that hold, by the key of their Datastream.

    Raises
    ------
    ConfigError
        With the place, what was seen and what would work; a cycle is named.
    """
    ours = {config.key: config for config in configs}
    both: dict[str, DefinitionConfig] = {**(standing or {}), **ours}
    for index, config in enumerate(configs):
        place = f"{at}[{index}]"
        function = function_of(config, place, file=file)

        def known(key: str) -> str | None:
            own = ours.get(key)
            return unit_of(key) if own is None else _unit(own)

        _check_inputs(config, function, place, known, file)
        _into(function.unit, _unit(config), f"{place}.unit", file)
        cycle = _cycle(config.key, both)
        if cycle:
            reason = f"goes round: {' > '.join(cycle)}"
            raise ConfigError(f"{place}.inputs", seen=cycle[1], file=file, reason=reason)


def in_order(
    definitions: Iterable[Definition], beside: Mapping[int, frozenset[int]] | None = None
) -> list[list[Definition]]:
    """Return definitions by levels: what one needs stands in a level before it.

    Parameters
    ----------
    definitions : iterable of Definition
        Of one Datastream each.
    beside : mapping of int to frozenset of int, optional
        By Datastream, others that its rows are computed with.

    Raises
    ------
    ConfigError
        If they go round.
    """
    left = {one.datastream: one for one in definitions}
    levels: list[list[Definition]] = []
    while left:
        ready = [one for one in left.values() if not _needed(one, beside or {}) & left.keys()]
        if not ready:
            raise ConfigError("derived", seen=sorted(left), reason="these Datastreams are derived from each other")
        levels.append(ready)
        for one in ready:
            del left[one.datastream]
    return levels


def _needed(one: Definition, beside: Mapping[int, frozenset[int]]) -> set[int]:
    found: set[int] = set()
    waiting = set(one.datastreams)
    while waiting:
        number = waiting.pop()
        found.add(number)
        waiting |= beside.get(number, frozenset()) - found
    return found


def _unit(config: DerivedConfig) -> str:
    """Return the unit that a derived Datastream will have, as `Wiring` gives it."""
    raw_unit = function_of(config, "derived").unit
    if config.unit is not None:
        return units.canonical(config.unit)
    term = vocabulary().get(config.property)
    return term.unit if term is not None and units.same_dimension(raw_unit, term.unit) else raw_unit


def _cycle(key: str, definitions: Mapping[str, DefinitionConfig]) -> list[str]:
    """Return the way from a Datastream back to it, or nothing."""

    def needs(one: str) -> list[str]:
        config = definitions.get(one)
        return [] if config is None else [part.datastream for part in config.inputs.values() if part.datastream]

    ways, seen = [[key]], {key}
    while ways:
        way = ways.pop()
        for following in needs(way[-1]):
            if following == key:
                return [*way, key]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


def _check_inputs(
    config: DefinitionConfig,
    function: Function,
    at: str,
    unit_of: Callable[[str], str | None],
    file: Path | None,
) -> None:
    for name in config.inputs:
        if name not in function.inputs:
            reason = f"{function.name} has no such input"
            raise ConfigError(f"{at}.inputs", seen=name, allowed=function.inputs, file=file, reason=reason)
    for name, wanted in function.inputs.items():
        if name not in config.inputs:
            if wanted.default is None:
                reason = f"{function.name} needs it, in {wanted.unit}"
                raise ConfigError(f"{at}.inputs.{name}", file=file, reason=reason)
            continue
        one = config.inputs[name]
        given = one.unit if one.datastream is None else unit_of(one.datastream)
        if given is not None:
            _into(given, wanted.unit, f"{at}.inputs.{name}", file, seen=one.datastream or one.unit)
    _clock(config, at, file)
    try:
        _correlation(config, function)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{at}.correlation", seen=config.correlation, file=file, reason=str(error)) from error


def _clock(config: DefinitionConfig, at: str, file: Path | None) -> str:
    """Return the input that sets the times: the one that is named, else the first that is a Datastream."""
    with_rows = [name for name, one in config.inputs.items() if one.datastream is not None]
    if not with_rows:
        raise ConfigError(f"{at}.inputs", file=file, reason="one of them has to be a Datastream: it sets the times")
    if config.clock is not None and config.clock not in with_rows:
        raise ConfigError(f"{at}.clock", seen=config.clock, allowed=with_rows, file=file)
    return config.clock or with_rows[0]


def _operand(
    config: DefinitionConfig, name: str, function: Function, known: Callable[[str], Datastream | None], at: str
) -> Operand:
    wanted = function.inputs[name]
    one = config.inputs.get(name)
    if one is None:
        return Operand(name, value=wanted.default or 0.0)
    stand_in = None if one.when_missing is None else (one.when_missing.value, one.when_missing.uncertainty)
    if one.datastream is None:
        scale, offset = _into(one.unit or wanted.unit, wanted.unit, f"{at}.inputs.{name}", None)
        assert one.value is not None  # noqa: S101 -- one of both, as it was read
        return Operand(name, value=one.value * scale + offset, uncertainty=one.uncertainty * abs(scale))
    datastream = known(one.datastream)
    if datastream is None:
        raise ConfigError(f"{at}.inputs.{name}", seen=one.datastream, reason="no such Datastream")
    scale, offset = _into(datastream.unit, wanted.unit, f"{at}.inputs.{name}", None)
    tolerance = config.tolerance if one.tolerance is None else one.tolerance
    align = one.align or config.align
    return Operand(name, datastream.id, scale, offset, align, round(tolerance * 1e6), stand_in=stand_in)


def _into(given: str, wanted: str, at: str, file: Path | None, *, seen: object = None) -> tuple[float, float]:
    try:
        given = units.canonical(given)
        return (1.0, 0.0) if given == wanted else units.affine(given, wanted)
    except UnitError as error:
        raise ConfigError(at, seen=given if seen is None else seen, file=file, reason=str(error)) from error


def _correlation(config: DefinitionConfig, function: Function) -> NDArray[np.float64] | None:
    pairs = {(first, second): value for first, second, value in config.correlation}
    return correlation_matrix(list(function.inputs), pairs)
