"""The demo: virtual or recorded water behind simulated instruments, and the whole platform reading them."""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nilometer.acquisition.simulators.simulator import Simulator
from nilometer.config import Config, parse
from nilometer.demo import virtual
from nilometer.demo.clock import DemoClock
from nilometer.demo.replay import (
    MOST_COLUMNS,
    Replay,
    plan,
    played_us,
    simulator_of,
    source_of,
    steadiest_speed,
    thing_of,
)
from nilometer.demo.things import THINGS
from nilometer.pipeline import Pipeline, wall_clock
from nilometer.web.running import run_server

__all__ = ["run_demo"]

VIRTUAL_SPEED = 60.0
SETTLE_S = 0.5

_Ports = tuple[int, int | None]
"""That of the web page, and that of MQTT."""


async def run_demo(
    folder: Path,
    *,
    port: int,
    mqtt_port: int | None = None,
    speed: float | None,
    replay: Sequence[Path],
    browser: bool,
    say: Callable[[str], None],
) -> None:
    """Run the demo until interrupted; a second start in the same folder continues its data.

    Parameters
    ----------
    folder : path
        Where the data are kept.
    port : int
        Of the web page; 0 takes a free one.
    mqtt_port : int, optional
        As `server.mqtt_port` of the configuration.
    speed : float, optional
        Seconds of the water for each of the wall's.
    replay : sequence of path
        Recordings in place of the modelled water.
    browser : bool
        Whether the page is opened.
    say : callable
        Told what happens.

    Raises
    ------
    ReadError, ConfigError, LinkError, StoreLocked
        Before anything is started.
    """
    taken: set[str] = set()
    replays = [plan(file, taken) for file in replay]
    pace = speed or (steadiest_speed(replays) if replays else VIRTUAL_SPEED)
    # Of recordings from different years the latest is now; the others lie in its past, as they did.
    clock = DemoClock(max(one.start for one in replays) if replays else wall_clock(), pace)
    stage = _Stage()
    try:
        if replays:
            await _demo_of_recordings(folder, (port, mqtt_port), replays, clock, stage, browser=browser, say=say)
        else:
            await _demo_of_model(folder, (port, mqtt_port), clock, stage, browser=browser, say=say)
    finally:
        await stage.clear()


class _Stage:
    """The simulators: opened one by one, begun together, closed whatever happens."""

    def __init__(self) -> None:
        self._opened: list[Simulator] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._has_begun = False

    async def open(self, simulator: Simulator) -> Mapping[str, Any]:
        """Open a simulator's link; return what its driver needs."""
        reached = await simulator.start()
        self._opened.append(simulator)
        return reached

    def begin(self) -> None:
        """Let all of them speak."""
        self._has_begun = True
        self._tasks += [asyncio.create_task(simulator.run()) for simulator in self._opened]

    def begin_later(self, first: Callable[[], None]) -> None:
        """Let them speak once the sources had the time to dial, so that few are late.

        Nothing hangs on that time: a table shows who dials late its rows one by one, a log waits for a listener.
        """

        async def wait() -> None:
            await asyncio.sleep(SETTLE_S)
            first()
            self.begin()

        self._tasks.append(asyncio.create_task(wait()))

    async def clear(self) -> None:
        """End them; a simulator closes its link when its run ends, so one that never ran is run for that."""
        if not self._has_begun:
            self.begin()
            await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _demo_of_model(
    folder: Path,
    ports: _Ports,
    clock: DemoClock,
    stage: _Stage,
    *,
    browser: bool,
    say: Callable[[str], None],
) -> None:
    say(f"virtual water: {', '.join(thing.names['en'] for thing in THINGS)}; time runs {clock.speed:g} times as fast")
    made = [(thing, virtual.simulator_of(thing, clock)) for thing in THINGS]
    sources = [virtual.source_of(thing, await stage.open(simulator), clock.speed) for thing, simulator in made]
    config = _config([virtual.thing_of(thing) for thing in THINGS], sources, ports, virtual.DERIVED)

    async def before(pipeline: Pipeline) -> None:
        newest = _newest(pipeline)
        if newest is None:
            say("filling in the two weeks before now …")
            end = clock()
            rows = await virtual.fill_past(pipeline, end)
            clock.set(end)
            say(f"{rows} rows of the past are stored")
        else:
            clock.set(newest + virtual.MINUTE_US)
            say("continuing where the last run ended")
        stage.begin()

    await run_server(folder, config, port=ports[0], clock=clock, say=say, before=before, ready=_opener(wanted=browser))


async def _demo_of_recordings(
    folder: Path,
    ports: _Ports,
    replays: Sequence[Replay],
    clock: DemoClock,
    stage: _Stage,
    *,
    browser: bool,
    say: Callable[[str], None],
) -> None:
    for one in replays:
        say(f"{one.file}: {len(one.recording)} rows as {one.recording.format}, replayed {clock.speed:g} times as fast")
        for note in one.recording.notes[:5]:
            say(f"  {note}")
        if not one.is_nmea and len(one.recording.columns) > MOST_COLUMNS:
            say(f"  the first {MOST_COLUMNS} of its {len(one.recording.columns)} columns are played")
    first = max(one.start for one in replays)
    played = played_us(folder, replays)
    now = first + max(played.values())
    clock.hold(now)
    if any(played.values()):
        say("continuing where the last run ended")
    made = [simulator_of(one, clock.ahead(one.start - first), played[one.key]) for one in replays]
    reached = [await stage.open(simulator) for simulator in made]
    sources = [source_of(one, where, folder) for one, where in zip(replays, reached, strict=True)]
    config = _config([thing_of(one) for one in replays], sources, ports)

    opened = _opener(wanted=browser)

    def ready(address: str) -> None:
        stage.begin_later(lambda: clock.set(now))
        opened(address)

    await run_server(folder, config, port=ports[0], clock=clock, say=say, ready=ready)


def _config(
    things: Sequence[dict[str, Any]],
    sources: Sequence[dict[str, Any]],
    ports: _Ports,
    derived: Sequence[Mapping[str, Any]] = (),
) -> Config:
    parts = {"thing": list(things), "source": list(sources), "derived": [dict(one) for one in derived]}
    return parse({**parts, "store": {"seal_every_s": 20}, "server": {"mqtt_port": ports[1]}})


def _newest(pipeline: Pipeline) -> int | None:
    ends = [pipeline.store.snapshot().extent(datastream.id) for datastream in pipeline.store.catalog.datastreams()]
    return max((end[1] for end in ends if end is not None), default=None)


def _opener(*, wanted: bool) -> Callable[[str], None]:
    def open_page(address: str) -> None:
        if wanted:
            with contextlib.suppress(webbrowser.Error):
                asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)

    return open_page
