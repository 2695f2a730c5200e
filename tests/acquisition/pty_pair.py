"""A null modem of two pseudo-terminals, with stable names, that can be unplugged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from pathlib import Path


class PtyPair:
    """Two serial ports joined by a cable: `near` and `far` are links to their present devices.

    With a `speed` (``termios.B9600``) bytes come through whole only while the near end is set to it.
    """

    def __init__(self, folder: Path, speed: int | None = None) -> None:
        self._speed = speed
        self.near, self.far = folder / "near", folder / "far"
        self._masters: dict[Path, int] = {}
        self._slaves: dict[Path, int] = {}
        for end in (self.near, self.far):
            self.plug(end)

    def plug(self, end: Path) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        end.unlink(missing_ok=True)
        end.symlink_to(os.ttyname(slave))
        self._masters[end], self._slaves[end] = master, slave
        asyncio.get_running_loop().add_reader(master, self._pump, end)

    def unplug(self, end: Path) -> None:
        master = self._masters.pop(end)
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
        os.close(self._slaves.pop(end))
        end.unlink()

    def _pump(self, end: Path) -> None:
        other = self.far if end == self.near else self.near
        with contextlib.suppress(OSError):
            data = os.read(self._masters[end], 4096)
            if self._speed is not None and termios.tcgetattr(self._slaves[self.near])[4] != self._speed:
                data = bytes(byte ^ 0xA5 for byte in data)  # bits sampled at another speed
            if other in self._masters:
                os.write(self._masters[other], data)

    def close(self) -> None:
        for end in list(self._masters):
            self.unplug(end)
