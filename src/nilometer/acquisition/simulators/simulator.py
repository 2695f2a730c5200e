"""The simulator contract: a virtual instrument that speaks its real protocol over a real link, with faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from nilometer.model.entities import SampleKind

__all__ = ["SPINE", "Fault", "Feed", "Reading", "Simulator", "SimulatorInfo", "WireFault", "active_fault", "dialled"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a virtual probe sees now.

    `value` is NaN for none; `time` (µs) is given where the instrument itself knows when (an analyser's sample), else
    None; `mark` is what it says of its value; `sample` what it measured.
    """

    value: float
    time: int | None = None
    mark: str | None = None
    sample: SampleKind = SampleKind.WATER


class Feed(Protocol):
    """The water a virtual instrument stands in: observed property (or column) key → reading, at any moment."""

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return the readings at `time` (µs since 1970 UTC); a key that is absent is not measured now."""


class WireFault(StrEnum):
    """Faults of the wire; value faults (stuck, spike, drift) are a feed's.

    The first four are the spine's, which every simulator has; others name what they have.
    """

    SILENCE = "silence"
    WRONG_CRC = "wrong_crc"
    SWAPPED_WORDS = "swapped_words"
    RESTART = "restart"
    LATE = "late"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    COUNTER_RESTART = "counter_restart"
    NOISE = "noise"
    PARITY = "parity"


SPINE = (WireFault.SILENCE, WireFault.WRONG_CRC, WireFault.SWAPPED_WORDS, WireFault.RESTART)
"""The faults of the wire that every simulator has."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with its time: `kind` is a `WireFault` or ``stuck``, ``spike``, ``drift``.

    `start_s` and `duration_s` count from the simulator's start; `amount` is the height of a spike, the drift an
    hour, in the unit of the value, or how late an answer comes, s; `channel` narrows a value fault to one channel.
    """

    kind: str
    start_s: float
    duration_s: float
    amount: float = 0.0
    channel: str | None = None


def active_fault(faults: Iterable[Fault], kind: WireFault, elapsed_s: float) -> Fault | None:
    """Return the fault of a kind that is on so many seconds after the start; None: there is none."""
    on = (fault for fault in faults if fault.kind == kind and 0 <= elapsed_s - fault.start_s < fault.duration_s)
    return next(on, None)


def dialled(target: str) -> dict[str, str | int]:
    """Return host and port of a ``host:port`` to dial; without a host, this machine.

    Examples
    --------
    >>> dialled(":9003")
    {'host': '127.0.0.1', 'port': 9003}
    """
    host, _, port = target.rpartition(":")
    return {"host": host or "127.0.0.1", "port": int(port)}


class Simulator(Protocol):
    """A virtual instrument at work."""

    async def start(self) -> Mapping[str, Any]:
        """Open the link on a free loopback port (or the one asked for) and return the options its driver needs.

        Returns
        -------
        mapping of str to object
            Such as ``{"host": "127.0.0.1", "port": 41234, "instrument": "yosemitech_y4000"}``.
        """

    async def run(self) -> None:
        """Serve until cancelled; closes the link when it leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorInfo:
    """A module constant ``SIMULATOR`` of a module in `nilometer.acquisition.simulators`.

    `make(instrument, feed, clock, faults, **link)` gives the simulator; `link` takes what the link needs (``port``,
    ``host``, ``path``, ``target``).
    """

    name: str
    title: str
    make: Callable[..., Simulator]
