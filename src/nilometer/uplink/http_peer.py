"""One HTTP server that is spoken to again and again over one connection; blocks, so call it through `Desk.reading`."""

from __future__ import annotations

import contextlib
import http.client
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from nilometer.errors import LinkError

__all__ = ["HttpAnswer", "HttpPeer"]

LONGEST_ANSWER = 64 << 20


class HttpAnswer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpPeer:
    """A server.

    Parameters
    ----------
    url : str
        Its root, such as ``https://example.org/FROST-Server/v1.1``.
    token, username, password : str, optional
        Sent as Bearer, or as Basic.
    timeout_s : float
        How long an answer is waited for, s.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        parts = urlsplit(url)
        self.url, self._root = url.rstrip("/"), parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        self._headers = {"Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        elif username is not None:
            pair = f"{username}:{password or ''}".encode()
            self._headers["Authorization"] = f"Basic {b64encode(pair).decode()}"

    def send(self, method: str, path: str, body: bytes | None = None) -> HttpAnswer:
        """Return the answer to a request; `path` is below the root, or a whole URL of this server.

        Raises
        ------
        LinkError
            If none came: whether the server did what it was asked is not known then.
        """
        parts = urlsplit(path)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        if not parts.netloc:
            target = self._root + target
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        try:
            self._connection.request(method, target, body, headers)
            answer = self._connection.getresponse()
            content = answer.read(LONGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise LinkError(f"no answer: {str(error) or type(error).__name__}", link=self.url) from error
        if len(content) > LONGEST_ANSWER:
            self.close()
            raise LinkError(f"an answer longer than {LONGEST_ANSWER} bytes", link=self.url)
        return HttpAnswer(answer.status, dict(answer.getheaders()), content)

    def close(self) -> None:
        """Hang up; the next request dials again."""
        with contextlib.suppress(OSError):
            self._connection.close()
