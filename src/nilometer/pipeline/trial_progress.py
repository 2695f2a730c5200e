"""How far a trial is while it goes on: time passed, results of either arm, pairs, cleanings; nothing that decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from nilometer.errors import ReadError
from nilometer.model.flags import QartodFlag
from nilometer.pipeline.trial_book import Trial
from nilometer.pipeline.trial_rows import StoreRows, sources_of
from nilometer.store import Event, Store
from nilometer.trials.gathering import gather
from nilometer.trials.pairing.alignment import Pairing, Rules, align
from nilometer.trials.pairing.matching import median_step
from nilometer.trials.planning.plan import ArmPlan, Plan

__all__ = ["ArmProgress", "PairProgress", "TrialProgress", "marks_of", "progress_of"]

_CLEANS = frozenset({"cleaning", "calibration"})
_MARKED = frozenset({*_CLEANS, "maintenance"})
_MOST_EVENTS = 2000
_END_OF_TIME = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """What an instrument has given so far.

    Parameters
    ----------
    name, datastream : str
        Of the arm.
    is_candidate : bool
        Else a reference.
    rows, usable : int
        With a result; of these with a flag that counts.
    due : int or None
        How many were due by now; None where nobody can say.
    newest : int or None
        Time of the newest, µs since 1970 UTC.
    """

    name: str
    datastream: str
    is_candidate: bool
    rows: int
    usable: int
    due: int | None
    newest: int | None


@dataclass(frozen=True, slots=True)
class PairProgress:
    """Pairs of a candidate and a reference so far, with clocks as they are; where there are none, why."""

    candidate: str
    reference: str
    pairs: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """How far a trial is.

    Parameters
    ----------
    share : float or None
        Of the planned period that has passed, 0 to 1; None where the plan has no end or no start.
    arms : tuple of ArmProgress
        In the plan's order.
    pairs : tuple of PairProgress
        Every candidate beside every reference.
    cleanings : int
        Cleanings and calibrations that were done by now: windows of the plan, and events that somebody entered.
    """

    share: float | None
    arms: tuple[ArmProgress, ...]
    pairs: tuple[PairProgress, ...]
    cleanings: int


def progress_of(trial: Trial, store: Store, now: int) -> TrialProgress:
    """Return how far a trial is.

    Parameters
    ----------
    trial : Trial
        Which.
    store : Store
        Has its Datastreams.
    now : int
        The present of the water, µs since 1970 UTC.
    """
    rows = StoreRows(store)
    plan, start, end = trial.plan, trial.start, trial.end
    share = None
    if start is not None and end is not None:
        share = min(max((now - start) / (end - start), 0.0), 1.0)
    arms = [_arm(plan, rows, arm, is_candidate, trial, now) for arm, is_candidate in _arms(plan)]
    done = [mark for mark in marks_of(trial, store, now) if mark["kind"] in _CLEANS]
    return TrialProgress(share, tuple(arms), tuple(_pairs(plan, rows, trial)), len(done))


def marks_of(trial: Trial, store: Store, until: int = _END_OF_TIME) -> list[dict[str, Any]]:
    """Return what was done to the instruments within the trial's period up to a moment, oldest first.

    Returns
    -------
    list of dict
        ``start``, ``end`` (ms since 1970 UTC; end null where it goes on), ``kind``, ``note``, ``from``: plan or event.
    """
    plan, catalog = trial.plan, store.catalog
    begin, end = trial.start, min(until, trial.end if trial.end is not None else until)
    found: list[dict[str, Any]] = []
    for window in plan.maintenance:
        first, last = plan.time(window.start), plan.time(window.end)
        if first is not None and last is not None and first < end:
            found.append(_mark(first, last, window.kind, window.reason, "plan"))
    numbers = {}
    for _place, part in sources_of(plan):
        known = catalog.datastream_by_key(str(part.datastream))
        if known is not None and isinstance(part, ArmPlan):
            numbers[known.id] = known.thing
    for thing in sorted(set(numbers.values())):
        found += [
            _mark(event.time, event.end, event.kind, event.note or "", "event")
            for event in catalog.ledger.events(thing, begin, end, _MOST_EVENTS, entered_only=True)
            if event.kind in _MARKED and _speaks_of(event, set(numbers))
        ]
    return sorted(found, key=lambda mark: (mark["start"], mark["kind"]))


def _speaks_of(event: Event, numbers: set[int]) -> bool:
    if event.datastreams is not None:
        return not numbers.isdisjoint(event.datastreams)
    return event.datastream is None or event.datastream in numbers


def _mark(start: int, end: int | None, kind: str, note: str, origin: str) -> dict[str, Any]:
    return {
        "start": start // 1000,
        "end": None if end is None else end // 1000,
        "kind": kind,
        "note": note,
        "from": origin,
    }


def _arms(plan: Plan) -> list[tuple[ArmPlan, bool]]:
    return [*((arm, True) for arm in plan.candidate), *((arm, False) for arm in plan.reference)]


def _admissible(plan: Plan) -> frozenset[QartodFlag]:
    return frozenset({QartodFlag.PASS, QartodFlag.SUSPECT} if plan.alignment.suspect else {QartodFlag.PASS})


def _arm(plan: Plan, rows: StoreRows, arm: ArmPlan, is_candidate: bool, trial: Trial, now: int) -> ArmProgress:  # noqa: FBT001 -- of _arms
    key = str(arm.datastream)
    start, end = (None if one is None else _iso(one) for one in (trial.start, trial.end))
    table = rows.read(key, start, end, columns="phenomenon_time,result,result_quality")
    there = np.isfinite(np.asarray(table["result"].to_numpy(zero_copy_only=False), np.float64))
    flags = np.asarray(table["result_quality"].to_numpy(zero_copy_only=False), np.int64)
    times = np.asarray(table["phenomenon_time"].cast(pa.int64()).to_numpy(), np.int64)
    usable = there & np.isin(flags, [int(flag) for flag in _admissible(plan)])
    every = round((arm.every or 0.0) * 1e6) or median_step(times)
    begin = trial.start if trial.start is not None else (int(times[0]) if len(times) else None)
    due = None
    if every and begin is not None:
        due = max(min(now, trial.end if trial.end is not None else now) - begin, 0) // every
    return ArmProgress(
        name=arm.name,
        datastream=key,
        is_candidate=is_candidate,
        rows=int(np.count_nonzero(there)),
        usable=int(np.count_nonzero(usable)),
        due=due,
        newest=int(times[-1]) if len(times) else None,
    )


def _pairs(plan: Plan, rows: StoreRows, trial: Trial) -> list[PairProgress]:
    names = [(one.name, other.name) for one in plan.candidate for other in plan.reference]
    try:
        gathered = gather(plan, rows=rows)
    except (ReadError, ValueError) as error:
        return [PairProgress(*both, 0, str(error)) for both in names]
    bounds = np.iinfo(np.int64)
    period = (
        int(bounds.min) if trial.start is None else trial.start,
        int(bounds.max) if trial.end is None else trial.end,
    )
    rules = Rules(
        flags=_admissible(plan),
        maintenance=gathered.maintenance,
        period=period,
        pairing=Pairing(plan.alignment.pairing),
        tolerance_us=None if plan.alignment.tolerance is None else round(plan.alignment.tolerance * 1e6),
        least_share=plan.alignment.least_share,
        match_response=False,
        clock_search_us=0,
    )
    found = []
    for one, other in names:
        try:
            pairs, _account = align(gathered.candidates[one], gathered.references[other], rules)
        except ValueError as error:
            found.append(PairProgress(one, other, 0, str(error)))
        else:
            found.append(PairProgress(one, other, len(pairs)))
    return found


def _iso(time_us: int) -> str:
    return f"{np.datetime64(time_us, 'us')}Z"
