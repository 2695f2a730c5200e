"""How long what nobody is served any more is kept: files that left the lake, and superseded and deleted rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import RequestError
from nilometer.store.catalog import Catalog
from nilometer.store.commit_clock import CommitClock
from nilometer.store.lake import KEPT_S, LakeTable

__all__ = ["Forgetting"]


class Forgetting:
    """What may be forgotten, and what has been.

    Parameters
    ----------
    catalog : Catalog
        Knows the steps of the review.
    clock : CommitClock
        Knows which commit was the last at a moment.
    revisions : LakeTable
        Says how far it was forgotten.
    now : callable
        The present, µs UTC.

    Attributes
    ----------
    files_s : float
        How long files that left the lake are kept, s.
    revisions_s : float, optional
        How long superseded and deleted rows are kept after they ended, s; None: for ever.
    """

    def __init__(self, catalog: Catalog, clock: CommitClock, revisions: LakeTable, now: Callable[[], int]) -> None:
        self._catalog, self._clock, self._revisions, self._now = catalog, clock, revisions, now
        self.files_s = KEPT_S
        self.revisions_s: float | None = None

    def at(self, moment: int) -> int:
        """Return the last commit at a moment, µs UTC.

        Raises
        ------
        RequestError
            If rows that were known then have been forgotten.
        """
        commit = self._clock.at(moment)
        if commit < self._revisions.forgotten:
            since = np.datetime64(self._clock.shows(self._revisions.forgotten), "us").astype("datetime64[s]")
            raise RequestError(
                f"what was known before {since}Z was forgotten, as [store] keep_revisions says; ask for a later moment",
                place="as_of",
            )
        return commit

    def horizon(self) -> int:
        """Return the commit up to which rows that had ended may be forgotten; 0: none."""
        return 0 if self.revisions_s is None else self._clock.at(self._now() - round(self.revisions_s * 1e6))

    def spared(self) -> NDArray[np.int64]:
        """Return the Datastreams of which nothing is forgotten: a step of the review may be undone at any time."""
        scopes = [step.scope for step in self._catalog.reviews.steps()]
        named = {int(number) for scope in scopes for number in scope.get("datastreams", ())}
        things = {scope["thing"] for scope in scopes if "thing" in scope}
        mine = {item.id for item in self._catalog.streams.all() if item.thing in things}
        return np.array(sorted(named | mine), np.int64)
