"""Frames or messages of one connection on their way to the sink: decoded, made rows, and the source's state said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.can_rows import ReadingRows
from nilometer.acquisition.can_stack import CanStack
from nilometer.acquisition.driver import Clock, Sink, SourceReport, SourceState
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.j1939_transport import Message
from nilometer.errors import FrameError, LinkError

__all__ = ["CanStream", "Patience", "Teller"]


class Patience(NamedTuple):
    """How long a source may say nothing before it is silent, and before its connection is opened anew, s."""

    silent_after_s: float
    reopen_s: float


class Teller:
    """Says a source's state to its sink, each change once."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._told: tuple[SourceState, str] | None = None

    @property
    def is_live(self) -> bool:
        """Say whether the last word was that it is live."""
        return self._told is not None and self._told[0] is SourceState.LIVE

    def tell(self, state: SourceState, detail: str = "") -> None:
        """Report a state, unless it was the last word."""
        if self._told != (state, detail):
            self._told = (state, detail)
            self._sink.report(SourceReport(state=state, detail=detail))

    def bad(self, errors: list[str]) -> None:
        """Report frames that were refused."""
        if errors:
            state = SourceState.LIVE if self.is_live else SourceState.SILENT
            self._sink.report(SourceReport(state=state, detail=errors[0], bad_frames=len(errors)))


class CanStream:
    """One connection."""

    def __init__(
        self, stack: CanStack, rows: ReadingRows, sink: Sink, teller: Teller, clock: Clock, patience: Patience
    ) -> None:
        self._stack, self._rows, self._sink, self._teller, self._clock = stack, rows, sink, teller, clock
        self._patience = patience
        self._heard = asyncio.get_running_loop().time()
        self.answered = asyncio.Event()

    async def take(
        self, said: Iterable[CanFrame | Message], bad: Iterable[str] = (), backoff: Backoff | None = None
    ) -> None:
        """Take what came, deliver what it says, and count what was refused."""
        arrival = self._clock()
        errors = list(bad)
        good = False
        for one in said:
            if isinstance(one, CanFrame) and one.error:
                errors.append("error frame: the controller saw a fault on the bus")
                continue
            try:
                heard = self._stack.take(one)
            except FrameError as error:
                errors.append(str(error))
                continue
            if heard is None:
                continue
            good = True
            if heard.is_answer:
                self.answered.set()
            if heard.position is not None:
                self._rows.place(*heard.position, arrival)
            self._rows.take(heard.readings, heard.source, arrival, heard.time)
        if good:
            self._heard = asyncio.get_running_loop().time()
            if backoff is not None:
                backoff.reset()
            self._teller.tell(SourceState.LIVE, self._several())
        self._teller.bad(errors)
        batch = self._rows.flush()
        if batch is not None:
            await self._sink.emit(batch)

    def idle(self, name: str) -> None:
        """Nothing came for a while: say so when it was long.

        Raises
        ------
        LinkError
            If it was so long that the connection is to be opened anew: a gateway without power says no goodbye.
        """
        silence_s = asyncio.get_running_loop().time() - self._heard
        if silence_s >= self._patience.silent_after_s:
            self._teller.tell(SourceState.SILENT, f"nothing known for {self._patience.silent_after_s:g} s on {name}")
        if silence_s >= self._patience.reopen_s:
            raise LinkError(f"nothing known for {self._patience.reopen_s:g} s", link=name)

    def _several(self) -> str:
        others = self._rows.others
        if not others:
            return ""
        key, source = next(iter(others.items()))
        return f"several senders tell {key}, {source} among them: it keeps to the first (by_source keeps them apart)"
