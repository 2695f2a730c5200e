"""Trials as documents of the native API; times in ms since 1970 UTC."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nilometer.pipeline.trial_book import Trial
from nilometer.pipeline.trial_progress import TrialProgress
from nilometer.pipeline.trial_running import RunProgress
from nilometer.store.trial_ledger import TrialRun
from nilometer.units import symbol
from nilometer.web.api.describe import names_of
from nilometer.web.api.trial_words import words_of
from nilometer.web.times import format_time

__all__ = ["progress_document", "result_document", "running_document", "trial_document", "trial_short"]


def trial_short(trial: Trial, run: TrialRun | None, now: int) -> dict[str, Any]:
    """Return a trial as a list shows it: how far it is, and what was decided of each candidate."""
    about = trial.plan.trial
    return {
        "id": trial.row.id,
        "title": about.title,
        "question": about.question,
        "place": about.place,
        "property": about.property,
        "names": names_of(about.property, about.property),
        "unit": about.unit,
        "symbol": "" if about.unit == "1" else symbol(about.unit),
        "candidates": [one.name for one in trial.plan.candidate],
        "references": [one.name for one in trial.plan.reference],
        "start": _ms(trial.start),
        "end": _ms(trial.end),
        "state": str(trial.state(now, run)),
        "frozen_at": _ms(trial.frozen.at),
        "amendments": max(len(trial.frozen.entries) - 1, 0),
        "run_at": None if run is None else _ms(run.time),
        "is_confirmatory": None if run is None else run.document["is_confirmatory"],
        "outcomes": _outcomes(run),
        "created_by": trial.row.created_by,
        "changed": _ms(trial.row.changed),
    }


def trial_document(trial: Trial, runs: list[TrialRun], now: int) -> dict[str, Any]:
    """Return a whole trial: its plan as it was given and as it is understood, its history, and every run."""
    return trial_short(trial, runs[-1] if runs else None, now) | {
        "plan": dict(trial.row.plan),
        "understood": trial.plan.model_dump(mode="json"),
        "plan_hash": trial.plan.hash(),
        "hash": trial.frozen.hash,
        "history": [asdict(entry) | {"hash": entry.hash()} for entry in trial.frozen.entries],
        "decides_at": _ms(trial.end),
        "runs": [
            {
                "id": run.id,
                "at": _ms(run.time),
                "as_of": _ms(run.as_of),
                "by": run.actor,
                "decided": run.document["decided"],
                "data_hash": run.document["data_hash"],
                "plan_hash": run.document["plan_hash"],
                "outcomes": _outcomes(run),
            }
            for run in reversed(runs)
        ],
    }


def result_document(trial: Trial, run: TrialRun, server: str) -> dict[str, Any]:
    """Return the result of a run, with when it was made, of which data, and what makes it again."""
    moment = format_time(run.as_of)
    return {
        **run.document,
        "run": run.id,
        "at": _ms(run.time),
        "as_of": _ms(run.as_of),
        "by": run.actor,
        "is_current": trial.plan.hash() == run.document["plan_hash"],
        "command": command_of(trial.row.id, moment, server, run.document["data_hash"]),
        "words": words_of(run.document),
    }


def command_of(number: int, moment: str, server: str, data_hash: str) -> str:
    """Return the line that makes a result again: from the plan with its history, and the data of then, or refuses."""
    return (
        f"nilometer trial fetch {number} PLAN.json --server {server} && "
        f"nilometer trial PLAN.json --server {server} --as-of {moment} --data {data_hash}"
    )


def progress_document(progress: TrialProgress, at: int) -> dict[str, Any]:
    """Return how far a trial is."""
    return {
        "at": _ms(at),
        "share": progress.share,
        "arms": [
            {
                "name": arm.name,
                "datastream": arm.datastream,
                "is_candidate": arm.is_candidate,
                "rows": arm.rows,
                "usable": arm.usable,
                "due": arm.due,
                "yield": arm.usable / arm.due if arm.due else None,
                "newest": _ms(arm.newest),
            }
            for arm in progress.arms
        ],
        "pairs": [asdict(pair) for pair in progress.pairs],
        "cleanings": progress.cleanings,
    }


def running_document(progress: RunProgress) -> dict[str, Any]:
    """Return how far a run is, or how the last one ended."""
    return asdict(progress) | {"since": _ms(progress.since)}


def _outcomes(run: TrialRun | None) -> list[dict[str, Any]]:
    if run is None or not run.document["decided"]:
        return []
    return [
        {"candidate": one["candidate"], "reference": one["reference"], **one["grade"]}
        for one in run.document["comparisons"]
    ]


def _ms(time_us: int | None) -> int | None:
    return None if time_us is None else time_us // 1000
