"""What is delivered to the pump, and what its sender is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import NilometerError, StoreError
from nilometer.model import ObservationBatch
from nilometer.pipeline.log import Log
from nilometer.store.admission import Admission

__all__ = ["Delivery", "IngestOutcome", "as_ours", "guarded", "outcome_of", "tell"]

MOST_ERRORS = 100

_log = Log(__name__)


@dataclass(slots=True)
class IngestOutcome:
    """What became of one delivery, once it is durable.

    Parameters
    ----------
    accepted, unchanged, revised, rejected : int
        Rows by what admission said of them.
    errors : list of (int, str)
        The first 100 rejected rows with the reason.
    id : ndarray of int64, shape (n,)
        Ids by row sent; 0 where rejected.
    status : ndarray of int8, shape (n,)
        What admission said of each row sent.
    """

    accepted: int = 0
    unchanged: int = 0
    revised: int = 0
    rejected: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    id: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    status: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))


@dataclass(slots=True)
class Delivery:
    """Rows on their way: `prepare` makes the batch in the pump's thread, `done` is told the outcome or the error.

    With `every_error` the outcome has the reason of every rejected row that admission knows one of.
    """

    rows: int
    prepare: Callable[[], ObservationBatch]
    done: Callable[[IngestOutcome | NilometerError], None]
    every_error: bool = False


def outcome_of(admission: Admission, start: int, stop: int, *, every_error: bool = False) -> IngestOutcome:
    """Return what admission said of the rows from `start` to `stop` of what it was given."""
    counts = np.bincount(admission.status[start:stop], minlength=4)
    errors = [(row - start, reason) for row, reason in sorted(admission.reasons.items()) if start <= row < stop]
    return IngestOutcome(
        accepted=int(counts[0]),
        unchanged=int(counts[1]),
        revised=int(counts[2]),
        rejected=int(counts[3]),
        errors=errors if every_error else errors[:MOST_ERRORS],
        id=admission.id[start:stop],
        status=admission.status[start:stop],
    )


def tell(delivery: Delivery, outcome: IngestOutcome | NilometerError) -> None:
    """Tell a sender; what a stranger's acknowledgement does wrong is not the others' concern."""
    guarded(lambda: delivery.done(outcome), "a sender could not be told")


def guarded(action: Callable[[], object], failed: str) -> None:
    """Do what must not take the pump along when it fails."""
    try:
        action()
    except Exception:  # noqa: BLE001 -- whatever it is, the rows that come next must pass
        _log.exception(failed)


def as_ours(error: Exception) -> NilometerError:
    """Return an error of ours that says the same."""
    return error if isinstance(error, NilometerError) else StoreError(f"{type(error).__name__}: {error}")
