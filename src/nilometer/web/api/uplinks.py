"""Uplinks: how each receiver is doing, which periods it did not get, and sending some again."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from nilometer.errors import RequestError
from nilometer.uplink.receiver import UplinkStatus
from nilometer.web.api.face import Face, answer
from nilometer.web.times import parse_moment

__all__ = ["uplink_document", "uplink_routes"]

Moment = Annotated[str | None, Query(description="ISO 8601 with an offset, or milliseconds since 1970 UTC")]
DAY_US = 86_400_000_000


class Resend(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be sent again."""

    start: str | int
    end: str | int
    kind: str | None = None


def uplink_document(status: UplinkStatus) -> dict[str, Any]:
    """Return how an uplink is doing; times in ms since 1970 UTC."""
    return {
        "name": status.name,
        "receiver": status.receiver,
        "things": list(status.things),
        "state": str(status.state),
        "detail": status.detail,
        "since": status.since // 1000,
        "sent": status.sent,
        "answered": status.answered,
        "repeated": status.repeated,
        "waiting": status.waiting,
        "newest": None if status.newest is None else status.newest // 1000,
        "refused": status.refused,
    }


def uplink_routes(face: Face) -> APIRouter:
    """Return the routes of uplinks."""
    routes = APIRouter(tags=["uplinks"])
    uplinks = face.pipeline.uplinks

    @routes.get("/uplinks", summary="Every receiver and how it is doing")
    def all_uplinks() -> Response:
        return answer({"uplinks": [uplink_document(status) for status in uplinks.statuses()]})

    @routes.get("/uplinks/{name:path}/gaps", summary="What a receiver did not get, and why; default: the last day")
    def gaps(name: str, start: Moment = None, end: Moment = None, kind: str | None = None) -> Response:
        until = parse_moment(end, "end") or face.pipeline.clock()
        first = parse_moment(start, "start")
        return answer(uplinks.gaps(name, until - DAY_US if first is None else first, until, kind))

    @routes.post("/uplinks/{name:path}/resend", summary="Send again what a receiver was sent, as it is now")
    async def resend(name: str, request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await request.body(), type=Resend)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise RequestError(f"{error} (members: start, end, kind)", place="body") from error
        start, end = parse_moment(str(asked.start), "start"), parse_moment(str(asked.end), "end")
        if start is None or end is None:
            raise RequestError("both are needed", place="start, end")
        return answer({"uplink": name, "periods": await uplinks.resend(name, asked.kind, start, end)})

    return routes
