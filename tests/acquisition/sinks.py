"""Sinks that remember, stall, and can be waited on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import RawBatch, SourceReport, SourceState


class RecordingSink:
    """Keeps all batches and reports; `open` lets batches through, cleared it stalls them.

    It acknowledges each batch that it has taken, as the pipeline does once the rows are durable, unless told not to.
    """

    def __init__(self, *, acknowledges: bool = True) -> None:
        self.acknowledges = acknowledges
        self.batches: list[RawBatch] = []
        self.reports: list[SourceReport] = []
        self.open = asyncio.Event()
        self.open.set()
        self.outstanding = 0
        self.most_outstanding = 0
        self._changed = asyncio.Event()

    async def emit(self, batch: RawBatch) -> None:
        self.outstanding += 1
        self.most_outstanding = max(self.most_outstanding, self.outstanding)
        self._changed.set()
        try:
            await self.open.wait()
        finally:
            self.outstanding -= 1
        self.batches.append(batch)
        if self.acknowledges:
            batch.acknowledge()
        self._changed.set()

    def report(self, report: SourceReport) -> None:
        self.reports.append(report)
        self._changed.set()

    def newest(self, beginning: str = "") -> dict[str, int]:
        found: dict[str, int] = {}
        for batch in self.batches:
            for index, time in zip(batch.channel, batch.phenomenon_time.tolist(), strict=True):
                key = batch.channels[index].key
                if key.startswith(beginning):
                    found[key] = max(found.get(key, time), time)
        return found

    async def until(self, condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"waited {within_s} s in vain; reports: {self.reports[-8:]}") from None

    def forget(self) -> None:
        self.batches.clear()
        self.reports.clear()

    def said(self, state: SourceState) -> bool:
        return any(report.state is state for report in self.reports)

    async def until_said(self, state: SourceState) -> None:
        await self.until(lambda: self.said(state))

    async def until_rows(self, batches: int = 1) -> None:
        await self.until(lambda: len(self.batches) >= batches)

    def rows(self) -> dict[str, tuple[float, str | None]]:
        """Return the newest value and unit of each observed property."""
        newest = {}
        for batch in self.batches:
            for index, value in zip(batch.channel, batch.raw_result, strict=True):
                channel = batch.channels[index]
                newest[channel.observed_property or channel.key] = (float(value), channel.unit)
        return newest
