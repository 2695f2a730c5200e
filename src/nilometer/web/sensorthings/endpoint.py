"""``/v1.1``: requests to the read side and to the creation of Observations."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from nilometer.errors import NotSupported
from nilometer.pipeline import Pipeline
from nilometer.web.exchange import Exchange
from nilometer.web.sensorthings.answers.sending import Pieces, send
from nilometer.web.sensorthings.creation import Creation
from nilometer.web.sensorthings.options import decode_query, parse_options
from nilometer.web.sensorthings.paths import parse_path
from nilometer.web.sensorthings.service import Answer, Service

__all__ = ["ROOT", "SensorThings"]

ROOT = "/v1.1"
_ALLOWED = [("allow", "GET, HEAD, POST")]


class SensorThings:
    """The plain ASGI side of SensorThings.

    Parameters
    ----------
    pipeline : Pipeline
        Its store is read, and it takes new Observations.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.service = Service(pipeline.store)
        self.creation = Creation(pipeline)

    async def handle(self, exchange: Exchange, path: bytes) -> None:
        """Answer one request.

        Parameters
        ----------
        exchange : Exchange
            The request.
        path : bytes
            What follows ``/v1.1``, percent-encoded.
        """
        root = exchange.root + ROOT
        path = path.strip(b"/")
        if exchange.method in {"GET", "HEAD"}:
            answer = await asyncio.to_thread(self._get, path, exchange.query, root, f"{exchange.root}/api/v1")
            if isinstance(answer, Pieces):
                await send(exchange, answer)
            else:
                await exchange.answer(answer.status, answer.body, answer.media_type)
        elif exchange.method == "POST":
            await self._post(exchange, path, root)
        elif exchange.method in {"PUT", "PATCH", "DELETE"}:
            raise NotSupported(f"{exchange.method} is not served: entities come from nilometer.toml", place="method")
        else:
            status = HTTPStatus.NO_CONTENT if exchange.method == "OPTIONS" else HTTPStatus.METHOD_NOT_ALLOWED
            await exchange.answer(status, headers=_ALLOWED)

    def _get(self, path: bytes, query: bytes, root: str, api: str) -> Answer | Pieces:
        options = parse_options(decode_query(query))
        if not path:
            return self.service.root(root)
        return self.service.get(parse_path(path), options, root, api)

    async def _post(self, exchange: Exchange, path: bytes, root: str) -> None:
        if path == b"Observations":
            await self.creation.create(exchange, root, None)
            return
        datastream = self.creation.datastream_of(path)
        if datastream is None:
            datastream = await asyncio.to_thread(self.service.find_datastream, parse_path(path), root)
        await self.creation.create(exchange, root, datastream)
