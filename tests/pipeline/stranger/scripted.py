"""A driver that does what the test tells it: each source names the script that it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink

SCRIPTS: dict[str, Callable[[Sink, Clock], Awaitable[None]]] = {}
REFUSED_MAKES: list[str] = []


class ScriptedOptions(DriverOptions):
    script: str = "quiet"
    pace_s: float = 1.0


class Scripted:
    def __init__(self, options: ScriptedOptions, clock: Clock) -> None:
        if options.script in REFUSED_MAKES:
            raise RuntimeError("this driver cannot even be made")
        self._script, self._clock = options.script, clock

    async def run(self, sink: Sink) -> None:
        await SCRIPTS[self._script](sink, self._clock)


DRIVER = DriverInfo(
    name="scripted", title="Scripted", protocol="none", options=ScriptedOptions, make=Scripted, clock_resolution_us=1
)
