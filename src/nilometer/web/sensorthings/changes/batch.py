"""``POST $batch``: many requests in one, as multipart/mixed or as JSON; those of a change set are one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from itertools import groupby
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from starlette.types import Message

from nilometer.errors import NilometerError, NotSupported, RequestError, TooLarge, WrongMediaType
from nilometer.web.exchange import FORWARDED, Exchange, encode_json
from nilometer.web.rates import asking
from nilometer.web.sensorthings.changes.bodies import check_nesting, read_json
from nilometer.web.sensorthings.changes.change_set import ChangeSet, ChangeSetFailed, Done, named, with_names
from nilometer.web.sensorthings.changes.multipart import (
    MOST_PARTS,
    Answered,
    Asked,
    boundary_of,
    read_parts,
    write_parts,
)
from nilometer.web.statuses import sensorthings_error, status_of

__all__ = ["MOST_BYTES", "Batch"]

MOST_BYTES = 32 << 20
MOST_ANSWERED = 64 << 20
"""Bytes of answers, after which no more requests of a batch are answered."""
MOST_OF_PART = 16 << 20
"""Bytes of the answer to one request: a batch is answered whole, and held in memory until it is."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_BOUNDARY = "batch-of-nilometer"

Handle = Callable[[Exchange, bytes], Awaitable[None]]
"""Answers one request; gets what follows the service root."""


class _Request(msgspec.Struct):
    """A request of the JSON form."""

    method: str
    url: str
    id: str | int = ""
    headers: dict[str, str] = {}
    body: Any = msgspec.UNSET
    group: str = msgspec.field(name="atomicityGroup", default="")
    after: list[str | int] = msgspec.field(name="dependsOn", default_factory=list)
    condition: Any = msgspec.field(name="if", default=msgspec.UNSET)


class _Requests(msgspec.Struct):
    """A batch in its JSON form."""

    requests: list[_Request]


_decoder = msgspec.json.Decoder(_Requests)


class Batch:
    """The endpoint.

    Parameters
    ----------
    handle : callable
        Answers a request that stands alone.
    change_set : ChangeSet
        Runs change sets.
    """

    def __init__(self, handle: Handle, change_set: ChangeSet) -> None:
        self._handle, self._change_set = handle, change_set

    async def answer(self, exchange: Exchange, root: str) -> None:
        """Answer a batch: 200 with an answer for each of its requests, in order.

        Raises
        ------
        RequestError
            If it cannot be read as a batch; then none of it was done.
        """
        content_type = exchange.header(b"content-type")
        if exchange.media_type == "application/json":
            asked = _read(await exchange.body(MOST_BYTES))
        elif exchange.media_type == "multipart/mixed":
            boundary = boundary_of(content_type, "content-type")
            asked = read_parts(await exchange.body(MOST_BYTES), boundary)
        else:
            allowed = "multipart/mixed, application/json"
            raise WrongMediaType(f"content-type {content_type[:60]!r} is no batch (allowed: {allowed})")
        client = asking.get()
        if client is not None:
            client.spend(requests=len(asked) - 1)
        answers = await self._all(exchange, asked, root)
        if exchange.media_type == "application/json":
            await exchange.answer_json({"responses": [_shown(one) for one in answers]})
            return
        body = write_parts(_one_of_failed(answers), _BOUNDARY)
        await exchange.answer(HTTPStatus.OK, body, f"multipart/mixed; boundary={_BOUNDARY}")

    async def _all(self, exchange: Exchange, asked: list[Asked], root: str) -> list[Answered]:
        names: dict[str, str] = {}
        failed: set[str] = set()
        answers: list[Answered] = []
        for group, members in groupby(asked, lambda one: one.group):
            for some in [list(members)] if group else [[one] for one in members]:
                cause = next((name for one in some for name in one.after if name in failed), "")
                if cause:
                    done = [_dropped(one, f"this was not done: it depends on {cause}, which failed") for one in some]
                elif group:
                    done = await self._together(some, names, root)
                else:
                    before = sum(len(known.body) for known in answers)
                    done = [await self._alone(exchange, some[0], names, root, before)]
                mine = {name for one in done for name in (one.id, one.group) if name}
                failed = failed | mine if any(map(_has_failed, done)) else failed - mine
                answers += done
        return answers

    async def _alone(self, exchange: Exchange, one: Asked, names: dict[str, str], root: str, before: int) -> Answered:
        try:
            if before > MOST_ANSWERED:
                raise TooLarge(f"the answers before this one are more than {MOST_ANSWERED} bytes; ask it alone")
            url = named(_below(one.url, root), names)
            body = one.body
            if body and b'"$' in body:
                body = encode_json(with_names(read_json(body), names))
            if url.partition("?")[0].strip("/") == "$batch":
                raise NotSupported("a batch does not go into a batch", place="url")
            answer = await self._asked(exchange, one, url, body)
        except NilometerError as error:
            return _refused(one, error)
        location = answer.headers.get("Location", "")
        if one.id and location.startswith(root):
            names[one.id] = location[len(root) + 1 :]
        return answer

    async def _asked(self, exchange: Exchange, one: Asked, url: str, body: bytes) -> Answered:
        path, _, query = url.partition("?")
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in one.headers.items()]
        kept = [pair for pair in exchange.scope["headers"] if pair[0] == b"host" or pair[0] in FORWARDED]
        mine = [pair for pair in headers if pair[0] in {b"content-type", b"accept"}]
        scope = {**exchange.scope, "method": one.method, "headers": [*kept, *mine], "query_string": query.encode()}
        scope["path"] = f"/v1.1/{unquote(path)}"
        sent: list[Message] = []

        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            # A part never hangs up: who waits for that, as what is sent in pieces does, waits until it is cancelled.
            if not waiting:
                await asyncio.Event().wait()
            return waiting.pop()

        held = 0

        async def send(message: Message) -> None:
            nonlocal held
            held += len(message.get("body", b""))
            if held > MOST_OF_PART:
                raise TooLarge(f"the answer is larger than {MOST_OF_PART} bytes; ask it alone, or for less with $top")
            sent.append(message)

        await self._handle(Exchange(scope, receive, send), path.encode())
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
        shown = {"Content-Type": told.get("content-type", ""), "Location": told.get("location", "")}
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answered(one.id, sent[0]["status"], {name: text for name, text in shown.items() if text}, content)

    async def _together(self, some: list[Asked], names: dict[str, str], root: str) -> list[Answered]:
        try:
            for one in some:
                one.url = _below(one.url, root)
            done = await self._change_set.run(some, names)
        except ChangeSetFailed as failed:
            message = f"nothing of this change set was done: its request {failed.at + 1} failed: {failed.error}"
            return [
                _refused(one, failed.error) if at == failed.at else _dropped(one, message)
                for at, one in enumerate(some)
            ]
        except NilometerError as error:
            return [_refused(one, error) for one in some]
        return [_done(one, what, root) for one, what in zip(some, done, strict=True)]


def _read(body: bytes) -> list[Asked]:
    try:
        requests = _decoder.decode(body).requests
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `")
        raise RequestError(text, place=place.rstrip("`") or "$") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"this is no JSON: {error}", place="$") from error
    if len(requests) > MOST_PARTS:
        raise RequestError(f"more than {MOST_PARTS} requests in a batch", place="$.requests")
    asked: list[Asked] = []
    known: set[str] = set()
    for at, one in enumerate(requests):
        method = one.method.upper()
        if method not in _METHODS:
            raise RequestError(f"{one.method[:20]!r} is no method here", place=f"$.requests[{at}].method")
        check_nesting(one.body, f"$.requests[{at}].body")
        content = b"" if one.body is msgspec.UNSET else encode_json(one.body)
        headers = {"content-type": "application/json", **{name.lower(): text for name, text in one.headers.items()}}
        if one.condition is not msgspec.UNSET:
            raise NotSupported("conditions are not served; dependsOn is", place=f"$.requests[{at}].if")
        after = tuple(map(str, one.after))
        unknown = next((name for name in after if name not in known), None)
        if unknown is not None:
            place = f"$.requests[{at}].dependsOn"
            raise RequestError(f"no request before this one is called {unknown[:60]!r}", place=place)
        known |= {str(one.id), one.group} - {""}
        asked.append(Asked(str(one.id), method, one.url, headers, content, one.group, after))
    return asked


def _below(url: str, root: str) -> str:
    """Return what follows the service root of a URL that is absolute, an absolute path, or relative.

    Raises
    ------
    RequestError
        If it leads to another service.
    """
    if url.startswith(("http://", "https://", "/")):
        try:
            parts, service = urlsplit(url), urlsplit(root)
        except ValueError as error:
            raise RequestError(f"{url[:100]!r} is no URL: {error}", place="url") from error
        if (parts.netloc and parts.netloc != service.netloc) or not f"{parts.path}/".startswith(f"{service.path}/"):
            raise RequestError(f"{url[:100]!r} is not below {root}", place="url")
        url = parts.path[len(service.path) :] + (f"?{parts.query}" if parts.query else "")
    return url.lstrip("/")


def _refused(one: Asked, error: NilometerError) -> Answered:
    body = encode_json(sensorthings_error(error))
    return Answered(one.id, status_of(error), {"Content-Type": "application/json"}, body, one.group)


def _dropped(one: Asked, message: str) -> Answered:
    told = {"code": HTTPStatus.FAILED_DEPENDENCY, "type": "error", "message": message}
    body = encode_json({**told, "error": {"code": "failed_dependency", "message": message, "place": ""}})
    return Answered(one.id, HTTPStatus.FAILED_DEPENDENCY, {"Content-Type": "application/json"}, body, one.group)


def _has_failed(one: Answered) -> bool:
    return one.status >= HTTPStatus.BAD_REQUEST


def _one_of_failed(answers: list[Answered]) -> list[Answered]:
    """Let a change set that failed have one answer, that of the request which did (OData 4.0 part 1, 11.7.4)."""
    kept: list[Answered] = []
    for group, members in groupby(answers, lambda one: one.group):
        some = list(members)
        if group and _has_failed(some[0]):
            cause = next(one for one in some if one.status != HTTPStatus.FAILED_DEPENDENCY)
            some = [replace(cause, group="")]
        kept += some
    return kept


def _done(one: Asked, what: Done, root: str) -> Answered:
    link = f"{root}/{what.kind.plural}({what.number})"
    status = HTTPStatus.CREATED if what.is_new else HTTPStatus.OK
    headers = {"Content-Type": "application/json"} | ({"Location": link} if what.is_new else {})
    body = b"" if one.method == "DELETE" else encode_json({"@iot.id": what.number, "@iot.selfLink": link})
    return Answered(one.id, status, headers, body, one.group)


def _shown(one: Answered) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": one.id, "status": one.status}
    if "Location" in one.headers:
        shown["location"] = one.headers["Location"]  # where the reference server's clients look for it
    if one.headers:
        shown["headers"] = one.headers
    if one.group:
        shown["atomicityGroup"] = one.group
    if one.body:
        is_json = one.headers.get("Content-Type", "").startswith("application/json")
        shown["body"] = msgspec.Raw(one.body) if is_json else one.body.decode("utf-8", "replace")
    return shown
