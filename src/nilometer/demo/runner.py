"""The demo: virtual or recorded water behind simulated instruments, and the whole platform reading them."""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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


async def run_demo(
    folder: Path,
    *,
    port: int,
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
    tasks: list[asyncio.Task[None]] = []
    try:
        if replays:
            await _demo_of_recordings(folder, port, replays, clock, tasks, browser=browser, say=say)
        else:
            await _demo_of_model(folder, port, clock, tasks, browser=browser, say=say)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _demo_of_model(
    folder: Path,
    port: int,
    clock: DemoClock,
    tasks: list[asyncio.Task[None]],
    *,
    browser: bool,
    say: Callable[[str], None],
) -> None:
    say(f"virtual water: {', '.join(thing.names['en'] for thing in THINGS)}; time runs {clock.speed:g} times as fast")
    made = [(thing, virtual.simulator_of(thing, clock)) for thing in THINGS]
    sources = [virtual.source_of(thing, await simulator.start(), clock.speed) for thing, simulator in made]
    config = _config([virtual.thing_of(thing) for thing in THINGS], sources)

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
        tasks.extend(asyncio.create_task(simulator.run()) for _, simulator in made)

    await run_server(folder, config, port=port, clock=clock, say=say, before=before, ready=_opener(wanted=browser))


async def _demo_of_recordings(
    folder: Path,
    port: int,
    replays: Sequence[Replay],
    clock: DemoClock,
    tasks: list[asyncio.Task[None]],
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
    clock.hold(first + played)
    if played:
        say("continuing where the last run ended")
    made = [simulator_of(one, clock.ahead(one.start - first), played) for one in replays]
    reached = [await simulator.start() for simulator in made]
    sources = [source_of(one, where, folder) for one, where in zip(replays, reached, strict=True)]
    config = _config([thing_of(one) for one in replays], sources)

    opened = _opener(wanted=browser)

    async def play() -> None:
        # The sources are dialling: what is said before they listen is said to nobody.
        await asyncio.sleep(SETTLE_S)
        clock.set(first + played)
        await asyncio.gather(*(simulator.run() for simulator in made))

    def ready(address: str) -> None:
        tasks.append(asyncio.create_task(play()))
        opened(address)

    await run_server(folder, config, port=port, clock=clock, say=say, ready=ready)


def _config(things: Sequence[dict[str, Any]], sources: Sequence[dict[str, Any]]) -> Config:
    return parse({"thing": list(things), "source": list(sources), "store": {"seal_every_s": 20}})


def _newest(pipeline: Pipeline) -> int | None:
    ends = [pipeline.store.snapshot().extent(datastream.id) for datastream in pipeline.store.catalog.datastreams()]
    return max((end[1] for end in ends if end is not None), default=None)


def _opener(*, wanted: bool) -> Callable[[str], None]:
    def open_page(address: str) -> None:
        if wanted:
            with contextlib.suppress(webbrowser.Error):
                asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)

    return open_page
