"""Procedures as data files: which standards to give, how many readings to take, what is computed of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from nilometer.errors import ConfigError
from nilometer.trials.bench.steadiness import Steadiness

__all__ = ["Procedure", "Step", "Test", "procedure_of", "procedures"]

_STEP = {"level", "value", "readings", "reading_s", "every_s", "timeout_s", "steady", "do", "optional"}
_TEST = {"statistic", "steps", "name", "limit", "definition", "confidence", "facts", "options"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One standard that is given, and the readings that are taken of it.

    Parameters
    ----------
    key : str
        Its name in the file.
    level : float, optional
        Nominal value, % of the range; None where it is no matter of the range.
    value : float, optional
        Nominal value in the unit of the procedure: outranks `level`.
    readings : int
        How many.
    reading_s : float
        Each is the mean of so many seconds; 0: each value is a reading, as of an analyser with cycles.
    every_s : float
        From one reading to the next; 0: one after the other.
    timeout_s : float
        When to give up waiting for a steady signal.
    is_steady : bool
        Whether to wait for it.
    do : mapping of str to str
        What the operator is to do, by language (``en``, ``zh``).
    is_optional : bool
        Whether a run is whole without it.
    """

    key: str
    level: float | None = None
    value: float | None = None
    readings: int = 6
    reading_s: float = 0.0
    every_s: float = 0.0
    timeout_s: float = 3600.0
    is_steady: bool = True
    do: Mapping[str, str] = field(default_factory=dict)
    is_optional: bool = False

    def nominal(self, low: float, high: float) -> float | None:
        """Return the nominal value on a range."""
        if self.value is not None:
            return self.value
        return None if self.level is None else low + self.level / 100.0 * (high - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One figure, or set of figures, of the readings of some steps.

    Parameters
    ----------
    key : str
        Its name in the file.
    name : mapping of str to str
        As a reader calls it, by language.
    statistic : str
        Which, as `nilometer.trials.bench.results` knows it.
    steps : tuple of str
        Steps whose readings it takes, in the order the statistic wants.
    limit : str
        Name of the limit; empty: as `key`.
    definition, confidence : str
        Where the definition comes from, and how sure that is.
    facts : tuple of str
        What it needs that is no reading, such as hours and failures.
    options : mapping
        Of the statistic.
    """

    __test__ = False  # pytest: a test of an instrument, not of this code

    key: str
    name: Mapping[str, str]
    statistic: str
    steps: tuple[str, ...] = ()
    limit: str = ""
    definition: str = ""
    confidence: str = "memory"
    facts: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """A guided test of one instrument.

    Parameters
    ----------
    key : str
        Name of its file.
    name : mapping of str to str
        By language.
    source, confidence : str
        The norm, and how sure its steps are.
    observed_property : str
        Vocabulary key; empty: any.
    unit : str
        CF text, of values, levels and range.
    low, high : float
        Range that levels are shares of; a run may have its own.
    limits : str
        Which file of limits; empty: none.
    steps : mapping of str to Step
        By key.
    order : tuple of str
        In which they are given; a key may come again.
    tests : tuple of Test
        What is computed.
    steadiness : Steadiness
        When a signal is steady.
    """

    key: str
    name: Mapping[str, str]
    source: str
    confidence: str
    observed_property: str
    unit: str
    low: float
    high: float
    limits: str
    steps: Mapping[str, Step]
    order: tuple[str, ...]
    tests: tuple[Test, ...]
    steadiness: Steadiness

    @property
    def span(self) -> float:
        """Width of the range."""
        return self.high - self.low

    def on_range(self, low: float, high: float) -> Procedure:
        """Return it on another range."""
        if not high > low:
            raise ConfigError("range", seen=(low, high), allowed="a lower and a higher end")
        return replace(self, low=low, high=high)


def procedures() -> list[str]:
    """Return the keys of ours."""
    return sorted(_files())


def procedure_of(name: str | Path) -> Procedure:
    """Return a procedure by key, or by the path of its file.

    Parameters
    ----------
    name : str or path
        Such as ``hj101-2019`` or ``my/procedure.toml``.

    Raises
    ------
    ConfigError
        If there is none of that name, or its file cannot be used; it names the key.

    Examples
    --------
    >>> procedure_of("hj101-2019").tests[0].confidence
    'verified'
    """
    return read_procedure(_content(name), str(name))


def read_procedure(content: Mapping[str, Any], file: str) -> Procedure:
    """Return the procedure of a file's content; `file` is for errors."""
    steps = {key: _step(key, table, file) for key, table in content.get("step", {}).items()}
    order = tuple(content.get("order", tuple(steps)))
    for key in order:
        if key not in steps:
            raise ConfigError("order", seen=key, allowed=steps, file=file)
    tests = tuple(_test(key, table, steps, file) for key, table in content.get("test", {}).items())
    low, high = content.get("range", (0.0, 100.0))
    try:
        found = Procedure(
            key=content["key"],
            name=content["name"],
            source=content["source"],
            confidence=content["confidence"],
            observed_property=content.get("observed_property", ""),
            unit=content["unit"],
            low=float(low),
            high=float(high),
            limits=content.get("limits", ""),
            steps=steps,
            order=order,
            tests=tests,
            steadiness=Steadiness(**content["steady"]),
        )
    except KeyError as error:
        raise ConfigError(str(error.args[0]), file=file, reason="it is missing") from error
    except (TypeError, ValueError) as error:
        raise ConfigError("steady", seen=content.get("steady"), file=file, reason=str(error)) from error
    return found.on_range(found.low, found.high)


def _step(key: str, table: Mapping[str, Any], file: str) -> Step:
    _known(f"step.{key}", table, _STEP, file)
    if int(table.get("readings", 6)) < 1:
        raise ConfigError(f"step.{key}.readings", seen=table["readings"], allowed="1 or more", file=file)
    return Step(
        key=key,
        is_steady=bool(table.get("steady", True)),
        is_optional=bool(table.get("optional", False)),
        **{name: value for name, value in table.items() if name not in {"steady", "optional"}},
    )


def _test(key: str, table: Mapping[str, Any], steps: Mapping[str, Step], file: str) -> Test:
    from nilometer.trials.bench.results import STATISTICS  # noqa: PLC0415 -- a statistic is what a file names

    _known(f"test.{key}", table, _TEST, file)
    statistic = table.get("statistic", key)
    if statistic not in STATISTICS:
        raise ConfigError(f"test.{key}.statistic", seen=statistic, allowed=STATISTICS, file=file)
    for step in table.get("steps", ()):
        if step not in steps:
            raise ConfigError(f"test.{key}.steps", seen=step, allowed=steps, file=file)
    given = {name: value for name, value in table.items() if name not in {"statistic", "steps", "facts"}}
    return Test(
        key=key,
        statistic=statistic,
        steps=tuple(table.get("steps", ())),
        facts=tuple(table.get("facts", ())),
        **({"name": {"en": key.replace("_", " ")}} | given),
    )


def _known(place: str, table: Mapping[str, Any], allowed: set[str], file: str) -> None:
    for name in table:
        if name not in allowed:
            raise ConfigError(f"{place}.{name}", seen=table[name], allowed=allowed, file=file)


def _content(name: str | Path) -> dict[str, Any]:
    path = Path(name)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError("procedure", seen=str(name), reason=error.strerror or str(error)) from error
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError("TOML", file=path, reason=str(error)) from error
    elif str(name) in _files():
        content = _ours(str(name))
    else:
        raise ConfigError("procedure", seen=str(name), allowed=_files())
    if "extends" not in content:
        return content
    under = _content(content["extends"])
    return {**under, **content, "step": {**under.get("step", {}), **content.get("step", {})},
            "test": {**under.get("test", {}), **content.get("test", {})}}  # fmt: skip


@cache
def _files() -> dict[str, Any]:
    folder = resources.files("nilometer.trials.bench") / "procedures"
    return {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}


@cache
def _ours(key: str) -> dict[str, Any]:
    return tomllib.loads(_files()[key].read_text(encoding="utf-8"))
