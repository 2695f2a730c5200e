"""The compaction of the folder that this server holds: have everything compacted, and see how far it is."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from nilometer.store import Store
from nilometer.web.api.face import Face, answer

__all__ = ["compaction_routes"]


def compaction_routes(face: Face) -> APIRouter:
    """Return the routes of compaction."""
    routes = APIRouter(tags=["compaction"])

    @routes.post("/compact", summary="Take revised and deleted rows out of the lake and merge its files; 202: it began")
    def compact() -> Response:
        store = face.pipeline.store
        store.start_compacting().ask()
        told = answer(_state(store))
        told.status_code = HTTPStatus.ACCEPTED
        return told

    @routes.get("/compact", summary="Whether compaction is under way, how far it is, and what the last one did")
    def compacting() -> Response:
        return answer(_state(face.pipeline.store))

    return routes


def _state(store: Store) -> dict[str, Any]:
    compactor, progress = store.start_compacting(), store.compacting
    return {
        "asked": compactor.is_asked,
        "stage": progress.stage,
        "rows": progress.rows,
        "of": progress.of,
        "report": None if compactor.report is None else asdict(compactor.report),
        "error": compactor.error,
    }
