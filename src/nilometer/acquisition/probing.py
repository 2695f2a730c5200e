"""What a probe of a wire found, whatever the protocol, and the block of configuration that reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.serial import Parity, open_port
from nilometer.acquisition.links.tcp import connect
from nilometer.errors import ConfigError

__all__ = ["Candidate", "Plausible", "Present", "Span", "Target", "Tried", "block", "target"]

REMOTE = ("rfc2217://", "socket://")
"""Serial ports that are elsewhere."""

Span = tuple[float, float]

Plausible = Callable[[str, str], Span | None]
"""Observed property and unit to the range that water can show, None where none is known."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to look: a serial `path`, or `host` and `port`."""

    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """Return it as a driver's options."""
        return {"path": self.path} if self.path else {"host": self.host, "port": self.port}

    async def open(self, *, baud: int, data_bits: int = 8, parity: Parity = "N", stop_bits: int = 1) -> Link:
        """Open it; the settings are a serial port's. See the links for what it raises."""
        if not self.path:
            return await connect(self.host, self.port)
        return await open_port(self.path, baud=baud, data_bits=data_bits, parity=parity, stop_bits=stop_bits)


def target(text: str, *, port: int | None = None) -> Target:
    """Return the target that a text names.

    Parameters
    ----------
    text : str
        A path such as ``/dev/ttyUSB0``, a remote one (``rfc2217://HOST:PORT``, ``socket://HOST:PORT``), or
        ``HOST:PORT``.
    port : int, optional
        Taken where a host has none.

    Raises
    ------
    ConfigError
        If it is neither.

    Examples
    --------
    >>> target("10.0.0.7:502").options
    {'host': '10.0.0.7', 'port': 502}
    """
    if text.startswith(("/", ".", *REMOTE)) or text.upper().startswith("COM"):
        return Target(path=text)
    host, _, given = text.rpartition(":")
    if not host and port is not None and given:
        return Target(host=given, port=port)
    if not host or not given.isdecimal() or not 0 < int(given) <= 65535:
        raise ConfigError(
            "TARGET", seen=text, allowed="HOST:PORT, /dev/ttyUSB0 or another serial device, rfc2217://HOST:PORT"
        )
    return Target(host=host, port=int(given))


@dataclass(frozen=True, slots=True)
class Tried:
    """One value as it reads in each way that was tried: `readings` by word order, ``""`` where there is but one way.

    `chosen` is the way of the instrument's file; `range` the plausible one, in `unit`.
    """

    key: str
    unit: str | None
    observed_property: str | None
    readings: Mapping[str, float | None]
    chosen: str = ""
    range: Span | None = None
    is_empty: bool = False

    def fits(self, way: str) -> bool | None:
        """Return whether a reading lies in the plausible range; None where that cannot be said."""
        value = self.readings.get(way)
        if self.range is None or self.is_empty or value is None:
            return None
        return math.isfinite(value) and self.range[0] <= value <= self.range[1]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instrument that may be it; `options` are what its driver needs besides address and link."""

    instrument: str | None
    values: Sequence[Tried] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def score(self) -> int:
        """Return how many values lie in their plausible range, less twice those that do not."""
        said = [item.fits(item.chosen) for item in self.values]
        return said.count(True) - 2 * said.count(False)


@dataclass(frozen=True, slots=True)
class Present:
    """Who answers at an address: what it says of itself, and what it may be, the likeliest first."""

    address: str
    said: str = ""
    candidates: Sequence[Candidate] = ()
    note: str = ""


def block(driver: str, options: Mapping[str, Any], devices: str, found: Iterable[Mapping[str, Any]]) -> str:
    """Return the block of ``nilometer.toml`` that reads what was found.

    Parameters
    ----------
    driver : str
        Its driver.
    options : mapping
        Of the link.
    devices : str
        What the driver calls its list: ``devices`` or ``sensors``.
    found : iterable of mapping
        The options of each; one key ``#`` may hold a remark.
    """
    lines = ["[[source]]", 'name = "probes"', 'thing = "river"', f'driver = "{driver}"', "", "[source.options]"]
    lines += [f"{key} = {_toml(value)}" for key, value in options.items()]
    for item in found:
        lines += ["", f"[[source.options.{devices}]]"]
        lines += [f"# {item['#']}"] if item.get("#") else []
        lines += [f"{key} = {_toml(value)}" for key, value in item.items() if key != "#"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # Texts, numbers and truth are written in JSON as in TOML.
    return json.dumps(value, ensure_ascii=False)
