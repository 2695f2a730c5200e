"""OPC UA: subscribes to variables of a server, keeps their status as the mark, and fills outages from its history."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.links.opcua import Endpoint, library, open_opcua
from nilometer.acquisition.opcua_nodes import NodeOptions, Nodes, Trigger, node_key
from nilometer.acquisition.opcua_rows import TimeFrom, ValueRows
from nilometer.acquisition.opcua_session import OpcuaSession, SessionSettings
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.secret import secret
from nilometer.errors import LinkError

__all__ = ["DRIVER", "Opcua", "OpcuaOptions"]

Seconds = Annotated[float, Field(gt=0)]


class OpcuaOptions(DriverOptions):
    """Settings of an OPC UA source; docs/drivers/opcua.md explains each."""

    url: Annotated[str, Field(max_length=1000)]
    nodes: Annotated[tuple[NodeOptions, ...], Field(min_length=1, max_length=2000)]
    security: Literal["none", "sign", "sign_and_encrypt"] = "none"
    policy: Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = "Basic256Sha256"
    certificate_file: str | None = None
    key_file: str | None = None
    key_password_env: str | None = None
    server_certificate_file: str | None = None
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    publishing_interval_s: Seconds = 1.0
    sampling_interval_s: Annotated[float, Field(ge=0)] | None = None
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    deadband: Annotated[float, Field(ge=0)] | None = None
    trigger: Trigger = "timestamp"
    time: TimeFrom = "source"
    ahead_s: Annotated[float, Field(ge=0)] = 300.0
    clock_tolerance_s: Seconds = 5.0
    history: bool = True
    history_most_s: Seconds = 604_800.0
    timeout_s: Seconds = 5.0
    watch_interval_s: Seconds = 5.0
    silent_after_s: Seconds | None = None
    reopen_after_s: Seconds = 30.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme != "opc.tcp" or not parts.hostname:
            raise ValueError(f"url = {self.url!r} is no endpoint, such as opc.tcp://10.0.0.7:4840/path")
        if parts.username or parts.password:
            raise ValueError("url: who we are stands in `username`, and the password in a variable or a file")
        if self.security != "none" and not (self.certificate_file and self.key_file):
            raise ValueError(f"security = {self.security!r} needs certificate_file and key_file")
        if self.security == "none" and (self.certificate_file or self.key_file or self.server_certificate_file):
            raise ValueError("certificates need security = 'sign' or 'sign_and_encrypt'")
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("a password comes from `password_env` or from `password_file`, not from both")
        if (self.password_env or self.password_file) and self.username is None:
            raise ValueError("a password needs a `username`")
        keys = [node.key or node_key(node.id) for node in self.nodes]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"nodes: {', '.join(sorted(twice))} is there twice; give each a `key` of its own")
        return self


class Opcua:
    """A server that is listened to; meets `Driver`."""

    def __init__(self, options: OpcuaOptions, clock: Clock) -> None:
        self._options = options
        table = ChannelTable()
        rows = ValueRows(
            table, time=options.time, ahead_us=int(options.ahead_s * 1e6), checked=options.security != "none"
        )
        self._settings = SessionSettings(
            clock=clock,
            table=table,
            rows=rows,
            nodes=Nodes(
                options.nodes,
                sampling_s=options.sampling_interval_s,
                queue_size=options.queue_size,
                deadband=options.deadband,
                trigger=options.trigger,
            ),
            publishing_interval_s=options.publishing_interval_s,
            history=options.history,
            history_most_s=options.history_most_s,
            watch_interval_s=options.watch_interval_s,
            silent_after_s=options.silent_after_s,
            reopen_after_s=options.reopen_after_s,
            clock_tolerance_s=options.clock_tolerance_s,
        )

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled."""
        library()
        options = self._options
        endpoint = _endpoint(options)
        sink.report(SourceReport(state=SourceState.STARTING))
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        while True:
            try:
                await self._connected(endpoint, sink, backoff)
            except LinkError as error:
                wait_s = backoff.next_s()
                detail = f"{error}; trying again in {wait_s:.1f} s"
                sink.report(SourceReport(state=SourceState.DISCONNECTED, detail=detail))
                await asyncio.sleep(wait_s)

    async def _connected(self, endpoint: Endpoint, sink: Sink, backoff: Backoff) -> None:
        link = await open_opcua(endpoint)
        session = OpcuaSession(link, self._settings, sink)
        try:
            await session.serve()
        finally:
            if session.is_watching:
                backoff.reset()  # A server that lets us in and then refuses all is asked less and less often.
            await link.close()


def _endpoint(options: OpcuaOptions) -> Endpoint:
    return Endpoint(
        url=options.url,
        mode=options.security,
        policy=options.policy,
        certificate_file=options.certificate_file,
        key_file=options.key_file,
        key_password=secret("key_password", env=options.key_password_env),
        server_certificate_file=options.server_certificate_file,
        username=options.username,
        password=secret("password", env=options.password_env, file=options.password_file),
        timeout_s=options.timeout_s,
    )


DRIVER = DriverInfo(
    name="opcua",
    title="OPC UA",
    protocol="opcua",
    options=OpcuaOptions,
    make=Opcua,
    manual="OPC 10000-4 (services), -6 (mappings), -8 (data access), -11 (historical access)",
    revision="1.05",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="opcua",
    clock_resolution_us=1,
    mark_scheme=lambda _options: "opcua",
)
