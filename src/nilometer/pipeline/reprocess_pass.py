"""One pass of reprocessing over Datastreams that are judged together: read, judge, compare, commit what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer import __version__
from nilometer.calibration.table import Companions
from nilometer.errors import NotFound, StoreError
from nilometer.model import ObservationBatch, Settlements
from nilometer.pipeline.companions import companions_of
from nilometer.pipeline.derived_inputs import stored_rows
from nilometer.pipeline.derived_rows import Rows
from nilometer.pipeline.deriving import Deriving
from nilometer.pipeline.judging import Judging
from nilometer.pipeline.reprocess_changes import ChangesFile
from nilometer.pipeline.reprocess_deriving import Remaking
from nilometer.pipeline.reprocess_judging import CALIBRATION, DERIVATION, QC, Judged, Rejudging, Remade, said_of_inputs
from nilometer.pipeline.reprocess_order import Group, ReprocessOrder
from nilometer.pipeline.reprocess_report import Differences, Moved, differences
from nilometer.pipeline.reviewing import Reviewing
from nilometer.qc.shelf import Shelf
from nilometer.store import Snapshot, Store
from nilometer.store.ledger import ProvenanceRow
from nilometer.store.review_ledger import levels

__all__ = ["Hands", "Pass", "Run", "stretches"]

PIECE_ROWS = 500_000
"""Rows that are worked on at once, and about what one commit holds at most."""

HOT_ROWS = 1_500_000
"""With more hot rows than this the worker has them sealed before it goes on."""

_NEVER = -(1 << 62)
_FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class Hands:
    """What a run works with.

    Parameters
    ----------
    store : Store
        Rows, calibrations, profile versions.
    shelf : Shelf
        The profiles there are.
    live : Judging
        What judges live rows; its tests go on from where a run has come to.
    reviewing : Reviewing
        The manual review stands over what is written.
    ask : callable
        Has something done in the pump's thread, between two commits, and gives what it gives.
    deriving : Deriving
        What is derived, of what.
    keep : callable
        Keeps the state of the live tests; called in the pump's thread.
    """

    store: Store
    shelf: Shelf
    live: Judging
    reviewing: Reviewing
    ask: Callable[[Callable[[], Any]], Any]
    deriving: Deriving
    keep: Callable[[], None]


@dataclass(slots=True)
class Run:
    """One run: what was ordered, and what it came to so far.

    Parameters
    ----------
    order : ReprocessOrder
        What was ordered.
    changes : ChangesFile, optional
        Gets every changed row.
    moved : dict
        By Datastream.
    own : list of int
        Its commits.
    last, foreign : int
        The last commit that was seen, and the last that was, or came before, somebody else's.
    is_over : bool
        It is to be given up.
    """

    order: ReprocessOrder
    changes: ChangesFile | None = None
    moved: dict[int, Moved] = field(default_factory=dict)
    own: list[int] = field(default_factory=list)
    last: int = 0
    foreign: int = 0
    is_over: bool = False

    @property
    def first(self) -> int | None:
        """The first commit; None: nothing was written."""
        return self.own[0] if self.own else None

    def check(self) -> None:
        """Give up where the server is stopping."""
        if self.is_over:
            raise StoreError("reprocessing was given up: the server is stopping; the same command goes on with it")

    def see(self, sequence: int) -> None:
        """Note whether somebody else has committed, by where the store is."""
        if sequence != self.last:
            self.foreign = self.last = sequence

    def note(self, sequence: int) -> None:
        """Note a commit of its own."""
        self.last = sequence
        self.own.append(sequence)


class Pass:
    """One pass over Datastreams that are judged together."""

    def __init__(self, hands: Hands, run: Run, group: Group, *, is_last: bool, told: Callable[[int], None]) -> None:
        self._hands, self._run, self._order, self._read = hands, run, run.order, told
        self._store, self._catalog, self._is_last = hands.store, hands.store.catalog, is_last
        self._ids = [one.id for one in group.members]
        self._wanted = np.array(sorted(group.wanted), np.int32)
        self._what, self._remaking = self._ordered(group)
        self._snapshot = self._inputs = hands.store.snapshot()
        self._asks = hands.ask(hands.deriving.asks) if CALIBRATION in self._what else {}
        self._rejudging = Rejudging(
            hands.store, hands.shelf, group.members, self._what, self._remade, beside=self._companions
        )
        self._moved = {number: run.moved.setdefault(number, Moved(number)) for number in group.wanted}
        for moved in self._moved.values():
            moved.rows = moved.signed = moved.late = 0  # what another pass has revised is among those that it finds
        self._newest: dict[int, int] = {}
        self._ways: dict[tuple[int, int], tuple[int, bool]] = {}
        self._is_disturbed = False

    def _ordered(self, group: Group) -> tuple[tuple[str, ...], Remaking | None]:
        """Return what is done anew of a group, and what derives it; what is derived anew is judged anew."""
        what = self._order.what
        if not group.is_derived:
            return tuple(name for name in what if name != DERIVATION), None
        if DERIVATION not in what:
            return (QC,), None
        definitions = self._hands.ask(self._hands.deriving.definitions)
        mine = [one for one in definitions if one.datastream in group.wanted]
        return (DERIVATION, QC), Remaking(self._store, mine)

    def _remade(self, rows: ObservationBatch) -> Remade | None:
        return None if self._remaking is None else self._remaking.of(rows, self._inputs)

    def _companions(self, judging: Judging, rows: ObservationBatch) -> Companions | None:
        """Return the companions of rows, as the snapshot has them."""
        if not self._asks:
            return None

        def read(number: int, start: int, end: int) -> Rows:
            return stored_rows(self._store, self._inputs, number, start, end, False)  # noqa: FBT003 -- not derived

        return companions_of(rows, judging.wanted(rows), self._asks, read)

    def go(self) -> bool:
        """Go through all rows; return False where another pass is needed."""
        whole = True
        for first, last in _windows(self._snapshot, self._ids):
            if self._order.end is not None and first >= self._order.end and not self._waits():
                whole = False
                break
            self._run.check()
            rows, commit = self._rows(self._snapshot, dict.fromkeys(self._ids, first), last)
            for judged in self._rejudging.feed(rows, commit):
                self._take(judged)
            self._read(len(rows))
            self._make_room()
        if self._order.dry_run or QC not in self._what:
            for judged in self._rejudging.rest():
                self._take(judged)
        elif whole:
            self._hands.ask(self._catch_up)
        return self._is_last or not self._is_disturbed

    def _waits(self) -> bool:
        return self._order.end is not None and self._rejudging.is_open(self._order.end)

    def _rows(self, snapshot: Snapshot, first: dict[int, int], last: int) -> tuple[ObservationBatch, NDArray[np.int64]]:
        """Return the automatic rows of Datastreams from a time each in order of time, with the commit of each."""
        parts = [self._hands.reviewing.automatic(snapshot, number, start, last) for number, start in first.items()]
        parts = [part for part in parts if len(part[0])]
        for rows, _ in parts:
            number = int(rows.datastream[0])
            self._newest[number] = max(self._newest.get(number, _NEVER), int(rows.phenomenon_time[-1]))
        if not parts:
            return ObservationBatch(
                datastream=np.empty(0, np.int32), phenomenon_time=np.empty(0, np.int64), raw_result=np.empty(0)
            ), np.empty(0, np.int64)
        if len(parts) == 1:
            return parts[0]
        rows = ObservationBatch.concat([part[0] for part in parts])
        commit = np.concatenate([part[1] for part in parts])
        assert rows.id is not None  # noqa: S101 -- stored rows
        order = np.lexsort((rows.id, rows.datastream, rows.phenomenon_time))
        return rows.take(order), commit[order]

    def _catch_up(self) -> None:
        """Take what came since the snapshot, and let the live tests go on from here; in the pump's thread."""
        snapshot = self._inputs = self._store.snapshot()
        self._rejudging.refresh(snapshot.by_id(self._rejudging.open_ids()))
        rows, commit = self._rows(snapshot, {number: self._next(number) for number in self._ids}, _FAR)
        for judged in (*self._rejudging.feed(rows, commit), *self._rejudging.rest()):
            self._take(judged, is_here=True)
        self._hands.live.adopt(self._rejudging.judging, self._wanted.tolist())
        self._hands.keep()

    def _next(self, datastream: int) -> int:
        """Return from when on rows of a Datastream were not read."""
        return self._newest.get(datastream, _NEVER) + 1

    def _take(self, judged: Judged, *, is_here: bool = False) -> None:
        """Compare rows, count what moved, and commit what differs."""
        time = judged.old.phenomenon_time
        mine = np.isin(judged.old.datastream, self._wanted) & self._inside(time)
        if not mine.any():
            return
        judged = judged if mine.all() else judged.take(np.flatnonzero(mine))
        found = differences(judged, self._reckon(judged))
        if found.any.any() and not self._order.dry_run:
            write = partial(self._write, judged, found)
            judged, found = write() if is_here else self._hands.ask(write)
        self._count(self._moved, judged, found, self._signed(judged))

    def _inside(self, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which times lie in the span that is ordered."""
        inside = np.ones(len(time), bool)
        if self._order.start is not None:
            inside &= time >= self._order.start
        if self._order.end is not None:
            inside &= time < self._order.end
        return inside

    def _reckon(self, judged: Judged) -> NDArray[np.bool_]:
        """Write the provenance of the new rows; return where calibration, profile or definition differ from the old."""
        old, new = judged.old.provenance, judged.new.provenance
        assert old is not None  # noqa: S101 -- stored rows
        assert new is not None  # noqa: S101
        if not len(old):
            return np.zeros(0, bool)
        # Where rows lie in the order of their Datastreams the pairs are a few long stretches.
        starts = np.flatnonzero(np.append(True, (old[1:] != old[:-1]) | (new[1:] != new[:-1])))
        pairs = old[starts].astype(np.int64) << 32 | new[starts].astype(np.int64)
        codes, which = np.unique(pairs, return_inverse=True)
        ways = [self._way(int(code) >> 32, int(code) & 0xFFFFFFFF) for code in codes]
        length = np.diff(np.append(starts, len(old)))
        judged.new.provenance = np.repeat(np.array([way[0] for way in ways], np.int32)[which], length)
        differs: NDArray[np.bool_] = np.repeat(np.array([way[1] for way in ways])[which], length)
        return differs

    def _way(self, old: int, new: int) -> tuple[int, bool]:
        known = self._ways.get((old, new))
        if known is None:
            try:
                was = self._catalog.provenance_row(old)
            except NotFound:
                was = ProvenanceRow(old, None, None, "", "")  # rows that nobody said the origin of
            now, what = self._catalog.provenance_row(new), self._what
            calibration = now.calibration if CALIBRATION in what else was.calibration
            version = now.profile_version if QC in what else was.profile_version
            source = was.source or now.source
            definition = now.definition if DERIVATION in self._what else was.definition
            number = self._catalog.provenance(calibration, version, source, __version__, definition=definition)
            before = (was.calibration, was.profile_version, was.definition)
            known = self._ways[old, new] = number, (calibration, version, definition) != before
        return known

    def _signed(self, judged: Judged) -> NDArray[np.bool_]:
        """Return the rows that somebody signed, which stay unless it is forced."""
        kept = np.zeros(len(judged), bool)
        if self._order.force:
            return kept
        for number in np.unique(judged.old.datastream):
            signed = self._hands.reviewing.plans.of(int(number)).signed
            if signed:
                mine = np.flatnonzero(judged.old.datastream == number)
                kept[mine] = levels(signed, judged.old.phenomenon_time[mine], judged.commit[mine]) > 0
        return kept

    def _write(self, judged: Judged, found: Differences) -> tuple[Judged, Differences]:
        """Commit what differs, but for what is signed or was changed meanwhile; in the pump's thread."""
        stays = self._unchanged(judged) & self._made_of_the_same(judged) & self._beside_the_same(judged)
        if not stays.all():
            self._is_disturbed = True
            late = ~stays
            for number in np.unique(judged.old.datastream[late]):
                if self._is_last:
                    self._moved[int(number)].late += int((judged.old.datastream[late] == number).sum())
            kept = np.flatnonzero(stays)
            judged, found = judged.take(kept), found.take(kept)
        rows = np.flatnonzero(found.any & ~self._signed(judged))
        if len(rows):
            revised = judged.new.take(rows)
            revised.supersedes = np.ones(len(revised), bool)
            written, settled = self._hands.reviewing.over(revised, Settlements.none())
            assert not len(settled)  # noqa: S101 -- none came
            sequence = self._hands.reviewing.commit(written, marked=True)
            self._run.note(sequence)
        return judged, found

    def _unchanged(self, judged: Judged) -> NDArray[np.bool_]:
        """Return the rows of which the same version is served as when they were read."""
        run, since = self._run, self._snapshot.sequence
        run.see(self._store.sequence())
        if run.foreign <= since:
            return np.ones(len(judged), bool)
        time, ids = judged.old.phenomenon_time, judged.old.id
        assert ids is not None  # noqa: S101 -- stored rows
        mine = np.unique(judged.old.datastream).tolist()
        margin = max(self._hands.reviewing.plans.of(number).margin for number in mine)
        first, last = int(time.min()) - margin, int(time.max()) + margin + 1
        there = self._store.snapshot().read(mine, first, last, columns=["id", "commit"], water_only=False)
        found, commit = there["id"].to_numpy(), there["commit"].to_numpy()
        came = (commit > since) & ~np.isin(commit, run.own) & ~np.isin(found, ids)
        self._is_disturbed |= bool(came.any())  # a row came between those that were read
        order = np.argsort(found)
        place = np.searchsorted(found[order], ids)
        place[place == len(found)] = 0
        if not len(found):
            return np.zeros(len(judged), bool)
        same: NDArray[np.bool_] = (found[order][place] == ids) & (commit[order][place] == judged.commit)
        return same

    def _made_of_the_same(self, judged: Judged) -> NDArray[np.bool_]:
        """Return the derived rows that their inputs, as they are by now, still give as they were made."""
        same, remaking = np.ones(len(judged), bool), self._remaking
        moved = self._store.sequence() if remaking is not None and remaking.is_chained else self._run.foreign
        if remaking is None or moved <= self._snapshot.sequence:
            return same
        made = remaking.of(judged.old, self._store.snapshot())
        assert made is not None  # noqa: S101 -- all of them are derived
        result, uncertainty = judged.new.result, judged.new.result_uncertainty
        assert result is not None  # noqa: S101 -- finished rows
        assert uncertainty is not None  # noqa: S101
        same &= np.isclose(made.result, result, 0.0, 0.0, equal_nan=True)
        same &= np.isclose(made.uncertainty, uncertainty, 0.0, 0.0, equal_nan=True)
        same &= made.said == said_of_inputs(judged.new)
        return same

    def _beside_the_same(self, judged: Judged) -> NDArray[np.bool_]:
        """Return the rows that their companions, as they are by now, still give as they were calibrated."""
        if not self._asks.keys() & set(self._ids) or self._store.sequence() <= self._snapshot.sequence:
            return np.ones(len(judged), bool)
        before, self._inputs = self._inputs, self._store.snapshot()
        again = judged.new.take(np.arange(len(judged)))
        judging = self._rejudging.judging
        judging.calibrate(again, self._companions(judging, again))
        self._inputs = before
        assert again.result is not None  # noqa: S101 -- written here
        assert judged.new.result is not None  # noqa: S101 -- finished rows
        return np.isclose(again.result, judged.new.result, 0.0, 0.0, equal_nan=True)

    def _count(self, into: dict[int, Moved], judged: Judged, found: Differences, signed: NDArray[np.bool_]) -> None:
        owner = judged.old.datastream
        numbers, starts, stops = stretches(owner)
        if len(set(numbers)) == len(numbers):  # one behind the other: nothing is copied
            for number, start, stop in zip(numbers, starts, stops, strict=True):
                part = slice(start, stop)
                into[number].add(judged.take(part), found.take(part), signed[part])
        else:
            for number in np.unique(owner).tolist():
                rows = np.flatnonzero(owner == number)
                into[number].add(judged.take(rows), found.take(rows), signed[rows])
        if self._run.changes is not None:
            rows = np.flatnonzero(found.any & ~signed)
            if len(rows):
                self._run.changes.write(judged.take(rows))

    def _make_room(self) -> None:
        """Have hot rows sealed, so that live ones never wait for room because of us."""
        if self._order.dry_run or self._store.status().hot_rows < HOT_ROWS:
            return
        self._store.seal()
        if self._store.status().hot_rows >= HOT_ROWS:
            self._store.compact(everything=False)


def stretches(owner: NDArray[np.int32]) -> tuple[list[int], list[int], list[int]]:
    """Return whose rows lie together, and where each such stretch starts and stops."""
    if not len(owner):
        return [], [], []
    starts = np.append(0, np.flatnonzero(owner[1:] != owner[:-1]) + 1)
    return owner[starts].tolist(), starts.tolist(), [*starts[1:].tolist(), len(owner)]


def _windows(snapshot: Snapshot, datastreams: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield windows in order of time of at most `PIECE_ROWS` rows that together hold every row."""
    extents = [extent for extent in map(snapshot.extent, datastreams) if extent is not None]
    if not extents:
        return
    waiting = [(min(extent[0] for extent in extents), max(extent[1] for extent in extents) + 1)]
    while waiting:
        first, last = waiting.pop()
        rows = snapshot.count(datastreams, first, last, water_only=False)
        if last - first > 1 and rows > PIECE_ROWS:
            middle = (first + last) // 2
            waiting += [(middle, last), (first, middle)]
        elif rows:
            yield first, last
