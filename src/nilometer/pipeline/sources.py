"""Running sources: each driver is a task that is restarted when it fails, and whose states people can see."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from nilometer.acquisition.driver import Clock, Driver, DriverInfo, RawBatch, SourceReport, SourceState
from nilometer.config import SourceConfig
from nilometer.errors import ConfigError
from nilometer.pipeline.log import Log

__all__ = ["DeviceStatus", "RunningSource", "SourceStatus"]

RESTART_S = 5.0
_WORST_FIRST = (
    SourceState.BROKEN,
    SourceState.DISCONNECTED,
    SourceState.SILENT,
    SourceState.STARTING,
    SourceState.LIVE,
)
_log = Log(__name__)


@dataclass(slots=True)
class DeviceStatus:
    """One device behind a source."""

    device: str
    state: SourceState
    detail: str
    since: int


@dataclass(slots=True)
class SourceStatus:
    """How a source is doing; `since` is µs since 1970 UTC, `received` counts rows, `bad_frames` refused frames."""

    name: str
    driver: str
    thing: str
    state: SourceState = SourceState.STARTING
    detail: str = ""
    since: int = 0
    devices: dict[str, DeviceStatus] = field(default_factory=dict)
    received: int = 0
    bad_frames: int = 0


class RunningSource:
    """One configured source at work; it is also the `Sink` of its driver.

    Parameters
    ----------
    config : SourceConfig
        As configured.
    info : DriverInfo
        The driver's manifest.
    make : callable
        Gives the driver; called again when it has failed.
    clock : callable
        The present, µs since 1970 UTC.
    deliver : coroutine function
        Takes each batch; waits while the pipeline is full.
    changed : callable
        Told of every change of state.
    newest : callable
        Gives the newest phenomenon_time that is stored of each channel whose key begins with a text.
    """

    def __init__(
        self,
        config: SourceConfig,
        info: DriverInfo,
        make: Callable[[], Driver],
        clock: Clock,
        deliver: Callable[[RunningSource, RawBatch], Coroutine[None, None, None]],
        changed: Callable[[RunningSource, SourceReport], None],
        newest: Callable[[RunningSource, str], Mapping[str, int]],
    ) -> None:
        self.config, self.info, self._make = config, info, make
        self._clock, self._deliver, self._changed, self._newest = clock, deliver, changed, newest
        self.status = SourceStatus(config.name, info.name, config.thing, since=clock())
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False

    def start(self) -> None:
        """Begin acquiring."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"source {self.config.name}")

    async def stop(self) -> None:
        """End the driver and wait until its links are closed."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def emit(self, batch: RawBatch) -> None:
        """Deliver rows; see `nilometer.acquisition.driver.Sink`."""
        self.status.received += len(batch)
        if self.status.state is SourceState.STARTING or self._has_failed:
            self.report(SourceReport(state=SourceState.LIVE))
        await self._deliver(self, batch)

    def report(self, report: SourceReport) -> None:
        """Note a state; see `nilometer.acquisition.driver.Sink`."""
        status, now = self.status, self._clock()
        self._has_failed = False
        status.bad_frames += report.bad_frames
        if report.device:
            known = status.devices.get(report.device)
            if known is not None and (known.state, known.detail) == (report.state, report.detail):
                return
            changed = known is None or known.state is not report.state
            since = now if known is None or changed else known.since
            status.devices[report.device] = DeviceStatus(report.device, report.state, report.detail, since)
            self._sum_up(now)
        else:
            changed = status.state is not report.state
            if not changed and status.detail == report.detail:
                return
            status.since = now if changed else status.since
            status.state, status.detail = report.state, report.detail
        if changed:
            self._changed(self, report)

    def newest(self, beginning: str = "") -> Mapping[str, int]:
        """Return how far its channels have come; see `nilometer.acquisition.driver.Sink`."""
        return self._newest(self, beginning)

    def _sum_up(self, now: int) -> None:
        """Let the source be as its worst device: one silent probe on a bus has to be seen."""
        states = {device.state: device for device in self.status.devices.values()}
        worst = next((state for state in _WORST_FIRST if state in states), self.status.state)
        if worst is not self.status.state:
            self.status.state, self.status.since = worst, now
        device = states.get(worst)
        self.status.detail = f"{device.device}: {device.detail}" if device is not None and device.detail else ""

    async def _run(self) -> None:
        while True:
            try:
                await self._make().run(self)
            except ConfigError as error:
                self.report(SourceReport(state=SourceState.BROKEN, detail=str(error)))
                return
            except Exception as error:  # noqa: BLE001 -- a driver may be a stranger's; it fails alone and is tried again
                _log.exception("driver failed", source=self.config.name, driver=self.info.name)
                detail = f"{type(error).__name__}: {error}; trying again in {RESTART_S:g} s"
                self.report(SourceReport(state=SourceState.BROKEN, detail=detail))
                # What was known of its devices is of the driver that failed: the next one speaks for them anew.
                self.status.devices.clear()
                self._has_failed = True
            else:
                self.report(SourceReport(state=SourceState.STOPPED, detail="the source has ended"))
                return
            await asyncio.sleep(RESTART_S)
