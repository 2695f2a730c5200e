"""A virtual Linux IIO device: a folder of the form of sysfs, whose raw values are written anew from the feed.

It is a tree of files of the documented form, no kernel: what a real driver does with EBUSY or a sleeping device it can
only show as an empty file.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nilometer import units
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault
from nilometer.model.properties import vocabulary

__all__ = ["SIMULATOR", "IioDevice"]

LONGEST_NAP_S = 0.05


class _Part(NamedTuple):
    channel: str
    property: str
    unit: str
    scale: float
    offset: int


_PARTS = (
    _Part("temp", "water_temperature", "degree_Celsius", 0.01, 100),  # raw counts of 0.01 °C, in thousandths
    _Part("ph", "ph", "1", 0.001, 0),
    _Part("pressure", "air_pressure", "kPa", 0.001, 0),
    _Part("electricalconductivity", "conductivity", "S m-1", 0.0001, 0),
)


class IioDevice:
    """One device; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property.
    clock : callable
        The present, µs since 1970 UTC.
    faults : sequence of Fault
        ``silence`` (empty files), ``wrong_crc`` (what is no number), ``swapped_words`` (digits turned round),
        ``restart`` (the device is gone for a while), and the value faults.
    path : str
        The folder to make it in; empty: a temporary one.
    interval_s : float
        From measurement to measurement, in the clock's seconds.
    """

    def __init__(
        self, feed: Feed, clock: Clock, faults: Sequence[Fault] = (), *, path: str = "", interval_s: float = 0.1
    ) -> None:
        self._faults, value_faults = split_faults(faults)
        self._clock, self._began = clock, clock()
        self._feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._given, self._interval_s = path, interval_s
        self._root: Path | None = None

    async def start(self) -> Mapping[str, Any]:
        """Make the folder and return the driver's options."""
        self._root = Path(self._given or tempfile.mkdtemp(prefix="nilometer-iio-"))
        self._write()
        named = {part.channel: {"property": part.property} for part in _PARTS}
        return {"path": str(self._root), "channels": named}

    async def run(self) -> None:
        """Measure until cancelled; the folder is gone when it leaves."""
        if self._root is None:
            await self.start()
        try:
            while True:
                self._write()
                await asyncio.sleep(min(self._interval_s, LONGEST_NAP_S))
        finally:
            if self._root is not None:
                shutil.rmtree(self._root / "iio:device0", ignore_errors=True)
                if not self._given:
                    shutil.rmtree(self._root, ignore_errors=True)

    def _write(self) -> None:
        folder = (self._root or Path()) / "iio:device0"
        if self._active(WireFault.RESTART):
            shutil.rmtree(folder, ignore_errors=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        readings = self._feed.at(self._clock())
        _put(folder / "name", "nilometer-sonde")
        for part in _PARTS:
            reading = readings.get(part.property)
            if reading is None or math.isnan(reading.value):
                continue
            scale, offset = units.affine(vocabulary()[part.property].unit, part.unit)
            raw = round((reading.value * scale + offset) / part.scale) - part.offset
            # Temperature is in thousandths of a degree: its scale is, too.
            factor = 1000.0 if part.channel == "temp" else 1.0
            _put(folder / f"in_{part.channel}_scale", f"{part.scale * factor:g}")
            _put(folder / f"in_{part.channel}_offset", str(part.offset))
            _put(folder / f"in_{part.channel}_raw", self._spoilt(str(raw)))

    def _spoilt(self, raw: str) -> str:
        if self._active(WireFault.SILENCE):
            return ""
        if self._active(WireFault.WRONG_CRC):
            return "?"
        return raw[::-1] if self._active(WireFault.SWAPPED_WORDS) else raw

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None


def _put(path: Path, text: str) -> None:
    """Write a file at once, so that nobody reads half of it."""
    new = path.with_name(f".{path.name}")
    new.write_text(f"{text}\n" if text else "", encoding="ascii")
    new.replace(path)


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> IioDevice:
    """Return a device; ``path`` names the folder to make it in."""
    link.pop("port", None)
    return IioDevice(feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="iio", title="Linux IIO device (a folder of the form of sysfs)", make=make)
