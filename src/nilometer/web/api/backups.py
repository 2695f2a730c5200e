"""Backups of the folder that this server holds, to a place on its own machine."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from nilometer.errors import RequestError
from nilometer.web.api.face import Face, answer

__all__ = ["backup_routes"]


class BackupOrder(BaseModel):
    """Where to: an absolute path on the server's machine, absent or an empty folder; and whether files are linked."""

    model_config = ConfigDict(extra="forbid")

    to: str
    link: bool = True


def backup_routes(face: Face) -> APIRouter:
    """Return the routes of backups."""
    routes = APIRouter(tags=["backups"])

    @routes.post("/backups", summary="Copy everything acknowledged so far; the answer comes when it is durable")
    def backup(order: BackupOrder) -> Response:
        target = Path(order.to)
        if not target.is_absolute() or "\0" in order.to:
            raise RequestError(f"{order.to[:200]!r} is no absolute path on the server's machine", place="to")
        manifest = face.pipeline.store.backup(target, link=order.link)
        return answer(manifest.summary(target))

    return routes
