"""A public web service asked over HTTP: politely, one question at a time, and never more than it can bear.

Says who is asking, asks again only for what changed (ETag, Last-Modified), follows redirects, hears ``Retry-After``,
and takes no more of an answer than fits. Knows nothing of what an answer means.
"""

from __future__ import annotations

import asyncio
import email.utils
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from nilometer import __version__
from nilometer.errors import LinkError, LinkTimeout

__all__ = ["Answer", "QueryRefusedError", "ServiceBusyError", "WebService"]

MOST_BYTES = 64 * 1024 * 1024
MOST_REMEMBERED = 1000
LONGEST_WAIT_S = 3600.0
_COME_BACK_LATER = frozenset({408, 425, 429})
_NEVER = frozenset({501, 505})
"""Of the server's errors those that will not pass."""


class Answer(NamedTuple):
    """What came: the bytes, their media type, and the address they came from after any redirect."""

    body: bytes
    media_type: str
    url: str


class ServiceBusyError(LinkError):
    """The service is there and asks to be left alone, or failed itself; `wait_s` is its own wish, s, or None."""

    def __init__(self, message: str, *, link: str = "", wait_s: float | None = None) -> None:
        super().__init__(message, link=link)
        self.wait_s = wait_s


class QueryRefusedError(LinkError):
    """The service will not answer this question: the station, a name or a limit is wrong."""

    retryable = False


class WebService:
    """A client of one service.

    Parameters
    ----------
    name : str
        For people and messages: the service's base address.
    contact : str
        Whom the service may write to when we ask too much; stands in the User-Agent.
    timeout_s : float
        How long to wait for a connection, and for each further byte, s; a whole answer may take ten times as long.
    headers : mapping
        Sent with every question to the service itself, such as a key; never to where it redirects us.
    most_bytes : int
        How much of one answer is taken.
    now_s : callable, optional
        The present, s since 1970 UTC: ``Retry-After`` may be a date.
    """

    def __init__(
        self,
        name: str,
        *,
        contact: str = "",
        timeout_s: float = 30.0,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self._timeout_s, self._most_bytes, self._now_s = timeout_s, most_bytes, now_s
        self._own_headers = dict(headers or {})
        self._origin = _origin(name)
        said = f"nilometer/{__version__}" + (f" ({contact})" if contact else "")
        self._client = httpx.AsyncClient(headers={"User-Agent": said}, timeout=timeout_s, follow_redirects=False)
        self._seen: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def get(
        self, url: str, params: Mapping[str, str] | None = None, *, if_changed: bool = False
    ) -> Answer | None:
        """Ask, and return what came; None where it has not changed since it was last asked with `if_changed`.

        Parameters
        ----------
        url : str
            Where.
        params : mapping, optional
            The question; None leaves the address as it is.
        if_changed : bool
            Ask for it only where it changed, and remember what this answer says of its age.

        Raises
        ------
        LinkTimeout
            If nothing came in time.
        ServiceBusyError
            If it says so (408, 425, 429, 5xx).
        QueryRefusedError
            If it refuses the question (other 4xx, 501, 505), or sends us round in circles.
        LinkError
            If it cannot be reached, or the answer is cut off or too long.
        """
        whole = str(httpx.URL(url, params=dict(params))) if params is not None else url
        try:
            async with asyncio.timeout(10 * self._timeout_s):
                return await self._follow(whole, self._seen.get(whole, {}) if if_changed else {}, remember=if_changed)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise LinkTimeout(f"no answer within {self._timeout_s:g} s", link=self.name) from error
        except httpx.InvalidURL as error:
            raise QueryRefusedError(f"{whole[:200]!r} is no address: {error}", link=self.name) from error
        except httpx.RemoteProtocolError as error:
            raise LinkError(f"the answer was cut off: {error}", link=self.name) from error
        except httpx.HTTPError as error:
            raise LinkError(f"cannot be reached: {str(error) or type(error).__name__}", link=self.name) from error

    def forget(self) -> None:
        """Ask for everything again, changed or not."""
        self._seen.clear()

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _follow(self, asked: str, known: Mapping[str, str], *, remember: bool) -> Answer | None:
        url = asked
        for _ in range(6):
            headers = {**known, **(self._own_headers if _origin(url) == self._origin else {})}
            async with self._client.stream("GET", url, headers=headers) as response:
                if response.has_redirect_location:
                    url = str(response.url.join(response.headers["location"]))
                    continue
                if response.status_code == 304:
                    return None
                body = await self._body(response)
                self._judge(response, body)
                if remember:
                    self._remember(asked, response)
                return Answer(body, response.headers.get("content-type", "").partition(";")[0].strip().lower(), url)
        raise QueryRefusedError(f"it redirects us round in circles, last to {url[:200]}", link=self.name)

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > self._most_bytes:
                raise LinkError(f"the answer is longer than {self._most_bytes} bytes; ask for less", link=self.name)
        return bytes(body)

    def _judge(self, response: httpx.Response, body: bytes) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        said = f"{status} {response.reason_phrase}".strip() + _excerpt(response, body)
        if status in _COME_BACK_LATER or (status >= 500 and status not in _NEVER):
            raise ServiceBusyError(said, link=self.name, wait_s=self._wait_s(response.headers.get("retry-after")))
        raise QueryRefusedError(said, link=self.name)

    def _wait_s(self, text: str | None) -> float | None:
        """Return what ``Retry-After`` asks for, s: a count or a date (RFC 9110, 10.2.3)."""
        if text is None:
            return None
        if text.strip().isdecimal() and len(text) < 12:
            return min(float(text), LONGEST_WAIT_S)
        try:
            until = email.utils.parsedate_to_datetime(text).timestamp()
        except (ValueError, OverflowError):
            return None
        return None if self._now_s is None else min(max(until - self._now_s(), 0.0), LONGEST_WAIT_S)

    def _remember(self, url: str, response: httpx.Response) -> None:
        known = {}
        if "etag" in response.headers:
            known["If-None-Match"] = response.headers["etag"]
        if "last-modified" in response.headers:
            known["If-Modified-Since"] = response.headers["last-modified"]
        self._seen[url] = known
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _excerpt(response: httpx.Response, body: bytes) -> str:
    """Return the first words of an error's text; a page says nothing that people want in a line of a log."""
    if "html" in response.headers.get("content-type", ""):
        return ""
    words = " ".join(body[:300].decode("utf-8", "replace").split())
    return f": {words[:200]}" if words else ""
