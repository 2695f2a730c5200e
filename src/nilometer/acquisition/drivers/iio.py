"""Linux IIO: MEMS and ADC channels of this machine, read from sysfs; raw values scaled to the unit of their type."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.driver import (
    Channel,
    Clock,
    DriverInfo,
    DriverOptions,
    RawBatch,
    Sink,
    SourceReport,
    SourceState,
)
from nilometer.acquisition.protocols.iio import UNITS, IioChannel, channels_in, files_of, value_of
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable, rounded
from nilometer.errors import FrameError, LinkError
from nilometer.model.properties import vocabulary
from nilometer.units import canonical

__all__ = ["DRIVER", "Iio", "IioChannelOptions", "IioOptions"]

Seconds = Annotated[float, Field(gt=0)]
MOST_BYTES = 4096


class IioChannelOptions(BaseModel):
    """What a channel measures: a vocabulary key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    property: str

    @field_validator("property")
    @classmethod
    def _known(cls, key: str) -> str:
        if key not in vocabulary():
            raise ValueError(f"{key!r} is not in the vocabulary")
        return key


class IioOptions(DriverOptions):
    """Settings of an IIO source; docs/drivers/iio.md explains each."""

    path: str = "/sys/bus/iio/devices"
    device: str | None = None
    channels: dict[str, IioChannelOptions] = Field(default_factory=dict)
    only_named: bool = False
    poll_interval_s: Seconds = 1.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0


@dataclass(slots=True)
class _Reading:
    """One look at the devices: values by channel, and what went wrong by channel."""

    values: list[tuple[str, IioChannel, float]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


class Iio:
    """The IIO devices of one machine; meets `Driver`."""

    def __init__(self, options: IioOptions, clock: Clock) -> None:
        self.options, self._clock = options, clock
        self._table = ChannelTable()
        self._told: tuple[SourceState, str] | None = None
        self._newest = -(1 << 62)

    async def run(self, sink: Sink) -> None:
        """Read until cancelled."""
        self._tell(sink, SourceState.STARTING)
        backoff = Backoff(self.options.reconnect_first_s, self.options.reconnect_longest_s)
        while True:
            try:
                seen = await asyncio.to_thread(self._look)
            except LinkError as error:
                wait_s = backoff.next_s()
                self._tell(sink, SourceState.DISCONNECTED, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)
                continue
            backoff.reset()
            await self._deliver(sink, seen)
            await asyncio.sleep(self.options.poll_interval_s)

    async def _deliver(self, sink: Sink, seen: _Reading) -> None:
        if seen.values:
            self._tell(sink, SourceState.LIVE, "; ".join(seen.silent))
        else:
            self._tell(sink, SourceState.SILENT, "; ".join(seen.silent or seen.broken) or "no channel has a value")
        if seen.broken:
            state = SourceState.LIVE if seen.values else SourceState.SILENT
            sink.report(SourceReport(state=state, detail=seen.broken[0], bad_frames=len(seen.broken)))
        if not seen.values:
            return
        # A poll shorter than the clock's resolution, or a clock that stands still, must not revise the row before.
        now = rounded(self._clock())
        if self._newest - 10_000_000 < now <= self._newest:
            now = self._newest + CLOCK_RESOLUTION_US
        self._newest = now
        indices = [self._table.index(key, partial(self._channel, key, channel)) for key, channel, _ in seen.values]
        await sink.emit(
            RawBatch(
                channels=self._table.channels,
                channel=np.array(indices, np.int32),
                phenomenon_time=np.full(len(indices), now, np.int64),
                raw_result=np.array([value for _, _, value in seen.values], np.float64),
            )
        )

    def _channel(self, key: str, channel: IioChannel) -> Channel:
        known = self.options.channels.get(key) or self.options.channels.get(channel.key)
        text = UNITS.get(channel.type, (None, 1.0))[0]
        unit = None if text is None else canonical(text)
        observed = known.property if known is not None else "ph" if channel.type == "ph" else None
        return Channel(key, observed, unit, channel.key.replace("_", " "))

    def _look(self) -> _Reading:
        """Read every channel once; blocking, as a sensor measures while its file is read.

        Raises
        ------
        LinkError
            If there is no such device.
        """
        folders = self._folders()
        seen = _Reading()
        for folder in folders:
            name = _text(folder / "name") or folder.name
            prefix = f"{name}." if len(folders) > 1 else ""
            try:
                present = os.listdir(folder)  # noqa: PTH208 -- names alone
            except OSError as error:
                seen.silent.append(f"{name}: {error.strerror}")
                continue
            for channel in channels_in(present):
                if self.options.only_named and channel.key not in self.options.channels:
                    continue
                self._read(seen, folder, prefix, channel, set(present))
        return seen

    @staticmethod
    def _read(seen: _Reading, folder: Path, prefix: str, channel: IioChannel, present: set[str]) -> None:
        key = prefix + channel.key
        try:
            texts = {
                name: (folder / name).read_bytes()[:MOST_BYTES].decode("utf-8", "replace")
                for name in files_of(channel, present)
            }
        except OSError as error:
            # EBUSY: a buffer of the device is on; EAGAIN, EIO: it sleeps.
            seen.silent.append(f"{key}: {error.strerror}")
            return
        if not (texts.get(channel.file) or "").strip():
            seen.silent.append(f"{key}: its file is empty")
            return
        try:
            seen.values.append((key, channel, value_of(channel, texts)))
        except FrameError as error:
            seen.broken.append(str(error))

    def _folders(self) -> list[Path]:
        root, wanted = Path(self.options.path), self.options.device
        if (root / "name").is_file():
            found = [root]
        else:
            # Numbers of devices change from start to start: names and labels stay.
            found = sorted(path for path in root.glob("iio:device*") if (path / "name").exists())
        if wanted is not None:
            found = [path for path in found if wanted in (path.name, _text(path / "name"), _text(path / "label"))]
        if not found:
            raise LinkError(f"no IIO device{f' {wanted!r}' if wanted else ''}", link=f"iio://{root}")
        return found

    def _tell(self, sink: Sink, state: SourceState, detail: str = "") -> None:
        if self._told != (state, detail):
            self._told = (state, detail)
            sink.report(SourceReport(state=state, detail=detail))


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:MOST_BYTES].decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _make(options: IioOptions, clock: Clock) -> Iio:
    return Iio(options, clock)


DRIVER = DriverInfo(
    name="iio",
    title="Linux IIO (MEMS, ADC)",
    protocol="iio",
    options=IioOptions,
    make=_make,
    makers=(
        "Analog Devices",
        "Bosch",
        "STMicroelectronics",
        "Atlas Scientific",
        "and whoever has an IIO driver in Linux",
    ),
    observed_properties={"ph": "1"},
    manual="Linux kernel, Documentation/ABI/testing/sysfs-bus-iio",
    revision="6.x",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="iio",
    clock_resolution_us=CLOCK_RESOLUTION_US,
)
