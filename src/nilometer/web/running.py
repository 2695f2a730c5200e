"""A pipeline and its web face, started and ended together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from nilometer.acquisition.driver import Clock
from nilometer.config import Config
from nilometer.pipeline import Pipeline, wall_clock
from nilometer.web.app import create_app
from nilometer.web.serving import bind, serve

__all__ = ["run_server"]


async def run_server(
    folder: Path,
    config: Config,
    *,
    config_file: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    clock: Clock = wall_clock,
    say: Callable[[str], None] = print,
    before: Callable[[Pipeline], Awaitable[None]] | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a data folder until interrupted; everything acknowledged is on disk when it returns.

    Parameters
    ----------
    folder : path
        The data folder.
    config : Config
        Things, sources, Datastreams, and where to listen.
    config_file : path, optional
        Named in messages.
    host, port : optional
        In place of the configured ones.
    clock : callable
        The present, µs since 1970 UTC.
    say : callable
        Told the address, and that it ends.
    before : coroutine function, optional
        Called with the pipeline when it takes rows, before its sources begin.
    ready : callable, optional
        Called with the address once pages are served.

    Raises
    ------
    ConfigError, LinkError, StoreLocked, SchemaMismatch
        Before anything is started.
    """
    token = config.server.token
    name = host or config.server.host
    listener = bind(name, config.server.port if port is None else port, token=token)
    address = f"http://{f'[{name}]' if ':' in name else name}:{listener.getsockname()[1]}"
    try:
        pipeline = Pipeline(folder, config, clock=clock, address=address, config_file=config_file)
    except BaseException:
        listener.close()
        raise
    await pipeline.start()
    try:
        if before is not None:
            await before(pipeline)
        await pipeline.start_sources()
        app = create_app(pipeline, token=token)

        def started() -> None:
            say(f"nilometer serves {folder} at {address} (Ctrl-C ends it)")
            if ready is not None:
                ready(address)

        await serve(app, listener, ready=started)
    finally:
        await pipeline.close()
        say("nilometer has ended; all that was acknowledged is stored")
