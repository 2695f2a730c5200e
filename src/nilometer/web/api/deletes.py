"""Routes of the native API that delete Observations: a stretch of one Datastream, or of several in one commit."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from nilometer.pipeline.deleting import Deleted, DeleteOrder
from nilometer.web.api.entities import Moment
from nilometer.web.api.face import Face, answer
from nilometer.web.times import format_time, parse_moment

__all__ = ["delete_order", "delete_routes", "deleted_document"]

By = Annotated[str, Query(description="who does it, for the audit trail")]
Reason = Annotated[str, Query(description="why, a code as GET /reviews/settings lists them")]
Comment = Annotated[str, Query(description="why, in words", max_length=10_000)]
Force = Annotated[bool, Query(description="also rows that somebody signed")]


def delete_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.delete("/datastreams/{name:path}/observations", summary="Delete a stretch of a Datastream")
    async def delete_one(
        name: str,
        start: Moment = None,
        end: Moment = None,
        by: By = "",
        reason: Reason = "",
        comment: Comment = "",
        force: Force = False,  # noqa: FBT002 -- a query parameter
    ) -> Response:
        order = delete_order([face.datastream(name).id], start, end, by=by, reason=reason, comment=comment, force=force)
        return answer(deleted_document(await face.pipeline.delete(order)))

    @routes.delete("/observations", summary="Delete a stretch of several Datastreams, in one commit")
    async def delete_several(
        datastream: Annotated[list[str], Query(description="ids or keys; several, or separated by commas")],
        start: Moment = None,
        end: Moment = None,
        by: By = "",
        reason: Reason = "",
        comment: Comment = "",
        force: Force = False,  # noqa: FBT002 -- a query parameter
    ) -> Response:
        ids = [face.datastream(part).id for text in datastream for part in text.split(",") if part]
        order = delete_order(ids, start, end, by=by, reason=reason, comment=comment, force=force)
        return answer(deleted_document(await face.pipeline.delete(order)))

    return routes


def delete_order(
    datastreams: list[str | int] | list[int] | list[str],
    start: str | None = None,
    end: str | None = None,
    *,
    by: str = "",
    reason: str = "",
    comment: str = "",
    force: bool = False,
) -> DeleteOrder:
    """Return an order from how it is written.

    Raises
    ------
    RequestError
        If a moment is none.
    """
    first, last = parse_moment(start, "start"), parse_moment(end, "end")
    return DeleteOrder(tuple(datastreams), first, last, by=by, reason=reason, comment=comment, force=force)


def deleted_document(done: Deleted) -> dict[str, Any]:
    """Return what was deleted; `since` is the moment from which on ``as_of`` shows the rows no longer."""
    since = None if done.since is None else format_time(done.since)
    return {"deleted": done.rows, "commit": done.sequence, "since": since}
