"""A plan run: its series gathered, paired, compared and decided on, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nilometer import __version__
from nilometer.errors import NilometerError, TrialError
from nilometer.trials.comparison import compare
from nilometer.trials.gathering import gather
from nilometer.trials.joining import join_references
from nilometer.trials.planning.history import Frozen
from nilometer.trials.planning.plan import Plan
from nilometer.trials.result import Comparison, TrialResult
from nilometer.trials.statistics.lots import Components, unit_table
from nilometer.trials.steps import step

if TYPE_CHECKING:
    from nilometer.trials.gathering import Rows

__all__ = ["run_trial"]

_DAY_US = 86_400_000_000


def run_trial(
    plan: Plan,
    folder: str | Path = ".",
    *,
    frozen: Frozen | None = None,
    rows: Rows | None = None,
    tell: Callable[[str], None] | None = None,
    resamples: int = 10_000,
    now: datetime | None = None,
    data_hash: str | None = None,
) -> TrialResult:
    """Run a trial.

    Parameters
    ----------
    plan : Plan
        What is to be shown.
    folder : path
        Where the plan's files lie.
    frozen : Frozen, optional
        The plan's history; None: it was never frozen, and the trial explores.
    rows : Rows, optional
        What has the plan's Datastreams: a client of a server.
    tell : callable, optional
        Is told, in words, what is being done.
    resamples : int
        Of the bootstrap.
    now : datetime, optional
        When it is computed, for the record; no number hangs on it.
    data_hash : str, optional
        Of the data that are expected, as a report prints it: other data are refused before anything is computed.

    Returns
    -------
    TrialResult
        The same plan and data give the same numbers, on every machine.

    Raises
    ------
    ReadError, ConfigError, UnitError
        If the plan's data cannot be read as it says.
    TrialError
        If nothing can be said of them: which comparison, and why; or they are not those expected.
    """
    say = tell or (lambda _text: None)
    step("reading")
    with _named():
        gathered = gather(plan, folder, rows=rows, tell=say)
    if data_hash is not None and gathered.hash != data_hash.strip().lower():
        raise TrialError(
            f"the data hash to {gathered.hash}, not to {data_hash}: a series or a window of maintenance is not what it "
            "was; the report has the hash of each series"
        )
    with _named():
        references, account = join_references(plan, gathered, resamples=resamples)
    comparisons: list[Comparison] = []
    count = len(gathered.candidates) * len(references)
    for candidate in gathered.candidates.values():
        for reference in references.values():
            about = f"{candidate.name} beside {reference.name}"
            say(about)
            step("comparison", len(comparisons), count, about)
            with _named(candidate.name, reference.name):
                comparisons.append(compare(plan, gathered, candidate, reference, resamples=resamples))
    step("units")
    units, notes = _units(plan, list(references), comparisons)
    return TrialResult(
        plan=plan,
        frozen=frozen or Frozen(),
        first_datum=gathered.first_datum,
        taken=gathered.taken,
        data_hash=gathered.hash,
        comparisons=tuple(comparisons),
        version=__version__,
        made_at=(now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        units=units,
        notes=(*account.notes, *notes),
        references=account,
        maintenance=gathered.maintenance,
    )


@contextmanager
def _named(candidate: str = "", reference: str = "") -> Iterator[None]:
    """Say of which comparison it is that nothing can be said."""
    try:
        yield
    except NilometerError:
        raise
    except ValueError as error:
        raise TrialError(str(error), candidate=candidate, reference=reference) from error


def _units(
    plan: Plan, references: Sequence[str], comparisons: Sequence[Comparison]
) -> tuple[dict[str, Components], tuple[str, ...]]:
    """Return how several units and lots differ, beside each reference."""
    if len(plan.candidate) < 2:
        return {}, ()
    lots = {arm.name: arm.lot for arm in plan.candidate}
    found: dict[str, Components] = {}
    notes: list[str] = []
    for reference in references:
        mine = {one.candidate: one.pairs for one in comparisons if one.reference == reference}
        block = 0 if plan.alignment.by == "order" else _DAY_US
        try:
            found[reference] = unit_table(mine, lots if all(lots.values()) else None, block_us=block)
        except ValueError as error:
            notes.append(f"units were not compared beside {reference}: {error}")
    return found, tuple(notes)
