"""MQTT 3.1.1 and 5: subscribes at a broker, and acknowledges each message when its rows are on disk."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import zlib
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.links.mqtt import Broker, open_mqtt
from nilometer.acquisition.mqtt_formats import DeviceOptions, Devices, TopicOptions, reader
from nilometer.acquisition.mqtt_rows import MessageRows, TimeFrom
from nilometer.acquisition.mqtt_session import MqttSession, Retained, SessionSettings
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.secret import secret
from nilometer.errors import ConfigError, LinkError

__all__ = ["DRIVER", "Mqtt", "MqttOptions"]

Seconds = Annotated[float, Field(gt=0)]


class MqttOptions(DriverOptions):
    """Settings of an MQTT source; docs/drivers/mqtt.md explains each."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    version: Literal["3.1.1", "5"] = "3.1.1"
    client_id: Annotated[str, Field(max_length=200)] = ""
    clean_session: bool = False
    session_expiry_s: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 0xFFFFFFFF
    keep_alive_s: Annotated[int, Field(ge=0, le=65535)] = 60
    in_flight: Annotated[int, Field(ge=1, le=65535)] = 65535
    longest_message_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = 1_048_576
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    topics: Annotated[tuple[TopicOptions, ...], Field(min_length=1)]
    devices: dict[str, DeviceOptions] = Field(default_factory=dict)
    retained: Retained = "timed"
    time: TimeFrom = "message"
    ahead_s: Annotated[float, Field(ge=0)] = 300.0
    silent_after_s: Seconds = 3600.0
    device_silent_after_s: Seconds | None = None
    connect_timeout_s: Seconds = 10.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("a password comes from `password_env` or from `password_file`, not from both")
        if (self.password_env or self.password_file) and self.username is None:
            raise ValueError("a password needs a `username`")
        if (self.ca_file or self.cert_file or self.key_file) and not self.tls:
            raise ValueError("ca_file, cert_file and key_file need tls = true")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file needs a cert_file")
        return self

    @property
    def identity(self) -> str:
        """Return the client id: stable, for the broker keeps our session under it; another for other topics."""
        if self.client_id:
            return self.client_id
        topics = ",".join(topic.topic for topic in self.topics)
        return f"nilometer-{socket.gethostname()[:64]}-{zlib.crc32(topics.encode()):08x}"


class Mqtt:
    """A broker that is listened to; meets `Driver`."""

    def __init__(self, options: MqttOptions, clock: Clock) -> None:
        self._options = options
        table = ChannelTable()
        devices = Devices(options.devices)
        self._settings = SessionSettings(
            clock=clock,
            table=table,
            rows=MessageRows(table, time=options.time, ahead_us=int(options.ahead_s * 1e6)),
            readers=tuple((topic.topic, reader(topic, devices)) for topic in options.topics),
            retained=options.retained,
            silent_after_s=options.silent_after_s,
            device_silent_after_s=options.device_silent_after_s,
        )
        self._was_connected = False

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled."""
        options = self._options
        broker = _broker(options)
        sink.report(SourceReport(state=SourceState.STARTING))
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        while True:
            try:
                await self._connected(sink, broker, backoff)
            except LinkError as error:
                wait_s = backoff.next_s()
                detail = f"{error}; trying again in {wait_s:.1f} s"
                sink.report(SourceReport(state=SourceState.DISCONNECTED, detail=detail))
                await asyncio.sleep(wait_s)

    async def _connected(self, sink: Sink, broker: Broker, backoff: Backoff) -> None:
        link = await open_mqtt(broker)
        pinging = asyncio.create_task(link.keep_alive())
        try:
            refused = await link.subscribe([(topic.topic, topic.qos) for topic in self._options.topics])
            if len(refused) == len(self._options.topics):
                raise LinkError(f"the broker refuses every subscription: {'; '.join(refused)}", link=link.name)
            if refused:
                sink.report(SourceReport(state=SourceState.SILENT, detail=f"refused: {'; '.join(refused)}"))
            if self._was_connected and not link.session_present:
                lost = "the broker kept no session: what was published meanwhile did not arrive"
                sink.report(SourceReport(state=SourceState.SILENT, detail=lost))
            self._was_connected = True
            backoff.reset()
            await MqttSession(link, self._settings, sink).serve()
        finally:
            pinging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pinging
            await link.close()


def _broker(options: MqttOptions) -> Broker:
    return Broker(
        host=options.host,
        port=options.port,
        client_id=options.identity,
        version=5 if options.version == "5" else 4,
        clean=options.clean_session,
        keep_alive_s=options.keep_alive_s,
        username=options.username,
        password=secret("password", env=options.password_env, file=options.password_file),
        tls=_tls(options),
        session_expiry_s=options.session_expiry_s,
        receive_maximum=options.in_flight,
        longest=options.longest_message_bytes,
        connect_timeout_s=options.connect_timeout_s,
    )


def _tls(options: MqttOptions) -> ssl.SSLContext | None:
    if not options.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.cert_file is not None:
            context.load_cert_chain(options.cert_file, options.key_file)
    except (OSError, ssl.SSLError) as error:
        files = [name for name in (options.ca_file, options.cert_file, options.key_file) if name]
        raise ConfigError("tls", seen=", ".join(files), reason=str(error)) from error
    return context


DRIVER = DriverInfo(
    name="mqtt",
    title="MQTT 3.1.1 and 5",
    protocol="mqtt",
    options=MqttOptions,
    make=Mqtt,
    makers=("The Things Industries", "ChirpStack", "Decentlab", "Milesight", "Dragino", "FROST", "Eclipse Sparkplug"),
    manual="OASIS MQTT 3.1.1 and 5.0; OGC 18-088; Eclipse Sparkplug 3.0; The Things Stack v3; ChirpStack v4",
    revision="2014, 2019",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="mqtt",
    clock_resolution_us=1,
)
