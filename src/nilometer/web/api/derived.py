"""Derived Datastreams: what is declared, declaring more, and the functions there are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from nilometer.config_derived import DerivedConfig
from nilometer.derivation.function import families, functions
from nilometer.errors import ConfigError, RequestError
from nilometer.web.api.derived_documents import declared_document, function_document
from nilometer.web.api.face import Face, answer
from nilometer.web.api.review_bodies import parsed
from nilometer.web.api.reviews import body_of

__all__ = ["derived_routes"]


class DerivedBody(DerivedConfig):
    """A table ``[[derived]]``, and who declares it."""

    by: str = Field("", description="who, for the audit trail")


def derived_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["derived Datastreams"])

    @routes.get("/functions", summary="Every function that a Datastream can be derived with")
    def listed() -> Response:
        made = [
            {"name": family.name, "summary": family.summary, "parameters": dict(family.settings)}
            for family in families().items.values()
        ]
        known = [function_document(function) for _, function in sorted(functions().items.items())]
        return answer({"functions": known, "families": made})

    @routes.get("/derived", summary="What is derived, how, and what keeps it waiting")
    def derived() -> Response:
        return answer({"derived": [declared_document(one) for one in face.pipeline.derived.all()]})

    @routes.post(
        "/derived",
        summary="Declare a derived Datastream, or change how it is made, from now on",
        openapi_extra=body_of(DerivedBody),
    )
    async def declare(request: Request) -> Response:
        body = parsed(DerivedBody, await request.body())
        own = body.model_fields_set & DerivedConfig.model_fields.keys()
        config = DerivedConfig.model_construct(own, **{name: getattr(body, name) for name in own})
        try:
            datastream = await face.pipeline.define(config, by=body.by)
        except ConfigError as error:
            place = error.key.replace("derived[0]", "$", 1)
            raise RequestError(str(error).replace(f"{error.key}: ", "", 1), place=place) from error
        return answer(_of(face, datastream.id))

    @routes.delete("/derived/{key:path}", summary="Derive a Datastream no more; its rows stay")
    async def remove(key: str, by: str = "") -> Response:
        datastream = await face.pipeline.undefine(key, by=by)
        return answer({"datastream": datastream.id, "key": datastream.key})

    return routes


def _of(face: Face, datastream: int) -> dict[str, Any]:
    return next(declared_document(one) for one in face.pipeline.derived.all() if one.datastream.id == datastream)
