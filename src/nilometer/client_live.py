"""The live stream of a server as events: what is committed, as it is committed (``GET /api/v1/live``)."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from nilometer.client_refusals import refusal_of
from nilometer.errors import LinkError

__all__ = ["LiveEvent", "LiveStream"]

_SILENCE_S: Final = 45.0
"""How long a stream may be silent: the server says every 15 s that it is still there."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of the stream.

    Parameters
    ----------
    name : str
        ``observations``, ``settled``, ``source``, ``shed`` (the server dropped rows for a slow reader), or an empty
        text: nothing happened, and the server is there.
    data : dict
        What it says.
    """

    name: str
    data: dict[str, Any]


class LiveStream:
    """Events of a server, in order, until it ends; a context manager.

    It never connects again by itself: what was committed in between has to be read by who follows the stream, so an
    end is told as a `LinkError`.

    Parameters
    ----------
    connection : HTTPConnection
        Not yet opened; owned by this from now on.
    target : str
        Path and query.
    headers : dict of str to str
        Of the request.
    link : str
        How errors call the server.

    Raises
    ------
    NotFound, NotAuthorized
        As the server refuses.
    LinkError
        If it does not answer.
    """

    def __init__(self, connection: http.client.HTTPConnection, target: str, headers: dict[str, str], link: str) -> None:
        self._connection, self._link = connection, link
        connection.timeout = _SILENCE_S
        try:
            connection.request("GET", target, headers=headers)
            self._socket = connection.sock  # later only the answer may know it
            self._answer = connection.getresponse()
            refusal = refusal_of(self._answer.status, self._answer.read()) if self._answer.status >= 400 else None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise LinkError(f"the server does not answer: {error}", link=link) from error
        if refusal is not None:
            connection.close()
            raise refusal

    def __enter__(self) -> LiveStream:
        return self

    def __exit__(self, *told: object) -> None:
        self.close()

    def hang_up(self) -> None:
        """End it from another thread: whoever waits for the next event gets a `LinkError`."""
        with contextlib.suppress(OSError):  # where the other side was faster there is nothing to shut
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()
        self._connection.close()

    def __iter__(self) -> Iterator[LiveEvent]:
        """Yield events; a heartbeat is one without a name.

        Raises
        ------
        LinkError
            When the stream ends, is silent for too long, or says what is no event.
        """
        name, data = "", ""
        while True:
            try:
                raw = self._answer.readline()
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise LinkError(f"the live stream broke off: {error}", link=self._link) from error
            if not raw:
                raise LinkError("the live stream ended", link=self._link)
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
            elif line.startswith(":"):
                yield LiveEvent("", {})
            elif not line and data:
                yield LiveEvent(name, self._read(data))
                name, data = "", ""

    def _read(self, data: str) -> dict[str, Any]:
        try:
            found = json.loads(data)
        except ValueError as error:
            raise LinkError("the live stream says what is no JSON", link=self._link) from error
        return found if isinstance(found, dict) else {}
