"""``multipart/mixed`` of a batch (OData 4.0 part 1, 11.7.7): bytes to requests, answers to bytes; no I/O.

A part is a request, or a change set: a multipart of its own, whose parts each have a Content-ID::

    --b                                          --b
    Content-Type: application/http               Content-Type: multipart/mixed; boundary=c
    (empty line)                                 (empty line)
    POST Things HTTP/1.1                         --c
    Content-Type: application/json               Content-Type: application/http
    (empty line)                                 Content-ID: 1
    {…}                                          …
    --b--                                        --c--
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import pairwise

from nilometer.errors import RequestError

__all__ = ["MOST_PARTS", "Answered", "Asked", "boundary_of", "read_parts", "write_parts"]

MOST_PARTS = 1000
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]{1,70})\"|([^\s;\"]{1,70}))", re.IGNORECASE)
_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE)[ ]+(\S+)(?:[ ]+HTTP/\d\.\d)?", re.IGNORECASE)


@dataclass(slots=True)
class Asked:
    """One request of a batch; `group` names its change set, empty: it stands alone.

    Those in `after`, requests or change sets, have to be done before it; only the JSON form can say so.
    """

    id: str
    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    group: str = ""
    after: tuple[str, ...] = ()


@dataclass(slots=True)
class Answered:
    """The answer to one of them."""

    id: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    group: str = ""


def boundary_of(content_type: str, place: str) -> bytes:
    """Return the boundary that a content type names.

    Raises
    ------
    RequestError
        If it names none.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise RequestError("multipart/mixed needs a boundary", place=place)
    return (found[1] or found[2]).encode("latin-1", "replace")


def read_parts(body: bytes, boundary: bytes) -> list[Asked]:
    """Return the requests of a batch in order.

    Raises
    ------
    RequestError
        If it is no such batch; the place is a part.
    """
    asked: list[Asked] = []
    for number, part in enumerate(_split(body, boundary, "batch"), 1):
        place = f"part {number}"
        headers, content = _head(part)
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            inner = _split(content, boundary_of(kind, place), place)
            for at, one in enumerate(inner, 1):
                asked.append(_request(one, f"{place}.{at}", group=str(number)))
        else:
            asked.append(_request(part, place, group=""))
        if len(asked) > MOST_PARTS:
            raise RequestError(f"more than {MOST_PARTS} requests in a batch", place=place)
    return asked


def write_parts(answers: Sequence[Answered], boundary: str) -> bytes:
    """Return the answers of a batch; those of a change set are a multipart of their own."""
    lines: list[bytes] = []
    at = 0
    while at < len(answers):
        group = answers[at].group
        if not group:
            lines.append(f"--{boundary}\r\n".encode() + _written(answers[at]))
            at += 1
            continue
        inner, end = f"{boundary}-{group}", at
        while end < len(answers) and answers[end].group == group:
            end += 1
        lines.append(f"--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode())
        lines += [f"--{inner}\r\n".encode() + _written(one) for one in answers[at:end]]
        lines.append(f"--{inner}--\r\n".encode())
        at = end
    lines.append(f"--{boundary}--\r\n".encode())
    return b"".join(lines)


def _split(body: bytes, boundary: bytes, place: str) -> list[bytes]:
    """Return what stands between boundaries; line ends may be CRLF or LF."""
    mark = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|$)")
    marks = list(mark.finditer(body))
    if not marks or marks[-1][1] is None:
        raise RequestError("a multipart ends with its boundary and two hyphens", place=place)
    parts = []
    for this, following in pairwise(marks):
        if this[1] is not None:
            break
        part = body[this.end() : following.start()]
        parts.append(part[2:] if part.startswith(b"\r\n") else part[1:])
    return parts


def _head(part: bytes) -> tuple[dict[str, str], bytes]:
    """Return the headers of a part and what follows the empty line."""
    found = re.search(rb"(?:^|\r?\n)\r?\n", part)
    head, content = (part, b"") if found is None else (part[: found.start()], part[found.end() :])
    headers: dict[str, str] = {}
    for line in head.replace(b"\r\n", b"\n").split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.strip().decode("latin-1").lower()] = value.strip().decode("latin-1")
    return headers, content


def _request(part: bytes, place: str, *, group: str) -> Asked:
    about, content = _head(part)
    if not about.get("content-type", "").lower().startswith("application/http"):
        raise RequestError("a part of a batch is application/http", place=place)
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    found = _REQUEST.fullmatch(line.strip())
    if found is None:
        raise RequestError(f"{line[:60].decode('latin-1')!r} is no request such as GET Things HTTP/1.1", place=place)
    headers, body = _head(rest)
    number = about.get("content-id", headers.get("content-id", ""))
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:12]) <= len(body):
        body = body[: int(length[:12])]
    return Asked(number, found[1].decode().upper(), found[2].decode("latin-1"), headers, body, group)


def _written(answer: Answered) -> bytes:
    about = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    about += f"Content-ID: {answer.id}\r\n" if answer.id else ""
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    return f"{about}\r\n{line}{lines}\r\n".encode() + answer.body + b"\r\n"
