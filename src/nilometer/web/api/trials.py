"""Routes of trials: plans that are entered, frozen and amended, how far each is, what it gave, and its report."""

from __future__ import annotations

import asyncio
import time
import tomllib
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from nilometer.errors import NotFound, RequestError, TrialError
from nilometer.pipeline.trial_book import Trial, TrialState
from nilometer.pipeline.trial_progress import marks_of, progress_of
from nilometer.pipeline.trial_running import INTERIM
from nilometer.pipeline.trial_sizing import sizes_from_pilot
from nilometer.store.trial_ledger import TrialRun
from nilometer.trials.inference.endpoint import Origin
from nilometer.trials.inference.moments import STATISTICS
from nilometer.trials.planning.history import history_document
from nilometer.web.api.face import Face, answer
from nilometer.web.api.review_bodies import Body, Moment, parsed
from nilometer.web.api.reviews import body_of
from nilometer.web.api.trial_documents import (
    progress_document,
    result_document,
    running_document,
    trial_document,
    trial_short,
)
from nilometer.web.api.trial_words import names_of, words_of
from nilometer.web.times import format_time, parse_moment

__all__ = ["AmendBody", "ByBody", "FreezeBody", "PlanBody", "RunBody", "SizeBody", "trial_routes"]

_PROGRESS_KEPT_S = 10.0
_REPORTS = {"pdf": "application/pdf", "html": "text/html; charset=utf-8"}
_BY = "who does it, for the audit trail"


class PlanBody(Body):
    """A plan, as JSON or as the text of a TOML file, and who enters it."""

    plan: dict[str, Any] | None = Field(None, description="as in PLAN.toml, every series a Datastream of this server")
    toml: str | None = Field(None, description="or the text of a PLAN.toml")
    by: str = Field(description=_BY)

    def document(self) -> dict[str, Any]:
        """Return the plan.

        Raises
        ------
        RequestError
            If it is given twice or not at all, or is no TOML.
        """
        if (self.plan is None) == (self.toml is None):
            raise RequestError("give the plan as `plan` (JSON) or as `toml` (text)", place="$.plan")
        if self.plan is not None:
            return self.plan
        try:
            return tomllib.loads(self.toml or "")
        except tomllib.TOMLDecodeError as error:
            raise RequestError(f"this is no TOML: {error}", place="$.toml") from error


class AmendBody(PlanBody):
    """A changed plan, and why it is changed."""

    why: str = Field(description="the reason, which the report prints")


class FreezeBody(Body):
    """Who freezes a plan, and which one was seen."""

    by: str = Field(description=_BY)
    plan_hash: str | None = Field(None, description="of the plan that was seen: another one is not frozen")


class ByBody(Body):
    """Who withdraws a plan."""

    by: str = Field(description=_BY)
    note: str = ""


class RunBody(Body):
    """Who has a trial run."""

    by: str = Field("", description=_BY)


class SizeBody(Body):
    """A pilot, and what the trial is to be sure of."""

    start: Moment = Field(description="of the pilot: ISO 8601 with an offset, or milliseconds since 1970 UTC")
    end: Moment
    power: float = Field(0.8, gt=0, lt=1, description="wanted chance to show each claim, if it is true")
    difference: float | None = Field(None, ge=0, description="expected, from the ideal; absent: as in the pilot")
    arbiter_uncertainty: float = Field(0.0, ge=0, description="standard, of one grab sample, in the trial's unit")


def trial_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["trials"])
    _reading(routes, face)
    _planning(routes, face)
    _sizing(routes, face)
    _running(routes, face)
    _giving(routes, face)
    return routes


def _document(face: Face, trial: Trial) -> Response:
    runs = face.pipeline.store.catalog.trials.runs_of(trial.row.id)
    return answer(trial_document(trial, runs, face.pipeline.clock()))


def _reading(routes: APIRouter, face: Face) -> None:
    @routes.get("/trials", summary="Every trial, the newest first: how far it is, and what was decided")
    def listed(
        withdrawn: Annotated[bool, Query(description="also those that were withdrawn")] = False,  # noqa: FBT002 -- a query option
    ) -> Response:
        pipeline = face.pipeline
        runs, now = pipeline.store.catalog.trials.runs(), pipeline.clock()
        found = [trial_short(one, runs.get(one.row.id), now) for one in pipeline.trials.book.trials()]
        return answer(
            {
                "trials": [one for one in found if withdrawn or one["state"] != str(TrialState.WITHDRAWN)],
                "running": running_document(pipeline.trials.progress),
                "origins": [str(one) for one in Origin],
                "statistics": dict(STATISTICS),
                "words": names_of("statistic", STATISTICS) | names_of("origin", [str(one) for one in Origin]),
            }
        )

    @routes.get("/trials/running", summary="Whether a trial is being run, and what is being done")
    def running() -> Response:
        return answer(running_document(face.pipeline.trials.progress))

    @routes.get("/trials/{number}", summary="A trial: its plan, the history of it, and every run")
    def one(number: int) -> Response:
        return _document(face, face.pipeline.trials.book.trial(number))

    @routes.get("/trials/{number}/frozen", summary="The history of a frozen plan, as PLAN.frozen.json has it")
    def frozen(number: int) -> Response:
        return answer(history_document(face.pipeline.trials.book.trial(number).frozen))

    known: dict[int, tuple[float, dict[str, Any]]] = {}

    @routes.get(
        "/trials/{number}/progress",
        summary="How far a trial is: time passed, results of either arm, pairs, cleanings; nothing that decides",
    )
    def progress(number: int) -> Response:
        kept = known.get(number)
        if kept is None or kept[0] < time.monotonic():
            pipeline = face.pipeline
            now = pipeline.clock()
            found = progress_of(pipeline.trials.book.trial(number), pipeline.store, now)
            kept = known[number] = (time.monotonic() + _PROGRESS_KEPT_S, progress_document(found, now))
        return answer(kept[1])


def _planning(routes: APIRouter, face: Face) -> None:
    @routes.post("/trials", summary="Enter a plan; it may change until it is frozen", openapi_extra=body_of(PlanBody))
    async def create(request: Request) -> Response:
        body = parsed(PlanBody, await request.body())
        made = _document(face, face.pipeline.trials.book.create(body.document(), body.by))
        made.status_code = HTTPStatus.CREATED
        return made

    @routes.put("/trials/{number}", summary="Replace a plan that is not frozen", openapi_extra=body_of(PlanBody))
    async def change(number: int, request: Request) -> Response:
        body = parsed(PlanBody, await request.body())
        return _document(face, face.pipeline.trials.book.change(number, body.document(), body.by))

    @routes.post(
        "/trials/{number}/freeze",
        summary="Freeze a plan: from now on it changes by amendments alone",
        openapi_extra=body_of(FreezeBody),
    )
    async def freeze(number: int, request: Request) -> Response:
        body = parsed(FreezeBody, await request.body())
        return _document(face, face.pipeline.trials.book.freeze(number, body.by, body.plan_hash))

    @routes.post(
        "/trials/{number}/amend",
        summary="Change a frozen plan; what changed, when, and why is kept and printed",
        openapi_extra=body_of(AmendBody),
    )
    async def amend(number: int, request: Request) -> Response:
        body = parsed(AmendBody, await request.body())
        return _document(face, face.pipeline.trials.book.amend(number, body.document(), body.why, body.by))

    @routes.post(
        "/trials/{number}/withdraw",
        summary="Take back a plan that was never frozen; a frozen one stays",
        openapi_extra=body_of(ByBody),
    )
    async def withdraw(number: int, request: Request) -> Response:
        body = parsed(ByBody, await request.body())
        return _document(face, face.pipeline.trials.book.withdraw(number, body.by, body.note))


def _sizing(routes: APIRouter, face: Face) -> None:
    @routes.post(
        "/trials/{number}/size",
        summary="How long a trial has to be, from what its Datastreams gave in a pilot: days, references, grab samples",
        openapi_extra=body_of(SizeBody),
    )
    async def size(number: int, request: Request) -> Response:
        body = parsed(SizeBody, await request.body())
        start, end = _when(body.start, "start"), _when(body.end, "end")
        found = await asyncio.to_thread(
            sizes_from_pilot,
            face.pipeline.trials.book.trial(number),
            face.pipeline.store,
            start,
            end,
            power=body.power,
            difference=body.difference,
            arbiter_uncertainty=body.arbiter_uncertainty,
        )
        sized = [one.to_dict() for one in found]
        return answer({"start": start // 1000, "end": end // 1000, "sizes": sized, "words": words_of({"sizes": sized})})


def _when(moment: Moment, place: str) -> int:
    found = parse_moment(str(moment), place)
    if found is None:
        raise RequestError("a time is needed", place=place)
    return found


def _running(routes: APIRouter, face: Face) -> None:
    @routes.post(
        "/trials/{number}/run",
        summary="Have a trial computed over the data of now; 202: it began, 503: another one is being run",
        openapi_extra=body_of(RunBody),
    )
    async def run(number: int, request: Request) -> Response:
        body = parsed(RunBody, await request.body() or b"{}")
        face.pipeline.trials.start(number, body.by)
        told = answer(running_document(face.pipeline.trials.progress))
        told.status_code = HTTPStatus.ACCEPTED
        return told

    @routes.delete("/trials/{number}/run", summary="Give up a run; what was known before stays")
    def cancel(number: int) -> Response:
        face.pipeline.trials.cancel(number)
        return answer(running_document(face.pipeline.trials.progress))


def _giving(routes: APIRouter, face: Face) -> None:
    @routes.get(
        "/trials/{number}/result",
        summary="What the last run gave; before the end of the trial its decision is withheld",
    )
    def result(number: int, request: Request) -> Response:
        trial, run = _last(face, number)
        return answer(
            result_document(trial, run, _address(request)) | {"interim": None if _is_decided(run) else INTERIM}
        )

    @routes.get(
        "/trials/{number}/plots",
        summary="What is drawn of the last run: some pairs, so chosen that no extreme is lost; differences; marks",
    )
    def plots(number: int) -> Response:
        trial, run = _last(face, number)
        drawn = face.pipeline.store.catalog.trials.plots(run.id)
        return answer(drawn | {"run": run.id, "marks": marks_of(trial, face.pipeline.store)})

    @routes.get(
        "/trials/{number}/report.{kind}",
        summary="The report of a decided trial, in English or Chinese",
        responses={200: {"content": {kind: {} for kind in _REPORTS.values()}}},
        response_class=Response,
    )
    def report(
        number: int, kind: Literal["pdf", "html"], request: Request, language: Literal["en", "zh"] = "en"
    ) -> Response:
        # Reports load matplotlib and Typst: only who asks for one pays for it.
        from nilometer.trials.report import render_html, render_pdf  # noqa: PLC0415

        trial, run = _last(face, number)
        if not _is_decided(run):
            raise TrialError(f"trial {number} is not decided: {INTERIM}")
        done = face.pipeline.trials.whole(number)
        command = result_document(trial, run, _address(request))["command"] + f" -o report.{kind} --language {language}"
        content = (
            render_pdf(done, language=language, command=command)
            if kind == "pdf"
            else render_html(done, language=language, command=command)
        )
        name = f"trial-{number}-{format_time(run.as_of)[:10]}-{language}.{kind}"
        shown = "inline" if kind == "html" else "attachment"
        return Response(
            content, headers={"content-disposition": f'{shown}; filename="{name}"'}, media_type=_REPORTS[kind]
        )


def _last(face: Face, number: int) -> tuple[Trial, TrialRun]:
    trial = face.pipeline.trials.book.trial(number)
    run = face.pipeline.trials.last(number)
    if run is None:
        raise NotFound(f"trial {number} was never run: POST /api/v1/trials/{number}/run")
    return trial, run


def _is_decided(run: TrialRun) -> bool:
    return bool(run.document["decided"])


def _address(request: Request) -> str:
    return str(request.base_url).rstrip("/")
