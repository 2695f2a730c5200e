"""The data folder that takes: through the server that holds it, or through a pipeline of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from nilometer.client_refusals import refusal_of
from nilometer.config import Config, load
from nilometer.errors import LinkError, StoreLocked
from nilometer.pipeline import Pipeline
from nilometer.web.app import create_app

__all__ = ["Holder", "held"]

TIMEOUT_S = 300.0
_ROOT = "/v1.1"


class Holder:
    """The SensorThings face of the folder.

    Parameters
    ----------
    client : httpx.AsyncClient
        Reaches it, whether it is a server or in this process.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def walk(self, path: str, params: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """Yield the entities of a set."""
        url, asked = f"{_ROOT}/{path}", dict(params)
        while url:
            page = await self._ask("GET", url, params=asked or None)
            for item in page["value"]:
                yield item
            url, asked = page.get("@iot.nextLink") or "", {}

    async def make(self, path: str, document: Mapping[str, Any]) -> int:
        """Make an entity and return its id.

        Raises
        ------
        NilometerError
            If it is refused.
        """
        made = await self._ask("POST", f"{_ROOT}/{path}", body=document)
        return int(made["@iot.id"])

    async def change(self, path: str, document: Mapping[str, Any]) -> None:
        """Change an entity."""
        await self._ask("PATCH", f"{_ROOT}/{path}", body=document)

    async def take(self, groups: Sequence[Mapping[str, Any]]) -> list[str]:
        """Deliver data arrays, and return a link or an error for each row."""
        answers: list[str] = await self._ask("POST", f"{_ROOT}/CreateObservations", body=groups)
        return answers

    async def _ask(self, method: str, url: str, *, params: Any = None, body: Any = None) -> Any:  # noqa: ANN401 -- JSON
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            answer = await self._client.request(method, url, params=params, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise LinkError(str(error) or type(error).__name__, link=str(self._client.base_url)) from error
        if not answer.is_success:
            raise refusal_of(answer.status_code, answer.content)
        return msgspec.json.decode(answer.content) if answer.content else None


@asynccontextmanager
async def held(folder: Path) -> AsyncIterator[Holder]:
    """Open a data folder for a while; it is made if it is not there.

    Raises
    ------
    StoreLocked
        If another process holds it that serves nothing.
    StoreError
        If it cannot be written.
    """
    file = folder / "nilometer.toml"
    config = load(file) if file.exists() else Config()
    try:
        pipeline = Pipeline(folder, config.model_copy(update={"sources": ()}), config_file=file)
    except StoreLocked as locked:
        if not locked.address:
            raise
        headers = {"Authorization": f"Bearer {config.server.token}"} if config.server.token else {}
        async with httpx.AsyncClient(base_url=locked.address, headers=headers, timeout=TIMEOUT_S) as client:
            yield Holder(client)
        return
    await pipeline.start()
    try:
        transport = httpx.ASGITransport(app=create_app(pipeline))
        async with httpx.AsyncClient(transport=transport, base_url="http://folder") as client:
            yield Holder(client)
    finally:
        await pipeline.close()
