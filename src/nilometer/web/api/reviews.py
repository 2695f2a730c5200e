"""Routes of the manual review: enter steps, undo them, read the history as of any moment, see every version of rows."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response

from nilometer.errors import RequestError
from nilometer.model import ObservationBatch
from nilometer.store import ReviewStep
from nilometer.store.review_ledger import SIGN_OFF, levels
from nilometer.web.api.entities import Moment
from nilometer.web.api.face import Face, answer
from nilometer.web.api.review_bodies import ReviewBody, UndoBody, entered_document, parsed, review_order, step_document
from nilometer.web.api.tables import json_columns
from nilometer.web.times import parse_moment

__all__ = ["body_of", "review_routes"]

MOST_VERSIONS = 1_000_000
_LIVE = int(np.iinfo(np.int64).max)


def body_of(model: type[Any]) -> dict[str, Any]:
    """Return what OpenAPI says of a body that is read here: a place in it is told better than FastAPI would."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def review_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _of_settings(routes, face)
    _of_steps(routes, face)
    _of_rows(routes, face)
    return routes


def _known(face: Face, commit: int | None) -> list[ReviewStep]:
    """Return the history as it was at a commit."""
    steps = face.pipeline.store.catalog.reviews.steps()
    return steps if commit is None else [step for step in steps if step.is_applied and step.sequence <= commit]


def _meets(step: ReviewStep, start: int | None, end: int | None) -> bool:
    return (start is None or step.end > start) and (end is None or step.start < end)


def _of_settings(routes: APIRouter, face: Face) -> None:
    @routes.get("/reviews/settings", summary="Levels, reasons and kinds of events")
    def settings() -> Response:
        pipeline = face.pipeline
        return answer(
            {
                "levels": [{"key": one.key, "names": one.names} for one in pipeline.config.review.levels],
                "reasons": pipeline.orders.reasons,
                "four_eyes": pipeline.config.review.four_eyes,
                "events": {
                    kind: {
                        "flag": rule.flag,
                        "margin_s": rule.margin / 1e6,
                        "properties": rule.properties,
                        "names": dict(rule.names),
                    }
                    for kind, rule in pipeline.event_book.rules.items()
                },
            }
        )


def _of_steps(routes: APIRouter, face: Face) -> None:
    @routes.post(
        "/reviews",
        summary="Enter a step of the review; the answer comes when its rows are durable",
        openapi_extra=body_of(ReviewBody),
    )
    async def enter(request: Request) -> Response:
        order = review_order(parsed(ReviewBody, await request.body()))
        return answer(entered_document(face.pipeline.store.catalog, await face.pipeline.review(order)))

    @routes.get("/reviews", summary="The history of the review, in order")
    def history(
        datastream: str | None = None,
        start: Moment = None,
        end: Moment = None,
        as_of: Moment = None,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
    ) -> Response:
        wanted = None if datastream is None else face.datastream(datastream)
        first, last, moment = parse_moment(start, "start"), parse_moment(end, "end"), parse_moment(as_of, "as_of")
        commit = None if moment is None else face.pipeline.store.commit_at(moment)
        steps = [step for step in _known(face, commit) if _meets(step, first, last)]
        if wanted is not None:
            of = face.pipeline.store.catalog.observed_property(wanted.observed_property).key
            steps = [step for step in steps if step.speaks_of(wanted.id, wanted.thing, of)]
        known = {step.id for step in _known(face, commit)}
        documents = [step_document(step, face.pipeline.store.catalog) for step in steps[-limit:]]
        for document in documents:
            # What undid a step later was not known then.
            document["undone_by"] = document["undone_by"] if document["undone_by"] in known else None
        return answer({"steps": documents, "as_of": None if moment is None else moment // 1000})

    @routes.get("/reviews/{number}", summary="A step of the review")
    def step(number: int) -> Response:
        catalog = face.pipeline.store.catalog
        return answer(step_document(catalog.reviews.step(number), catalog))

    @routes.post(
        "/reviews/{number}/undo",
        summary="Undo a step; later ones are applied again to what remains",
        openapi_extra=body_of(UndoBody),
    )
    async def undo(number: int, request: Request) -> Response:
        body = parsed(UndoBody, await request.body())
        done = await face.pipeline.undo(number, by=body.by, reason=body.reason, comment=body.comment, force=body.force)
        return answer(entered_document(face.pipeline.store.catalog, done))


def _of_rows(routes: APIRouter, face: Face) -> None:
    @routes.get("/datastreams/{name:path}/levels", summary="How many rows of a span have which level of review")
    def level_counts(name: str, start: Moment = None, end: Moment = None, as_of: Moment = None) -> Response:
        datastream = face.datastream(name)
        store, then = face.pipeline.store, face.then(as_of)
        first, last = parse_moment(start, "start"), parse_moment(end, "end")
        table = then.snapshot.read([datastream.id], first, last, columns=["phenomenon_time", "commit"])
        spoken = then.evidence.signed([datastream.id]).get(datastream.id, [])
        rank = levels(spoken, table["phenomenon_time"].cast(pa.int64()).to_numpy(), table["commit"].to_numpy())
        names = {0: face.pipeline.orders.levels[0]} | {
            one.parameters["rank"]: one.parameters["level"] for one in spoken
        }
        signed = [step_document(one, store.catalog) for one in spoken if one.action == SIGN_OFF]
        counts = {names[int(one)]: int((rank == one).sum()) for one in np.unique(rank)}
        return answer({"datastream": datastream.id, "rows": counts, "signed": signed})

    @routes.get("/datastreams/{name:path}/versions", summary="Every version of the rows of a span, with its commits")
    def versions(name: str, start: Moment = None, end: Moment = None, as_of: Moment = None) -> Response:
        datastream = face.datastream(name)
        then = face.then(as_of)
        table = then.snapshot.versions([datastream.id], parse_moment(start, "start"), parse_moment(end, "end"))
        if len(table) > MOST_VERSIONS:
            raise RequestError(f"{len(table)} versions are too many at once; ask for less time", place="start")
        ended = table["superseded_commit"].to_pylist()
        rows = ObservationBatch.from_arrow(table.drop_columns(["superseded_commit"]))
        columns = json_columns(rows, face.pipeline.store.catalog.sample_kinds(), face.evidence)
        steps = [list(face.evidence.provenance(number).steps) for number in table["provenance"].to_pylist()]
        columns |= {
            "commit": table["commit"].to_pylist(),
            "superseded_commit": [None if one == _LIVE else one for one in ended],
            "steps": steps,
        }
        return answer({"datastream": datastream.id, "versions": len(table), "columns": columns})
