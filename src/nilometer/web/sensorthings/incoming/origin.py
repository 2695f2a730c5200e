"""The other server: its pages followed to the last, asked again where it is busy or cut off.

References
----------
OGC 18-088, SensorThings API Part 1: Sensing, version 1.1: 9.3 (query options), 9.3.3.4 (nextLink), 12 (data arrays).
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.links.web_service import QueryRefusedError, ServiceBusyError, WebService
from nilometer.acquisition.protocols.sensorthings import Id, written_id
from nilometer.errors import LinkError, RequestError

__all__ = ["FEW_TRIES", "PAGE", "Entity", "Origin", "followed", "id_of"]

TRIES = 8
FEW_TRIES = 3
"""How often something is asked that can be done without, or otherwise."""
LONGEST_WAIT_S = 300.0
PAGE = 100
_VERSION = re.compile(r"/v\d+\.\d+(?=/|$)")
_FIELD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
Entity = dict[str, Any]


def id_of(entity: Mapping[str, Any]) -> Id:
    """Return the id of an entity.

    Raises
    ------
    RequestError
        If it has none.
    """
    number = entity.get("@iot.id", entity.get("id"))
    if not isinstance(number, int | str) or isinstance(number, bool):
        raise RequestError(f"{str(entity)[:80]!r} has no id, so this is no SensorThings server", place="url")
    return number


def followed(link: str, base: str, asked: str) -> str:
    """Return the address of a next page on the server that was asked, however it names itself.

    Parameters
    ----------
    link : str
        What the page says.
    base : str
        Root of the service, as it is reached from here.
    asked : str
        Where the page came from.

    Examples
    --------
    >>> followed("http://inside:8080/FROST/v1.1/Things(1)/Datastreams?$skip=9", "https://x.org/v1.1", "https://x.org")
    'https://x.org/v1.1/Things(1)/Datastreams?$skip=9'
    """
    there, here = urlsplit(link), urlsplit(base)
    version = _VERSION.search(there.path)
    if version is not None:
        path = here.path.rstrip("/") + there.path[version.end() :]
    else:
        path = there.path if there.netloc in {"", here.netloc} and there.path else urlsplit(asked).path
    return urlunsplit((here.scheme, here.netloc, path, there.query, ""))


class Origin:
    """A SensorThings server that is read.

    Parameters
    ----------
    url : str
        Root of the service, with the version.
    token, user, password : str, optional
        Sent as Bearer, or as Basic.
    header : str, optional
        ``NAME: VALUE``, sent with each request, such as the key of an API.
    timeout_s : float
        How long a byte is waited for, s.
    told : callable, optional
        Hears of waits.
    pause : coroutine function
        Waits so many seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        user: str | None = None,
        password: str | None = None,
        header: str | None = None,
        timeout_s: float = 60.0,
        told: Callable[[str], None] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise RequestError(f"{url!r} is no root of a service such as https://example.org/v1.1", place="url")
        self.url = url.rstrip("/")
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        elif user is not None:
            pair = f"{user}:{password or ''}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        if header is not None:
            name, colon, value = header.partition(":")
            if (
                not colon
                or not _FIELD.fullmatch(name)
                or not value.strip().isascii()
                or not value.strip().isprintable()
            ):
                raise RequestError(f"{name[:60]!r} begins no header such as 'X-Api-Key: VALUE'", place="header")
            headers[name] = value.strip()
        self._web = WebService(self.url, timeout_s=timeout_s, headers=headers)
        self._told, self._pause = told or (lambda _: None), pause
        self.samples: dict[str, str] = {}
        """The option that shows samples of standards beside the water, where it has one; known after `sets`."""
        self.unordered: set[str] = set()
        """What it would not order by id: there a page may miss some, or have some again."""

    async def close(self) -> None:
        """Hang up."""
        await self._web.close()

    async def sets(self) -> set[str]:
        """Return the names of the entity sets it serves.

        Raises
        ------
        LinkError
            If it does not answer.
        RequestError
            If it is no SensorThings server.
        """
        listed = await self.get(self.url)
        settings = listed.get("serverSettings")
        if isinstance(settings, dict) and "nilometer" in settings:
            self.samples = {"samples": "all"}
        return {str(one.get("name")) for one in _items(listed, self.url)}

    async def get(self, url: str, params: Mapping[str, str] | None = None, *, tries: int = TRIES) -> Entity:
        """Return a JSON object; a server that is busy or cuts off is asked again, later each time.

        Parameters
        ----------
        url : str
            Where.
        params : mapping, optional
            The question.
        tries : int
            How often it is asked at most: fewer times where another question would do.

        Raises
        ------
        LinkError
            If it refuses, or fails to the last try.
        RequestError
            If what it answers is no JSON object.
        """
        backoff = Backoff(0.5, 60.0)
        while True:
            try:
                answer = await self._web.get(url, params)
                break
            except QueryRefusedError:
                raise
            except LinkError as error:
                wanted = error.wait_s if isinstance(error, ServiceBusyError) else None
                wait_s = min(LONGEST_WAIT_S, max(backoff.next_s(), wanted or 0.0))
                if backoff.failures >= tries:
                    raise
                self._told(f"{error}; trying again in {wait_s:.1f} s")
                await self._pause(wait_s)
        try:
            found = msgspec.json.decode(answer.body if answer is not None else b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RequestError(f"{url} answers no JSON: {error}", place="url") from error
        if not isinstance(found, dict):
            raise RequestError(f"{url} answers no object", place="url")
        return found

    async def walk(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Entity]:
        """Yield the entities of a set, page by page; in the server's order if it fails to order them by id."""
        url = f"{self.url}/{path}"
        first, asked = await self._first(url, params)
        if "$orderby" in params and "$orderby" not in asked:
            self.unordered.add(path)
        async for entity in self._pages(url, asked, first):
            yield entity

    async def _first(self, url: str, params: Mapping[str, str]) -> tuple[Entity, Mapping[str, str]]:
        """Return a first page, and what was asked for it."""
        try:
            return await self.get(url, params, tries=FEW_TRIES), params
        except (QueryRefusedError, ServiceBusyError):
            unordered = {option: value for option, value in params.items() if option != "$orderby"}
            try:
                return await self.get(url, unordered, tries=1), unordered
            except LinkError:  # so it was not the order
                return await self.get(url, params), params

    async def related(
        self, plural: str, entity: Entity, name: str, expand: str = "", order: str = "id asc"
    ) -> AsyncIterator[Entity]:
        """Yield what is related to an entity: as it was expanded, or page by page where that is not all.

        The next link of an expansion is not followed: some servers forget in it what was to be expanded further on.

        Parameters
        ----------
        plural : str
            The set that the entity is in.
        entity : dict
            As it came.
        name : str
            The relation.
        expand : str
            What is to be expanded of each.
        order : str
            How they are ordered, so that no page misses one; nothing: as the server has them.
        """
        if f"{name}@iot.nextLink" not in entity or entity[f"{name}@iot.nextLink"] is None:
            for one in entity.get(name) or []:
                yield one
            return
        params = {"$top": str(PAGE), "$orderby": order, "$expand": expand}
        asked = {option: value for option, value in params.items() if value}
        async for one in self.walk(self.path(plural, id_of(entity), name), asked):
            yield one

    async def count(self, path: str, condition: str = "") -> int | None:
        """Return how many there are; None where the server does not say."""
        params = {"$count": "true", "$top": "0"} | ({"$filter": condition} if condition else {})
        params |= self.samples
        found = (await self.get(f"{self.url}/{path}", params)).get("@iot.count")
        return found if isinstance(found, int) else None

    def path(self, plural: str, number: Id, name: str) -> str:
        """Return the path of a relation."""
        return f"{plural}({written_id(number)})/{name}"

    async def _pages(
        self, url: str, params: Mapping[str, str] | None, first: Entity | None = None
    ) -> AsyncIterator[Entity]:
        while url:
            page, first = first or await self.get(url, params), None
            for item in _items(page, url):
                yield item
            link = page.get("@iot.nextLink")
            following = followed(link, self.url, url) if isinstance(link, str) else ""
            url, params = "" if following == url else following, None


def _items(page: Mapping[str, Any], url: str) -> list[Entity]:
    found = page.get("value")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RequestError(f"{url} answers no page of SensorThings", place="url")
    return found
