"""A wire with faults between two TCP peers: it passes bytes on, holds them back, spoils them, or is cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum

from nilometer.acquisition.links.tcp import TcpLink, connect, listen
from nilometer.errors import LinkError

__all__ = ["Relay", "Wire"]

NAP_S = 0.02


class Wire(StrEnum):
    """What becomes of the bytes."""

    WHOLE = "whole"
    MUTE = "mute"
    """Held back, both ways; they arrive when it is whole again."""
    GARBLED = "garbled"
    """From the server, every 61st byte is another one."""
    CUT = "cut"
    """Connections are closed, and new ones at once."""


class Relay:
    """Stands before a server on a port of its own.

    Parameters
    ----------
    host, port : str, int
        The server.
    wire : callable
        Gives the state of the wire, asked again and again.
    """

    def __init__(self, host: str, port: int, wire: Callable[[], Wire]) -> None:
        self._host, self._port, self._wire = host, port, wire

    async def serve(self, ready: Callable[[int], None], *, port: int = 0) -> None:
        """Listen, tell `ready` on which port, and pass bytes on until cancelled."""
        listener = await listen("127.0.0.1", port, self._serve)
        try:
            ready(listener.port)
            await asyncio.Event().wait()
        finally:
            await listener.close()

    async def _serve(self, near: TcpLink) -> None:
        if self._wire() is Wire.CUT:
            return
        with contextlib.suppress(LinkError):
            far = await connect(self._host, self._port)
            tasks = [
                asyncio.create_task(self._pass(near, far, spoils=False)),
                asyncio.create_task(self._pass(far, near, spoils=True)),
                asyncio.create_task(self._until_cut()),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                try:
                    await asyncio.gather(*tasks, return_exceptions=True)
                finally:
                    await far.close()

    async def _pass(self, source: TcpLink, target: TcpLink, *, spoils: bool) -> None:
        while True:
            data = await source.read()
            while self._wire() is Wire.MUTE:
                await asyncio.sleep(NAP_S)
            if spoils and self._wire() is Wire.GARBLED:
                spoilt = bytearray(data)
                for place in range(0, len(spoilt), 61):
                    spoilt[place] ^= 0x5A
                data = bytes(spoilt)
            await target.write(data)

    async def _until_cut(self) -> None:
        while self._wire() is not Wire.CUT:
            await asyncio.sleep(NAP_S)
