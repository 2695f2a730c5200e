"""Reprocessing of the folder that this server holds: have it begun, see how far it is and what moved."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from nilometer.errors import NotFound
from nilometer.pipeline.reprocess import Progress
from nilometer.pipeline.reprocess_judging import ALL
from nilometer.pipeline.reprocess_order import ReprocessOrder
from nilometer.web.api.face import Face, answer
from nilometer.web.times import parse_moment

__all__ = ["ReprocessBody", "progress_document", "reprocess_order", "reprocess_routes"]

_TIME = "ISO 8601 with an offset, or milliseconds since 1970 UTC"


class ReprocessBody(BaseModel):
    """What is to be reprocessed."""

    model_config = ConfigDict(extra="forbid")

    datastreams: list[str | int] = Field([], description="keys or ids; none: all")
    start: str | int | float | None = Field(None, description=f"inclusive; {_TIME}")
    end: str | int | float | None = Field(None, description=f"exclusive; {_TIME}")
    what: list[str] = Field(list(ALL), description=f"{', '.join(ALL)}: what is done anew")
    dry_run: bool = Field(default=False, description="only say what would move")
    force: bool = Field(default=False, description="also rows that somebody signed")
    changes: bool = Field(default=False, description="keep every changed row, for GET /reprocess/changes")
    by: str = Field("", description="who, for the audit trail")


def reprocess_order(body: ReprocessBody) -> ReprocessOrder:
    """Return an order from how it is written.

    Raises
    ------
    RequestError
        If a moment is none.
    """
    told = body.model_dump()
    for name in ("start", "end"):
        told[name] = parse_moment(None if told[name] is None else str(told[name]), name)
    return ReprocessOrder(**told)


def progress_document(progress: Progress) -> dict[str, Any]:
    """Return how far a run is, and what the last one came to."""
    return {
        "running": progress.running,
        "rows": progress.rows,
        "of": progress.of,
        "report": progress.report,
        "error": progress.error,
    }


def reprocess_routes(face: Face) -> APIRouter:
    """Return the routes of reprocessing."""
    routes = APIRouter(tags=["reprocessing"])

    @routes.post(
        "/reprocess",
        summary="Have what is stored calibrated, derived and judged again; 202: it began, 503: one goes on",
    )
    def reprocess(body: ReprocessBody) -> Response:
        face.pipeline.reprocessing.start(reprocess_order(body))
        told = answer(progress_document(face.pipeline.reprocessing.progress))
        told.status_code = HTTPStatus.ACCEPTED
        return told

    @routes.get("/reprocess", summary="Whether reprocessing is under way, how far it is, and what the last one moved")
    def reprocessing() -> Response:
        return answer(progress_document(face.pipeline.reprocessing.progress))

    @routes.get("/reprocess/changes", summary="Every row that the last run changed, old and new values, as Parquet")
    def changes() -> Response:
        file = face.pipeline.reprocessing.changes
        if file is None or face.pipeline.reprocessing.progress.report is None:
            raise NotFound("no run has kept its changed rows; order one with changes = true")
        return FileResponse(file, media_type="application/vnd.apache.parquet", filename="changes.parquet")

    return routes
