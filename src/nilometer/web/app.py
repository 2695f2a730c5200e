"""The face: one ASGI application, composed of SensorThings, the native API, the live stream and the interface.

What is hot or streams is plain ASGI; FastAPI serves the rest of the native API and describes all of it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from starlette.types import Message, Receive, Scope, Send

from nilometer import __version__
from nilometer.errors import NilometerError, RequestError
from nilometer.pipeline import Pipeline
from nilometer.web.api.bulk import Bulk
from nilometer.web.api.face import Face
from nilometer.web.api.live import Live
from nilometer.web.api.native import PREFIX, create_native
from nilometer.web.exchange import ClientGone, Exchange
from nilometer.web.guard import Guard
from nilometer.web.metrics import MEDIA_TYPE, Metrics
from nilometer.web.mqtt.listener import MqttFigures
from nilometer.web.mqtt.websocket import PATH as MQTT_PATH
from nilometer.web.origins import Origins
from nilometer.web.pages import Pages, docs_page
from nilometer.web.rates import Rates, asking
from nilometer.web.sensorthings.endpoint import ROOT, SensorThings
from nilometer.web.sensorthings.quality import Evidence
from nilometer.web.statuses import error_document, sensorthings_error

__all__ = ["App", "create_app"]

MOST_BYTES = 4 << 20
"""Of a body that configures."""
_LIMITED = frozenset({"sensorthings", "bulk", "live", "api"})
"""What counts towards what a client may ask for; a live stream counts as one request."""
_Answer = Callable[[Exchange, Scope, Receive, Send], Awaitable[None]]


def create_app(pipeline: Pipeline, token: str | None = None, *, static: Path | None = None) -> App:
    """Return the application over a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        Started before the first request, closed after the last.
    token : str, optional
        The bearer token that requests must carry; None where only loopback is served.
    static : path, optional
        Where the built interface is; None: in this package.
    """
    return App(pipeline, token, static)


class App:
    """The ASGI application; see `create_app`. `sensorthings`, `rates` and `origins` serve MQTT too."""

    def __init__(self, pipeline: Pipeline, token: str | None, static: Path | None) -> None:
        self._pipeline = pipeline
        self.origins = Origins(pipeline.config.server.origins)
        self._guard = Guard(token, self.origins)
        self.rates = Rates(pipeline.config.server.rate_limit)
        evidence = Evidence(pipeline.store.catalog)
        self._live = Live(pipeline, evidence)
        self._bulk = Bulk(pipeline)
        self.sensorthings = SensorThings(pipeline)
        self._native = create_native(Face(pipeline, evidence))
        self._pages = Pages(static)
        self._metrics = Metrics(pipeline, self._live)
        self._of: dict[str, _Answer] = {
            "sensorthings": _plain(self._of_sensorthings),
            "bulk": _plain(self._bulk.handle),
            "live": _plain(self._live.handle),
            "api": self._of_native,
            "docs": _plain(docs_page),
            "health": _plain(self._health),
            "metrics": _plain(self._show_metrics),
            "mqtt": _plain(_of_mqtt),
            "pages": _plain(self._of_pages),
        }

    def watch(self, figures: Callable[[], MqttFigures]) -> None:
        """Show what an MQTT listener says of itself among the metrics."""
        self._metrics.watch(figures)

    def stop(self) -> None:
        """End the live streams, so that a server that waits for its clients can end."""
        self._live.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
        is_named = self.origins.allow(origin)
        if is_named:
            send = self.origins.telling(origin, send)
        room = _room(scope["path"], scope["method"])
        allowance = self.rates.of_request(scope) if room in _LIMITED else None
        if allowance is not None and room != "live":
            receive, send = allowance.counted(receive, send)
        asking.set(allowance)
        exchange = Exchange(scope, receive, send)
        began = time.perf_counter()
        try:
            if allowance is not None:
                allowance.ask()
            if await self._is_admitted(exchange, is_named=is_named):
                await self._of[room](exchange, scope, receive, exchange.send)
        except NilometerError as error:
            if not exchange.status:
                await exchange.refuse(error, document=sensorthings_error if room == "sensorthings" else error_document)
        except ClientGone:
            pass
        finally:
            self._metrics.count(room, exchange.status, time.perf_counter() - began)

    async def _is_admitted(self, exchange: Exchange, *, is_named: bool) -> bool:
        """Say whether a request may pass; what a browser asks first, and a token in the URL, are answered here."""
        if is_named and exchange.method == "OPTIONS" and exchange.header(b"access-control-request-method"):
            wanted = exchange.header(b"access-control-request-headers")
            await exchange.answer(HTTPStatus.NO_CONTENT, headers=self.origins.preflight(wanted))
            return False
        admission = self._guard.admission(exchange)
        if admission is not None:
            await exchange.answer(HTTPStatus.SEE_OTHER, headers=admission)
            return False
        self._guard.check(exchange)
        return True

    async def _of_sensorthings(self, exchange: Exchange) -> None:
        raw: bytes = exchange.scope.get("raw_path") or quote(exchange.path).encode()
        await self.sensorthings.handle(exchange, raw[len(ROOT) :])

    async def _of_native(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over to FastAPI, a body only after it was read within bounds."""
        if exchange.method in {"GET", "HEAD"}:
            await self._native(scope, receive, send)
            return
        waiting: list[Message] = [{"type": "http.request", "body": await exchange.body(MOST_BYTES), "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._native(scope, replay, send)

    async def _of_pages(self, exchange: Exchange) -> None:
        if exchange.method not in {"GET", "HEAD"}:
            await exchange.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers=[("allow", "GET, HEAD")])
            return
        await self._pages.handle(exchange)

    async def _health(self, exchange: Exchange) -> None:
        """Say whether rows are being made durable: 200, or 503 while the store refuses; what failed or is damaged."""
        refusing = self._pipeline.refusing
        seal_error, compaction_error = self._pipeline.store.errors
        document = {
            "status": "ok" if refusing is None else "refusing",
            "version": __version__,
            "queued": self._pipeline.queued,
            "detail": "" if refusing is None else str(refusing),
            "damage": list(self._pipeline.store.damage),
            "seal_error": seal_error,
            "compaction_error": compaction_error,
            "uplinks": {one.name: str(one.state) for one in self._pipeline.uplinks.statuses()},
        }
        status = HTTPStatus.OK if refusing is None else HTTPStatus.SERVICE_UNAVAILABLE
        await exchange.answer_json(document, status, [("cache-control", "no-store")])

    async def _show_metrics(self, exchange: Exchange) -> None:
        await exchange.answer(HTTPStatus.OK, self._metrics.text(), MEDIA_TYPE)


def _room(path: str, method: str) -> str:
    """Return who answers a path."""
    if path == ROOT or path.startswith(f"{ROOT}/"):
        return "sensorthings"
    if path == f"{PREFIX}/observations" and method == "POST":
        return "bulk"
    if path == f"{PREFIX}/live" and method == "GET":
        return "live"
    if path.startswith("/api/") or path == "/openapi.json":
        return "api"
    if path == "/docs" or path.startswith("/docs/"):
        return "docs"
    return {"/health": "health", "/metrics": "metrics", MQTT_PATH: "mqtt"}.get(path, "pages")


async def _of_mqtt(exchange: Exchange) -> None:
    del exchange
    raise RequestError("MQTT is spoken here, over WebSocket: ask for the upgrade, with the subprotocol mqtt")


def _plain(respond: Callable[[Exchange], Awaitable[None]]) -> _Answer:
    async def answer(exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        await respond(exchange)

    return answer


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
