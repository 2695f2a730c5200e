"""A pipeline and its web face, started and ended together."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from nilometer.acquisition.driver import Clock
from nilometer.config import Config, ServerConfig
from nilometer.errors import LinkError
from nilometer.pipeline import Pipeline, wall_clock
from nilometer.web.app import App, create_app
from nilometer.web.mqtt.listener import MqttListener
from nilometer.web.mqtt.websocket import Entrance, WebSocket
from nilometer.web.serving import bind, serve

__all__ = ["run_server"]

MQTT_PORT = 1883


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
    number = config.server.port if port is None else port
    listener = bind(name, number, token=token)
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
        mqtt = await _listen_to_mqtt(app, pipeline, name, is_free=number == 0, address=address, say=say)

        def started() -> None:
            say(f"nilometer serves {folder} at {address} (Ctrl-C ends it)")
            if ready is not None:
                ready(address)

        try:
            await serve(app, listener, ready=started, websocket=partial(WebSocket, Entrance(mqtt.connect, app.origins)))
        finally:
            await mqtt.stop()
    finally:
        await pipeline.close()
        say("nilometer has ended; all that was acknowledged is stored")


async def _listen_to_mqtt(
    app: App, pipeline: Pipeline, host: str, *, is_free: bool, address: str, say: Callable[[str], None]
) -> MqttListener:
    """Listen to SensorThings over MQTT, over WebSocket in any case."""
    server = pipeline.config.server
    port = _mqtt_socket(server, host, is_free=is_free, say=say)
    url = (server.public_url or address).rstrip("/")
    mqtt = MqttListener(pipeline, app.sensorthings, url, server.token, app.rates)
    await mqtt.start(port)
    app.watch(mqtt.figures)
    if port is not None:
        say(f"SensorThings over MQTT on {host}:{port.getsockname()[1]}")
    return mqtt


def _mqtt_socket(server: ServerConfig, host: str, *, is_free: bool, say: Callable[[str], None]) -> socket.socket | None:
    """Return MQTT's own port; one that was not asked for and is taken is said, and not insisted on."""
    if server.mqtt_port == "off":
        return None
    number = server.mqtt_port
    if number is None:
        number = 0 if is_free else MQTT_PORT
    try:
        return bind(host, number, token=server.token)
    except LinkError as error:
        if server.mqtt_port is None:
            named = "server.mqtt_port (of the demo --mqtt-port)"
            say(f'MQTT over WebSocket alone: port {number} is taken; {named} names another, or is "off"')
            return None
        raise LinkError(
            f'port {number} is taken or not allowed; server.mqtt_port names another, 0 a free one, "off" none',
            link=f"mqtt://{host}:{number}",
        ) from error
