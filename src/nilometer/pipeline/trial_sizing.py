"""How long a trial of a server has to be, from what its Datastreams gave in a time before it: the pilot."""

from __future__ import annotations

from datetime import UTC, datetime

from nilometer.errors import NilometerError, RequestError, TrialError
from nilometer.pipeline.trial_book import Trial
from nilometer.pipeline.trial_rows import StoreRows, check_sources
from nilometer.store import Store
from nilometer.trials.sizing import EndpointSize, sizes

__all__ = ["sizes_from_pilot"]


def sizes_from_pilot(
    trial: Trial,
    store: Store,
    start: int,
    end: int,
    *,
    power: float = 0.8,
    difference: float | None = None,
    arbiter_uncertainty: float = 0.0,
) -> list[EndpointSize]:
    """Return what each endpoint of a trial asks for.

    Parameters
    ----------
    trial : Trial
        Its plan names the Datastreams and the margins.
    store : Store
        Has the data.
    start, end : int
        The pilot, [start, end) in µs since 1970 UTC.
    power, difference, arbiter_uncertainty
        As in `nilometer.trials.sizing.sizes`.

    Raises
    ------
    RequestError
        If the pilot has no length.
    TrialError
        If the trial is frozen and the pilot reaches into it, or nothing can be said of these data.
    ConfigError, UnitError
        If the plan's data are not there any more, or a share is none.
    """
    if not start < end:
        raise RequestError("a pilot begins before it ends", place="start")
    if trial.frozen.entries and trial.start is not None and end > trial.start:
        raise TrialError("a pilot ends before the trial begins: a frozen trial is not sized by its own data")
    check_sources(trial.plan, store.catalog)
    when = {"start": _moment(start), "end": _moment(end)}
    pilot = trial.plan.model_copy(update={"trial": trial.plan.trial.model_copy(update=when)})
    try:
        return sizes(
            pilot,
            rows=StoreRows(store),
            power=power,
            difference=difference,
            arbiter_uncertainty=arbiter_uncertainty,
        )
    except NilometerError:
        raise
    except ValueError as error:
        raise TrialError(str(error)) from error


def _moment(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1e6, UTC)
