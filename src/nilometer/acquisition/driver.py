"""The driver contract: all that a driver promises, and all that it is given.

A driver is one module with a constant ``DRIVER = DriverInfo(...)`` and a class that meets `Driver`. It turns bytes into
`RawBatch`es and hands them to its `Sink`; it never calibrates, never flags, never touches the store, and acknowledges
its peer only when a batch's `acknowledge` is called, which is after the rows are on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

__all__ = [
    "Channel",
    "Clock",
    "Driver",
    "DriverInfo",
    "DriverOptions",
    "RawBatch",
    "Sink",
    "SourceReport",
    "SourceState",
]

Clock = Callable[[], int]
"""The present as µs since 1970 UTC. Given to a driver, never fetched by it: a demo runs faster than the wall clock."""


class DriverOptions(BaseModel):
    """The settings of one source in ``nilometer.toml``; a driver's own options derive from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def listening(self) -> Sequence[tuple[Literal["tcp", "udp"], str, int]]:
        """Return the ports that the source opens for others to dial: kind, host, port; the doctor tries them."""
        return ()


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of values that a source offers.

    Parameters
    ----------
    key : str
        Unique within its source, and stable: ``temperature``, ``SDDPT.depth``, ``MN123/w01018-Rtd``.
    observed_property : str, optional
        Vocabulary key, where the driver or the instrument file knows it.
    unit : str, optional
        Unit text of the raw result; None where the wire does not say it and no table gives it.
    name : str
        For people.
    """

    key: str
    observed_property: str | None = None
    unit: str | None = None
    name: str = ""


def _nothing() -> None:
    return None


@dataclass(slots=True, kw_only=True)
class RawBatch:
    """Raw results in arrival order, as columns.

    Parameters
    ----------
    channels : sequence of Channel
        What the indices in `channel` mean; may grow from batch to batch.
    channel : ndarray of int32, shape (n,)
        Index into `channels`.
    phenomenon_time : ndarray of int64, shape (n,)
        µs since 1970 UTC, rounded to the clock resolution of the driver.
    raw_result : ndarray of float64, shape (n,)
        NaN where the instrument said that it has no value.
    duration : ndarray of int64, shape (n,), optional
        µs; the interval a value stands for.
    result_time : ndarray of int64, shape (n,), optional
        µs; `nilometer.model.batch.NO_TIME` where absent.
    censored : ndarray of int8, shape (n,), optional
        -1 below, +1 above the measurable range.
    sample : ndarray of int8, shape (n,), optional
        `SampleKind`; None: all of the water.
    mark : sequence of str or None, optional
        What the instrument said of each value, verbatim.
    extra : sequence of str or None, optional
        Parameters as JSON.
    latitude, longitude, depth : ndarray of float64, shape (n,), optional
        degree_north, degree_east, m; NaN where unknown.
    syntax : ndarray of uint8, shape (n,), optional
        What was verified of the frame a value came in: 1 length and checksum, 2 nothing; None: nothing of any.
    acknowledge : callable
        To be called once, from any thread, when the rows are durable.
    """

    channels: Sequence[Channel]
    channel: NDArray[np.int32]
    phenomenon_time: NDArray[np.int64]
    raw_result: NDArray[np.float64]
    duration: NDArray[np.int64] | None = None
    result_time: NDArray[np.int64] | None = None
    censored: NDArray[np.int8] | None = None
    sample: NDArray[np.int8] | None = None
    mark: Sequence[str | None] | None = None
    extra: Sequence[str | None] | None = None
    latitude: NDArray[np.float64] | None = None
    longitude: NDArray[np.float64] | None = None
    depth: NDArray[np.float64] | None = None
    syntax: NDArray[np.uint8] | None = None
    acknowledge: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self.channel)


class SourceState(StrEnum):
    """What a source is doing, as people see it."""

    STARTING = "starting"
    LIVE = "live"
    SILENT = "silent"  # the link stands, the device does not answer
    DISCONNECTED = "disconnected"  # no link; it is being tried again
    STOPPED = "stopped"
    BROKEN = "broken"  # the driver itself failed; see the detail


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """A change of state, or a thing worth knowing, said by a driver.

    `device` names one of several devices behind a source (``unit 3``, ``MN 8843…``), empty for the source as a whole;
    `bad_frames` counts frames refused since the last report.
    """

    state: SourceState
    detail: str = ""
    device: str = ""
    bad_frames: int = 0


class Sink(Protocol):
    """Where a driver delivers."""

    async def emit(self, batch: RawBatch) -> None:
        """Deliver a batch; waits while the pipeline is full, which is how back-pressure reaches the wire."""

    def report(self, report: SourceReport) -> None:
        """Say how the source is doing; never blocks."""

    def newest(self, beginning: str = "") -> Mapping[str, int]:
        """Return the newest phenomenon_time that is stored of each channel, µs since 1970 UTC: where to go on from.

        Of those channels alone whose keys begin so: a source may have thousands.
        """
        ...


class Driver(Protocol):
    """A source at work."""

    async def run(self, sink: Sink) -> None:
        """Acquire until cancelled: connect, reconnect with back-off, report states, deliver batches.

        Raises
        ------
        asyncio.CancelledError
            When told to end; links are closed before it leaves.
        ConfigError
            When the options can never work. Everything else is reported and tried again.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverInfo:
    """The typed manifest of a driver.

    Parameters
    ----------
    name : str
        The module's name, used in ``nilometer.toml``.
    title, protocol : str
        For people; `protocol` is the codec's name, as in ``nilometer decode PROTOCOL``.
    makers, models : tuple of str
        Whose instruments it was written for.
    observed_properties : mapping of str to str
        Vocabulary key to raw unit, where the protocol fixes them; empty where instrument files or the config do.
    manual, revision : str
        The document it follows.
    maintainer : str
        Who answers for it.
    maturity : {"experimental", "usable", "proven"}
        How far it has been tried.
    options : type of DriverOptions
        Its settings.
    make : callable
        ``make(options, clock)`` gives the `Driver`.
    simulator : str, optional
        The simulator (module of `nilometer.acquisition.simulators`) that can stand in for its peer.
    clock_resolution_us : int
        Times are rounded to it.
    mark_scheme : callable, optional
        Gives, for its options, the table that judges the protocol's own marks (``hj212-2017``), or None.
    """

    name: str
    title: str
    protocol: str
    options: type[DriverOptions]
    make: Callable[[Any, Clock], Driver]
    makers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    observed_properties: Mapping[str, str] = field(default_factory=dict)
    manual: str = ""
    revision: str = ""
    maintainer: str = ""
    maturity: Literal["experimental", "usable", "proven"] = "experimental"
    simulator: str | None = None
    clock_resolution_us: int = 1000
    mark_scheme: Callable[[Any], str | None] | None = None
