"""Manual review at work: the history over the automatic rows, whenever either of them changes.

Two doors lead here, both in the pump's thread. `over` sees every commit of live rows before it is journaled: rows that
arrive within a reviewed span go to the journal as they are and, behind them in the same record, as the review has
them. `apply` sees the history after a step was entered, and writes the rows that now differ, as revisions. An
automatic row is the newest version of a row that no review made; it always stays in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotFound
from nilometer.model import ObservationBatch, Settlements
from nilometer.model.schemas import OBSERVATION
from nilometer.pipeline.derived import Derived, newest_only
from nilometer.pipeline.review_plans import Plan, Plans, Window, compiled, margin_of, merged, spread
from nilometer.review import ACTIONS, Rows, apply
from nilometer.store import ReviewStep, Snapshot, Store
from nilometer.store.ledger import ProvenanceRow
from nilometer.store.settling import settle_own

__all__ = ["MOST_ROWS_A_COMMIT", "Reviewing", "newest_only"]

MOST_ROWS_A_COMMIT = 1_000_000
"""A step that changes more rows takes several commits, in the order of Datastreams and times."""

PIECE_ROWS = 200_000
"""Rows that are worked on at once."""

_FAR = 1 << 62
_VERSION = (*OBSERVATION.names, "superseded_commit")


@dataclass(slots=True)
class _Loaded:
    """Rows as they are served and, row by row beside them, as calibration and qc left them."""

    served: ObservationBatch
    automatic: ObservationBatch


class Reviewing:
    """Applies the history of a store's catalog to its rows.

    Parameters
    ----------
    store : Store
        Its journal gets the revisions.
    told : callable
        Told of every commit of revisions: the rows and their sequence.
    derive : callable, optional
        Adds the derived rows that change with them.
    give_up : callable, optional
        Told what admission gave of these, when they cannot be stored.
    """

    def __init__(
        self,
        store: Store,
        told: Callable[[ObservationBatch, int], None],
        derive: Callable[[ObservationBatch], Derived] | None = None,
        give_up: Callable[[list[ObservationBatch]], None] = lambda _admitted: None,
    ) -> None:
        self._store, self._told = store, told
        self._derive = derive or (lambda rows: Derived(rows, Settlements.none()))
        self._give_up = give_up
        self.plans = Plans(store)
        self.has_committed = False

    def over(self, rows: ObservationBatch, settled: Settlements) -> tuple[ObservationBatch, Settlements]:
        """Return rows and settlements as they go to the journal.

        Parameters
        ----------
        rows : ObservationBatch
            Admitted, calibrated and judged.
        settled : Settlements
            New flags of earlier rows. Of a row that a review made, or that somebody signed, they become a revision.
        """
        if not self.plans:
            return rows, settled
        settled = settle_own(rows, settled)
        here = np.flatnonzero(self.plans.concerned(rows.datastream, rows.phenomenon_time))
        snapshot = self._store.snapshot()
        stream = settled.id >> 32
        there = self.plans.concerned(stream, snapshot.newest_times(settled.id))
        # A row that is revised in this same commit settles as the version that it no longer is.
        there &= ~np.isin(settled.id, _ids(rows))
        parts, left = [rows], np.ones(len(settled), bool)
        for datastream in np.union1d(rows.datastream[here], stream[there]):
            plan = self.plans.of(int(datastream))
            mine = np.flatnonzero(there & (stream == datastream))
            revised, taken = self._settled(snapshot, plan, settled, mine)
            left[mine] = ~taken
            arrived = rows.take(here[rows.datastream[here] == datastream])
            arrived = arrived.take(plan.touches(arrived.phenomenon_time))
            if len(revised):
                parts.append(revised)
            overlay = newest_only(ObservationBatch.concat([arrived, revised]))
            if len(overlay):
                parts.extend(self._arrived(snapshot, int(datastream), plan, overlay))
        if left.all() and len(parts) == 1:
            return rows, settled
        kept = np.flatnonzero(left)
        others = Settlements(settled.id[kept], settled.result_quality[kept], settled.tests.take(pa.array(kept)))
        return (rows if len(parts) == 1 else ObservationBatch.concat(parts)), others

    def apply(self, steps: Sequence[ReviewStep]) -> tuple[int, int]:
        """Bring the rows to what the history says after these steps came; return the sequence and how many changed.

        Raises
        ------
        StoreError
            If the store refuses. What was committed before stays; the same call goes on from there.
        """
        self.plans.forget()
        self.has_committed = False
        snapshot = self._store.snapshot()
        waiting: list[ObservationBatch] = []
        count = total = 0
        for datastream, (windows, margin) in self._affected(steps).items():
            for part in self._differences(snapshot, datastream, windows, margin):
                waiting.append(part)
                count, total = count + len(part), total + len(part)
                while count > MOST_ROWS_A_COMMIT:
                    whole = ObservationBatch.concat(waiting)
                    self.commit(whole.take(slice(0, MOST_ROWS_A_COMMIT)))
                    waiting = [whole.take(slice(MOST_ROWS_A_COMMIT, len(whole)))]
                    count = len(waiting[0])
        if count:
            return self.commit(ObservationBatch.concat(waiting), marked=True), total
        # Without rows too a step is a commit of its own, so that the history is exact as of any moment.
        return self._store.mark(), total

    def automatic(
        self, snapshot: Snapshot, datastream: int, start: int, end: int
    ) -> tuple[ObservationBatch, NDArray[np.int64]]:
        """Return the automatic rows of [start, end), samples too, by (time, id), and the commit of what is served."""
        margin = self.plans.of(datastream).margin
        first, last = max(start - margin, -_FAR), min(end + margin, _FAR)
        table = snapshot.read([datastream], first, last, water_only=False)
        served, commit = _as_batch(table), table["commit"].to_numpy()
        reviewed = self._store.catalog.reviewed(_provenance(served))
        if reviewed.any():
            own = self._automatic(snapshot, served.take(reviewed), None, None)
            ids = _ids(served)
            order = np.argsort(ids)
            seen = commit[order[np.searchsorted(ids[order], _ids(own))]]
            served = ObservationBatch.concat([served.take(~reviewed), own])
            commit = np.concatenate([commit[~reviewed], seen])
        time = served.phenomenon_time
        mine = np.flatnonzero((time >= start) & (time < end))
        if reviewed.any():
            mine = mine[np.lexsort((_ids(served)[mine], time[mine]))]
        if len(mine) == len(served) and not reviewed.any():
            return served, commit
        return served.take(mine), commit[mine]

    def recover(self) -> None:
        """Finish the steps that a crash, or a full disk, left unfinished; before any row passes.

        Raises
        ------
        StoreError
            If the store refuses.
        """
        reviews = self._store.catalog.reviews
        pending = reviews.pending()
        if not pending:
            return
        is_committed = pending[0].sequence <= self._store.sequence()
        sequence, rows = self.apply(pending)
        if not rows and is_committed:
            sequence = pending[0].sequence  # all was in the journal; only the note of it was missing
        reviews.applied(pending, sequence, max(rows, pending[0].rows))

    def commit(self, rows: ObservationBatch, *, marked: bool = False) -> int:
        """Commit revisions with what is derived of them, and tell; return the sequence."""
        return self.commit_derived(self._derive(rows), marked=marked)

    def commit_derived(self, derived: Derived, *, marked: bool = False) -> int:
        """Commit what was derived already, and tell; return the sequence."""
        try:
            sequence = self._store.commit(derived.rows, derived.settled, derived.admitted, marked=marked)
        except BaseException:
            self._give_up(derived.admitted)
            raise
        self.has_committed = True
        self._told(derived.rows, sequence)
        return sequence

    def _affected(self, steps: Sequence[ReviewStep]) -> dict[int, tuple[list[Window], int]]:
        """Return, by Datastream, where rows may change when steps have come or were undone, and what to read around.

        While a step is being undone its rows still lie where it took them: it counts among the others.
        """
        reviews = self._store.catalog.reviews
        changed = [reviews.step(step.undoes) if step.undoes is not None else step for step in steps]
        found: dict[int, tuple[list[Window], int]] = {}
        others: dict[int, list[ReviewStep]] = {}
        for step in changed:
            if step.action in ACTIONS:
                for datastream in self.plans.datastreams(step):
                    others.setdefault(datastream, []).append(step)
        for datastream, mine in others.items():
            own = [compiled(step) for step in mine]
            numbers = {step.id for step in own}
            standing = [step for step in self.plans.of(datastream).steps if step.id not in numbers]
            both = sorted([*standing, *own], key=lambda step: step.id)
            windows = [
                window
                for stage, step in enumerate(both)
                if step.id in numbers
                for window in spread([(step.start, step.end)], both, stage=stage, changed=numbers)[0]
            ]
            found[datastream] = merged(windows), margin_of(both)
        return found

    def _differences(
        self,
        snapshot: Snapshot,
        datastream: int,
        windows: Sequence[Window],
        margin: int,
        overlay: ObservationBatch | None = None,
    ) -> Iterator[ObservationBatch]:
        """Yield the rows of a Datastream that are served otherwise than the history wants, as it wants them."""
        plan = self.plans.of(datastream)
        for start, end in windows:
            for first, last in _pieces(snapshot, datastream, start, end, margin, overlay):
                loaded = self._load(snapshot, datastream, max(first - margin, -_FAR), min(last + margin, _FAR))
                if overlay is not None:
                    loaded = _laid_over(loaded, overlay)
                wanted = self._target(plan, loaded.automatic)
                time = loaded.automatic.phenomenon_time
                changed = np.flatnonzero((time >= first) & (time < last) & _differ(wanted, loaded.served))
                if len(changed):
                    yield wanted.take(changed)

    def _arrived(
        self, snapshot: Snapshot, datastream: int, plan: Plan, overlay: ObservationBatch
    ) -> list[ObservationBatch]:
        """Return what has to follow automatic rows that are about to be journaled."""
        times = np.unique(overlay.phenomenon_time)
        windows = [(int(time), int(time) + 1) for time in times] if len(times) < 1000 else []
        windows = windows or [(int(times[0]), int(times[-1]) + 1)]
        windows, is_wide = spread(windows, plan.steps)
        if is_wide:
            return list(self._differences(snapshot, datastream, windows, plan.margin, overlay))
        wanted = self._target(plan, overlay)
        changed = np.flatnonzero(_differ(wanted, overlay))
        return [wanted.take(changed)] if len(changed) else []

    def _settled(
        self, snapshot: Snapshot, plan: Plan, settled: Settlements, mine: NDArray[np.int64]
    ) -> tuple[ObservationBatch, NDArray[np.bool_]]:
        """Return the automatic rows whose settling has to be a revision, and which settlements these are."""
        taken = np.zeros(len(mine), bool)
        if not len(mine):
            return _none(), taken
        current = _as_batch(snapshot.by_id(settled.id[mine]))
        if not len(current):
            return _none(), taken
        reviewed = self._store.catalog.reviewed(_provenance(current))
        time = current.phenomenon_time
        held = current.take(reviewed | plan.touches(time) | plan.covers(time))
        if not len(held):
            return _none(), taken
        automatic = self._automatic(snapshot, held, None, None)
        found = _ids(automatic)
        order = np.argsort(found)
        place = np.searchsorted(found[order], settled.id[mine])
        place[place == len(found)] = 0
        taken = found[order][place] == settled.id[mine]
        rows = automatic.take(order[place[taken]])
        rows.result_quality = settled.result_quality[mine[taken]]
        rows.tests = settled.tests.cast(pa.string()).take(pa.array(mine[taken]))
        rows.supersedes = np.ones(len(rows), bool)
        return rows, taken

    def _load(self, snapshot: Snapshot, datastream: int, start: int, end: int) -> _Loaded:
        """Return the rows of a window; of those that a review made, the ones whose automatic version lies in it."""
        served = _as_batch(snapshot.read([datastream], start, end, water_only=False))
        reviewed = self._store.catalog.reviewed(_provenance(served))
        if not reviewed.any():
            return _Loaded(served, served)
        automatic = ObservationBatch.concat(
            [served.take(~reviewed), self._automatic(snapshot, served.take(reviewed), start, end)]
        )
        mine, theirs = _ids(served), _ids(automatic)
        order = np.argsort(theirs)
        place = np.searchsorted(theirs[order], mine)
        place[place == len(theirs)] = 0
        found = theirs[order][place] == mine if len(theirs) else np.zeros(len(mine), bool)
        return _Loaded(served.take(found), automatic.take(order[place[found]]))

    def _automatic(
        self, snapshot: Snapshot, rows: ObservationBatch, start: int | None, end: int | None
    ) -> ObservationBatch:
        """Return the newest version of rows that no review made."""
        datastreams = np.unique(rows.datastream).tolist()
        table = snapshot.versions(datastreams, start, end, ids=_ids(rows), columns=_VERSION)
        table = table.filter(pa.array(~self._store.catalog.reviewed(table["provenance"].to_numpy())))
        ids = table["id"].to_numpy()
        newest = np.append(ids[1:] != ids[:-1], np.ones(min(len(ids), 1), bool))
        return _as_batch(table.filter(pa.array(newest)))

    def _target(self, plan: Plan, automatic: ObservationBatch) -> ObservationBatch:
        """Return automatic rows as the history has them."""
        applied = apply(self._columns(automatic), plan.steps)
        rows, code = applied.rows, applied.code
        provenance = _provenance(automatic).copy()
        touched = np.flatnonzero(code)
        if len(touched):
            ways = np.stack([provenance[touched].astype(np.int64), code[touched].astype(np.int64)])
            unique, which = np.unique(ways, axis=1, return_inverse=True)
            numbers = [self._provenance(int(way), applied.made_by[int(by)]) for way, by in unique.T]
            provenance[touched] = np.array(numbers, np.int32)[which.reshape(-1)]
        return replace(
            automatic,
            phenomenon_time=rows.time,
            result=rows.result,
            result_uncertainty=rows.uncertainty,
            result_quality=rows.quality,
            provenance=provenance,
            supersedes=np.ones(len(rows), bool),
        )

    def _columns(self, rows: ObservationBatch) -> Rows:
        n = len(rows)
        assert rows.result is not None  # noqa: S101 -- finished rows
        assert rows.result_quality is not None  # noqa: S101
        numeric = np.ones(n, bool) if rows.censored is None else rows.censored == 0
        numeric &= ~rows.keeps_results()
        samples = np.array(sorted(self._store.catalog.sample_kinds()), np.int32)
        water = np.ones(n, bool) if rows.feature is None else ~np.isin(rows.feature, samples)
        place = np.zeros(n, np.int64)
        if rows.depth is not None and not np.isnan(rows.depth).all():
            place = np.where(np.isnan(rows.depth), np.nan, rows.depth + 0.0).view(np.int64)
        unknown = np.full(n, np.nan)
        return Rows(
            id=_ids(rows),
            time=rows.phenomenon_time,
            result=rows.result,
            uncertainty=unknown if rows.result_uncertainty is None else rows.result_uncertainty.astype(np.float64),
            quality=rows.result_quality,
            numeric=numeric,
            water=water,
            place=place,
        )

    def _provenance(self, automatic: int, steps: tuple[int, ...]) -> int:
        catalog = self._store.catalog
        try:
            row = catalog.provenance_row(automatic)
        except NotFound:  # rows that nobody said the origin of
            row = ProvenanceRow(automatic, None, None, "", "")
        words = ",".join(map(str, steps))
        made = (row.calibration, row.profile_version, row.source, row.code_version)
        return catalog.provenance(*made, steps[-1], words, row.definition)


def _laid_over(loaded: _Loaded, overlay: ObservationBatch) -> _Loaded:
    """Return rows as they will be once rows that arrive are in the journal."""
    stays = ~np.isin(_ids(loaded.served), _ids(overlay))
    return _Loaded(
        ObservationBatch.concat([loaded.served.take(stays), overlay]),
        ObservationBatch.concat([loaded.automatic.take(stays), overlay]),
    )


def _pieces(
    snapshot: Snapshot, datastream: int, start: int, end: int, margin: int, overlay: ObservationBatch | None
) -> Iterator[Window]:
    """Yield windows of at most `PIECE_ROWS` rows that together hold every row of [start, end).

    Rows that were moved by up to `margin` may lie outside of where the Datastream begins or ends now.
    """
    extent = snapshot.extent(datastream)
    times = np.empty(0, np.int64) if overlay is None else overlay.phenomenon_time
    edges = [
        *((extent[0] - margin, extent[1] + margin) if extent else ()),
        *((int(times.min()), int(times.max())) if len(times) else ()),
    ]
    if not edges:
        return
    start, end = max(start, min(edges)), min(end, max(edges) + 1)
    waiting = [(start, end)] if start < end else []
    while waiting:
        first, last = waiting.pop()
        if last - first > 1 and snapshot.count([datastream], first, last, water_only=False) > PIECE_ROWS:
            middle = (first + last) // 2
            waiting += [(middle, last), (first, middle)]
        else:
            yield first, last


def _differ(one: ObservationBatch, other: ObservationBatch) -> NDArray[np.bool_]:
    assert one.result is not None  # noqa: S101 -- finished rows
    assert other.result is not None  # noqa: S101
    changed: NDArray[np.bool_] = one.phenomenon_time != other.phenomenon_time
    changed |= one.result_quality != other.result_quality
    changed |= _provenance(one) != _provenance(other)
    changed |= ~_same(one.result, other.result)
    changed |= ~_same(_uncertainty(one), _uncertainty(other))
    return changed


def _same(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = one == other
    same |= np.isnan(one) & np.isnan(other)
    return same


def _uncertainty(rows: ObservationBatch) -> NDArray[np.floating]:
    if rows.result_uncertainty is None:
        return np.full(len(rows), np.nan, np.float32)
    return rows.result_uncertainty.astype(np.float32)  # as it is stored


def _ids(rows: ObservationBatch) -> NDArray[np.int64]:
    return np.empty(0, np.int64) if rows.id is None else rows.id


def _provenance(rows: ObservationBatch) -> NDArray[np.int32]:
    return np.zeros(len(rows), np.int32) if rows.provenance is None else rows.provenance


def _as_batch(table: pa.Table) -> ObservationBatch:
    return ObservationBatch.from_arrow(table.select(OBSERVATION.names))


def _none() -> ObservationBatch:
    return _as_batch(OBSERVATION.empty_table())
