"""The native API as a FastAPI application: its routes, its errors, and an OpenAPI document that is true."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from nilometer import __version__
from nilometer.errors import NilometerError, NotFound, RequestError
from nilometer.web.api.backups import backup_routes
from nilometer.web.api.bodies import ARROW, COLUMNS
from nilometer.web.api.calibrations import calibration_routes
from nilometer.web.api.compaction import compaction_routes
from nilometer.web.api.deletes import delete_routes
from nilometer.web.api.derived import derived_routes
from nilometer.web.api.entities import entity_routes
from nilometer.web.api.events import event_routes
from nilometer.web.api.face import Face
from nilometer.web.api.latest import latest_routes
from nilometer.web.api.observations import observation_routes
from nilometer.web.api.reprocess import reprocess_routes
from nilometer.web.api.reviews import review_routes
from nilometer.web.api.rollups import rollup_routes
from nilometer.web.api.trials import trial_routes
from nilometer.web.api.uplinks import uplink_routes
from nilometer.web.api.verdicts import verdict_routes
from nilometer.web.exchange import encode_json
from nilometer.web.statuses import RETRY_AFTER_S, error_document, status_of

__all__ = ["PREFIX", "create_native"]

PREFIX = "/api/v1"


def create_native(face: Face) -> FastAPI:
    """Return the application; bulk writes and the live stream stand in its OpenAPI and are served beside it."""
    app = FastAPI(
        title="nilometer",
        version=__version__,
        description="The native API. SensorThings is at /v1.1. Times are milliseconds since 1970 UTC.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    # The more particular paths first: a key may hold slashes.
    parts = (
        backup_routes,
        compaction_routes,
        reprocess_routes,
        derived_routes,
        review_routes,
        event_routes,
        calibration_routes,
        delete_routes,
        latest_routes,
        observation_routes,
        rollup_routes,
        verdict_routes,
        trial_routes,
        uplink_routes,
        entity_routes,
    )
    for routes in (make(face) for make in parts):
        app.include_router(routes, prefix=PREFIX)
    app.add_exception_handler(NilometerError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)
    app.add_exception_handler(HTTPException, _refuse_path)
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _told_truly(original())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, NilometerError):
        raise error
    headers = {"retry-after": str(RETRY_AFTER_S)} if error.retryable else {}
    return Response(encode_json(error_document(error)), status_of(error), headers, "application/json")


async def _refuse_parameters(request: Request, error: Exception) -> Response:
    """Answer 400 with the place: what FastAPI would call 422 is a malformed request."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    place = ".".join(str(part) for part in first["loc"])
    return await _refuse(request, RequestError(str(first["msg"]), place=place))


async def _refuse_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    if status == HTTPStatus.NOT_FOUND:
        return await _refuse(request, NotFound(f"there is nothing at {request.url.path[:200]}"))
    headers = dict(getattr(error, "headers", None) or {})
    document = {
        "error": {"code": HTTPStatus(status).name.lower(), "message": HTTPStatus(status).phrase, "place": "method"}
    }
    return Response(encode_json(document), status, headers, "application/json")


def _told_truly(document: dict[str, Any]) -> dict[str, Any]:
    """Replace 422 by what is sent, and add the endpoints that are served beside FastAPI."""
    for methods in document["paths"].values():
        for operation in methods.values():
            responses = operation["responses"]
            responses.pop("422", None)
            responses["4XX"] = {"$ref": "#/components/responses/Refused"}
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    components["responses"] = {"Refused": {"description": "What is wrong, and where", "content": _json_content(_ERROR)}}
    document["paths"].setdefault(f"{PREFIX}/observations", {})["post"] = _BULK
    document["paths"][f"{PREFIX}/live"] = {"get": _LIVE}
    return document


def _json_content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "object", "properties": {"code": _TEXT, "message": _TEXT, "place": _TEXT}}},
}
_BULK = {
    "summary": "Write many Observations; the answer comes when they are durable",
    "operationId": "write_observations",
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": _TEXT,
                "example": "datastream,phenomenon_time,result\nriver/ph,2021-03-05T12:00:00Z,7.9\n",
            },
            ARROW: {"schema": {"type": "string", "format": "binary"}},
            **_json_content(
                {"type": "object", "properties": {name: {"type": "array", "items": {}} for name in COLUMNS}}
            ),
        },
    },
    "responses": {
        "200": {
            "description": "Some rows are stored",
            "content": _json_content(
                {
                    "type": "object",
                    "properties": {
                        **dict.fromkeys(("accepted", "unchanged", "revised", "rejected"), _NUMBER),
                        "errors": {
                            "type": "array",
                            "items": {"type": "object", "properties": {"row": _NUMBER, "reason": _TEXT}},
                        },
                    },
                }
            ),
        },
        "400": {"$ref": "#/components/responses/Refused"},
    },
}
_LIVE = {
    "summary": "What is committed, as server-sent events: observations, settled, source, shed",
    "operationId": "live",
    "parameters": [
        {
            "name": "datastream",
            "in": "query",
            "required": False,
            "schema": _TEXT,
            "description": "ids or keys, by commas",
        }
    ],
    "responses": {"200": {"description": "A stream", "content": {"text/event-stream": {"schema": _TEXT}}}},
}
