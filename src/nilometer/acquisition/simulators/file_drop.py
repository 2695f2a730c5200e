"""A virtual logger that drops a CSV file into a folder, as one does over FTP or a network share."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault
from nilometer.errors import ConfigError
from nilometer.model.properties import vocabulary

__all__ = ["SIMULATOR", "FileDropSimulator"]

LONGEST_NAP_S = 0.05
MOST_HELD = 10_000
WIRE = (
    *(WireFault.SILENCE, WireFault.WRONG_CRC, WireFault.RESTART),
    *(WireFault.LATE, WireFault.DUPLICATE, WireFault.OUT_OF_ORDER),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FileDropSimulator:
    """One logger; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or channel key.
    clock : callable
        The present, µs since 1970 UTC.
    faults : sequence of Fault
        ``silence`` (no file), ``wrong_crc`` (a file of spoilt bytes), ``restart`` (the folder is away), ``late`` (files
        come when it ends), ``duplicate`` (each file twice), ``out_of_order`` (every two swapped), and value faults.
    path : str
        The folder; "": a temporary one, which goes with the simulator.
    interval_s : float
        From file to file, in the clock's seconds.
    """

    def __init__(
        self, feed: Feed, clock: Clock, faults: Sequence[Fault] = (), *, path: str = "", interval_s: float = 60.0
    ) -> None:
        self._faults, value_faults = split_faults(faults, WIRE)
        self._clock, self._began = clock, clock()
        self._feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._temporary = None if path else tempfile.TemporaryDirectory()
        self._folder = Path(path or (self._temporary.name if self._temporary is not None else ".")) / "drop"
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._tick = self._began
        self._number = 0
        self._held: list[str] = []

    async def start(self) -> Mapping[str, Any]:
        """Make the folder, and return the options of the driver that watches it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return {"path": str(self._folder), "complete": "renamed"}

    async def run(self) -> None:
        """Drop files until cancelled."""
        if not self._folder.exists():
            await self.start()
        away = self._folder.with_name("away")
        try:
            while True:
                is_gone = self._active(WireFault.RESTART)
                if is_gone and self._folder.exists():
                    self._folder.rename(away)
                elif not is_gone and away.exists():
                    away.rename(self._folder)
                if not is_gone:
                    self._move_on()
                await asyncio.sleep(min(max((self._tick - self._clock()) / 1e6, 0.001), LONGEST_NAP_S))
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()

    def _move_on(self) -> None:
        now = self._clock()
        if now - self._tick > 1000 * self._interval_us:
            self._tick = now  # A clock that jumped far ahead is followed, not made up for.
        while self._tick <= now:
            text = self._text(self._tick)
            self._tick += self._interval_us
            if self._active(WireFault.SILENCE):
                continue
            swapped = self._active(WireFault.OUT_OF_ORDER)
            if self._active(WireFault.LATE) or (swapped and not self._held):
                self._held = [*self._held, text][-MOST_HELD:]
                continue
            files = [text, *self._held] if swapped else [*self._held, text]
            self._held = []
            for one in files * (2 if self._active(WireFault.DUPLICATE) else 1):
                self._drop(one.encode())

    def _text(self, tick: int) -> str:
        seen = {name: item for name, item in self._feed.at(tick).items() if not math.isnan(item.value)}
        units = {name: vocabulary()[name].unit if name in vocabulary() else "1" for name in seen}
        time = (_EPOCH + timedelta(microseconds=tick)).isoformat(timespec="milliseconds")
        head = ",".join(["time", *(f"{name} ({units[name]})" for name in seen)])
        return f"{head}\n{','.join([time, *(f'{item.value:g}' for item in seen.values())])}\n"

    def _drop(self, content: bytes) -> None:
        if self._active(WireFault.WRONG_CRC):
            content = bytes(byte ^ 0xA5 for byte in content)
        self._number += 1
        path = self._folder / f"water-{self._number:06d}.csv"
        # Under another name while it is written, as a good uploader does.
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(content)
        part.rename(path)

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> FileDropSimulator:
    """Return a logger; see `FileDropSimulator` for `link`: a port is not needed."""
    if "target" in link:
        raise ConfigError(
            "--connect", seen=link["target"], reason="a logger drops files into a folder (--serial FOLDER)"
        )
    link.pop("port", None)
    return FileDropSimulator(feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="file_drop", title="Logger that drops CSV files into a folder", make=make)
