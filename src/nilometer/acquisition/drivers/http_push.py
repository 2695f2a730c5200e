"""HTTP push: a port for devices that can only POST, each with a token; answered when the rows are durable."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.http_push_bodies import PushedBody, RouteOptions, read_body
from nilometer.acquisition.http_push_tokens import PushDeviceOptions, Tokens
from nilometer.acquisition.links.http_push import Answer, Head, Limits, serve_http
from nilometer.acquisition.links.tcp import TcpLink, listen
from nilometer.acquisition.mqtt_rows import MessageRows
from nilometer.acquisition.protocols.mqtt import Publish
from nilometer.acquisition.rows import ChannelTable, Row, raw_batch
from nilometer.errors import ConfigError, FrameError, LinkError

__all__ = ["DRIVER", "HttpPush", "HttpPushOptions"]

Seconds = Annotated[float, Field(gt=0)]
MOST_ROWS = 4000
MOST_REMEMBERED = 20_000
MOST_NOTED = 1000


class HttpPushOptions(DriverOptions):
    """Settings of an HTTP listener; docs/drivers/http_push.md explains each."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]
    cert_file: str | None = None
    key_file: str | None = None
    devices: Annotated[dict[Annotated[str, Field(pattern=r"^[\w.\-]{1,100}$")], PushDeviceOptions], Field(min_length=1)]
    routes: Annotated[tuple[RouteOptions, ...], Field(min_length=1)] = (RouteOptions(),)
    longest_body_bytes: Annotated[int, Field(ge=1024, le=268_435_456)] = 1_048_576
    most_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    head_timeout_s: Seconds = 10.0
    body_timeout_s: Seconds = 30.0
    idle_timeout_s: Seconds = 60.0
    store_timeout_s: Seconds = 20.0
    retry_after_s: Annotated[int, Field(ge=1, le=86_400)] = 30
    ahead_s: Annotated[float, Field(ge=0)] = 300.0
    silent_after_s: Seconds = 3600.0
    device_silent_after_s: Seconds | None = None
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        paths = [route.path for route in self.routes]
        if len(set(paths)) < len(paths):
            raise ValueError("routes: each path once")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file needs a cert_file")
        if self.host != "localhost":
            try:
                ip_address(self.host)
            except ValueError:
                raise ValueError(f"host = {self.host!r} is no address, such as 127.0.0.1 or 0.0.0.0") from None
        return self


class HttpPush:
    """A port that devices post to; meets `Driver`."""

    def __init__(self, options: HttpPushOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._tokens = Tokens(options.devices)
        self._table = ChannelTable()
        self._rows = MessageRows(self._table, ahead_us=int(options.ahead_s * 1e6))
        self._routes = {route.path: route for route in options.routes}
        self._limits = Limits(
            body_bytes=options.longest_body_bytes,
            head_s=options.head_timeout_s,
            body_s=options.body_timeout_s,
            idle_s=options.idle_timeout_s,
        )
        self._turn = asyncio.Lock()
        self._sent_before: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._heard: dict[str, float] = {}
        self._quiet: set[str] = set()
        self._newest = 0.0
        self._connections = 0
        self._noted: set[str] = set()
        self._said: tuple[SourceState, str] | None = None

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled."""
        tls = _tls(self._options)
        self._tell(sink, SourceState.STARTING)
        backoff = Backoff(self._options.reconnect_first_s, self._options.reconnect_longest_s)
        while True:
            try:
                await self._listen(sink, tls)
            except LinkError as error:
                wait_s = backoff.next_s()
                self._tell(sink, SourceState.DISCONNECTED, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)

    async def _listen(self, sink: Sink, tls: ssl.SSLContext | None) -> None:
        async def serve(link: TcpLink) -> None:
            self._connections += 1
            try:
                await serve_http(link, self._limits, lambda head: self._admit(head, sink), respond)
            finally:
                self._connections -= 1

        async def respond(head: Head, body: bytes) -> Answer:
            return await self._respond(head, body, sink)

        options = self._options
        most = options.most_connections
        listener = await listen(options.host, options.port, serve, most_connections=most, tls=tls)
        self._tell(sink, SourceState.DISCONNECTED, f"listening on {listener.name}; nobody has posted yet")
        loop = asyncio.get_running_loop()
        self._newest = loop.time()
        self._heard = dict.fromkeys(options.devices, self._newest)
        try:
            while True:
                limit_s = options.device_silent_after_s
                await asyncio.sleep(min(options.silent_after_s, limit_s or options.silent_after_s) / 4)
                self._miss(sink, loop.time(), listener.name)
        finally:
            await listener.close()

    def _miss(self, sink: Sink, now: float, name: str) -> None:
        options = self._options
        if now - self._newest >= options.silent_after_s:
            is_there = self._connections > 0
            state = SourceState.SILENT if is_there else SourceState.DISCONNECTED
            if self._said is None or self._said[0] is not state:
                self._tell(sink, state, f"nobody has posted to {name} for {options.silent_after_s:g} s")
        limit_s = options.device_silent_after_s
        if limit_s is None:
            return
        for device, heard in self._heard.items():
            if now - heard >= limit_s and device not in self._quiet:
                self._quiet.add(device)
                detail = f"no post for {limit_s:g} s"
                sink.report(SourceReport(state=SourceState.SILENT, detail=detail, device=device))

    def _admit(self, head: Head, sink: Sink) -> Answer | None:
        if self._tokens.owner(head.headers) is None:
            self._note(sink, f"{head.peer.rpartition(':')[0]}: no token, or one of nobody")
            says = "send the device's token as 'Authorization: Bearer …' or 'X-Api-Key: …'"
            return Answer(401, {"error": says}, (("www-authenticate", "Bearer"),))
        if head.path not in self._routes:
            return Answer(404, {"error": f"no such path; there are: {', '.join(self._routes)}"})
        if head.method not in {"POST", "PUT"}:
            return Answer(405, {"error": "POST it"}, (("allow", "POST, PUT"),))
        return None

    async def _respond(self, head: Head, body: bytes, sink: Sink) -> Answer:
        device = self._tokens.owner(head.headers) or ""
        arrival = self._clock()
        self._hear(device, sink)
        try:
            read = await asyncio.to_thread(read_body, self._routes[head.path], head.media_type, body)
            rows = self._made(device, head, body, read, arrival)
        except FrameError as error:
            self._refused(sink, device, str(error))
            return Answer(400, {"accepted": 0, "rejected": 0, "error": str(error), "errors": []})
        if read.reasons:
            self._refused(sink, device, f"record {read.reasons[0][0]}: {read.reasons[0][1]}")
        said = _account(len(read.messages), read)
        if not rows:
            return Answer(400, said)
        try:
            async with asyncio.timeout(self._options.store_timeout_s):
                await self._deliver(rows, sink)
        except TimeoutError:
            self._note(sink, "the store takes nothing at present: devices are told to come again")
            text = "what was sent is not known to be durable; send it again"
            return Answer(503, {"error": text}, (("retry-after", str(self._options.retry_after_s)),))
        return Answer(200, said)

    def _made(self, device: str, head: Head, body: bytes, read: PushedBody, arrival: int) -> list[Row]:
        """Return the rows of a body: its device is whose token it bears, and stands before any that it names."""
        key = head.headers.get("idempotency-key", "")
        again = bool(key) and (device, key) in self._sent_before
        if key:
            self._sent_before[device, key] = None
            if len(self._sent_before) > MOST_REMEMBERED:
                self._sent_before.popitem(last=False)
        rows: list[Row] = []
        for number, message in enumerate(read.messages):
            message.device = f"{device}.{message.device}" if message.device else device
            # By place and content, a record that is sent again without a time of its own is known again.
            content = body + f"{key}#{number}".encode()
            publish = Publish(f"{device}{head.path}", content, 1 if key else 0, retain=False, dup=again)
            rows += self._rows.rows(publish, message, arrival)
            for problem in message.problems:
                read.reasons.append((number + 1, problem))
        return rows

    async def _deliver(self, rows: list[Row], sink: Sink) -> None:
        """Hand rows over, one request at a time, and wait until all are durable."""
        loop = asyncio.get_running_loop()
        durable = asyncio.Semaphore(0)
        firsts = range(0, len(rows), MOST_ROWS)
        async with self._turn:
            for first in firsts:
                part = rows[first : first + MOST_ROWS]
                await sink.emit(raw_batch(self._table.channels, part, acknowledge=_releasing(loop, durable)))
        for _ in firsts:
            await durable.acquire()

    def _hear(self, device: str, sink: Sink) -> None:
        self._newest = self._heard[device] = asyncio.get_running_loop().time()
        if device in self._quiet:
            self._quiet.discard(device)
            sink.report(SourceReport(state=SourceState.LIVE, device=device))
        self._tell(sink, SourceState.LIVE)

    def _refused(self, sink: Sink, device: str, reason: str) -> None:
        sink.report(SourceReport(state=SourceState.LIVE, detail=f"{device}: refused: {reason}"[:500], bad_frames=1))

    def _note(self, sink: Sink, text: str) -> None:
        if len(self._noted) > MOST_NOTED:
            self._noted.clear()
        if text not in self._noted:
            self._noted.add(text)
            sink.report(SourceReport(state=self._said[0] if self._said else SourceState.STARTING, detail=text))

    def _tell(self, sink: Sink, state: SourceState, detail: str = "") -> None:
        if self._said != (state, detail):
            self._said = (state, detail)
            sink.report(SourceReport(state=state, detail=detail))


def _account(accepted: int, read: PushedBody) -> dict[str, Any]:
    errors = [{"row": number, "reason": reason} for number, reason in read.reasons]
    return {"accepted": accepted, "rejected": read.refused, "errors": errors}


def _releasing(loop: asyncio.AbstractEventLoop, durable: asyncio.Semaphore) -> Callable[[], None]:
    def done() -> None:
        # From any thread, and perhaps long after the loop is gone.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(durable.release)

    return done


def _tls(options: HttpPushOptions) -> ssl.SSLContext | None:
    if options.cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.cert_file, options.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(name for name in (options.cert_file, options.key_file) if name)
        raise ConfigError("cert_file", seen=files, reason=str(error)) from error
    return context


DRIVER = DriverInfo(
    name="http_push",
    title="HTTP push (JSON, CSV, Arrow)",
    protocol="http_push",
    options=HttpPushOptions,
    make=HttpPush,
    manual="RFC 9110, RFC 9112; docs/drivers/http_push.md",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="http_push",
    clock_resolution_us=1,
)
