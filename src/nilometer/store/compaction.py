"""Compaction: hidden rows leave the lake, files that have piled up become few, what nobody needs is deleted.

It goes on beside commits, reads and seals, and gives way to a seal between two chunks. One kind of work comes after the
other: rewrite (files with revised or deleted rows are written anew; the next seal exchanges them), merge, vacuum.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from nilometer.errors import StoreError
from nilometer.store.forgetting import Forgetting
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_forgetting import forget, forgettable
from nilometer.store.lake_rewriter import Exchange, Rewriter
from nilometer.store.live import Live
from nilometer.store.masks import Masks
from nilometer.store.merge import merge, piles, still_years
from nilometer.store.sealing import Done
from nilometer.store.tombstones import Tombstones

__all__ = ["CompactReport", "Compaction", "Progress", "Turns"]


_FORGETS_EVERY_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done: `stage` is ``rewrite``, ``merge``, ``vacuum`` or empty, with the rows done and to be done."""

    stage: str = ""
    rows: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What a compaction did.

    Parameters
    ----------
    rewritten : int
        Files that were written anew without revised and deleted rows.
    merged : int
        Files that were merged into others.
    forgotten : int
        Superseded and deleted rows that were kept their time, and are gone for good.
    deleted : int
        Files that had left the lake long enough ago.
    files, bytes : int
        Parquet files of both tables now.
    seconds : float
        How long it took.
    """

    rewritten: int
    merged: int
    forgotten: int
    deleted: int
    files: int
    bytes: int
    seconds: float


class Turns:
    """A seal goes before the compactor, which asks between two chunks whether one waits; it is never starved."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seals = self._ended = self._commits = 0
        self._is_over = False

    @contextmanager
    def seal(self) -> Iterator[None]:
        """Hold back the compactor, unless it is about to exchange files, which is soon done."""
        with self._changed:
            self._seals += 1
            self._changed.wait_for(lambda: not self._commits)
        try:
            yield
        finally:
            with self._changed:
                self._seals -= 1
                self._ended += 1
                self._changed.notify_all()

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Go before the seals that have not begun."""
        with self._changed:
            self._commits += 1
        try:
            yield
        finally:
            with self._changed:
                self._commits -= 1
                self._changed.notify_all()

    def give_way(self) -> None:
        """Return when no seal waits or goes on, or one has come to its end.

        Raises
        ------
        StoreError
            If the store closes: what is half done is given up.
        """
        with self._changed:
            ended = self._ended
            self._changed.wait_for(lambda: not self._seals or self._ended > ended or self._is_over)
            if self._is_over:
                raise StoreError("the compaction was given up: the data folder is being closed; nothing was lost")

    def end(self) -> None:
        """Let the compactor give up at its next chunk."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class Compaction:
    """What makes the lake smaller.

    Parameters
    ----------
    live : Live
        What is true now.
    observations, revisions : LakeTable
        The lake.
    sealing : lock
        Held while the lake's tables change.
    turns : Turns
        Who goes first.
    seal : callable
        Seals, though nothing may have come since the last time.
    step : callable
        Told of every step; tests put a crash there.
    reached : int
        A folder of version 2 whose last seal was cut short has what ended up to this commit in `revisions`; 0: none.
    forgetting : Forgetting
        How long what is served to nobody is kept.
    """

    def __init__(
        self,
        live: Live,
        observations: LakeTable,
        revisions: LakeTable,
        *,
        sealing: threading.Lock,
        turns: Turns,
        seal: Callable[[], None],
        step: Callable[[str], None],
        reached: int,
        forgetting: Forgetting,
    ) -> None:
        self._live, self._observations, self._revisions = live, observations, revisions
        self._sealing, self._turns, self._seal, self._step = sealing, turns, seal, step
        self._one, self._lock = threading.RLock(), threading.Lock()
        self._done = Done()
        self._unsure: tuple[LakeTable, Sequence[LakeFile], Sequence[LakeFile]] | None = None
        self._told: Callable[[Progress], None] = _nobody
        self.reached, self._forgetting, self._forgets_at = reached, forgetting, 0.0
        self.progress = Progress()
        self.touched: frozenset[str] = frozenset()

    def run(self, *, everything: bool, told: Callable[[Progress], None] | None = None) -> CompactReport:
        """Do all that there is to do, or wait for whoever is at it and do the rest.

        Parameters
        ----------
        everything : bool
            Merge all files of each year that are not full, not only those that have piled up or lie still.
        told : callable, optional
            Told how far it is.

        Raises
        ------
        StoreFull
            If the disk takes no more; the lake is as it was, or as far as it had come.
        StoreError
            If a file cannot be read or written, or the store closes; the same holds.
        """
        with self._one:
            self._told = told or _nobody
            started = time.perf_counter()
            try:
                self._find_out()
                rewritten = self.rewrite()
                merged = self._merge(everything=everything)
                self._say(Progress("vacuum"))
                forgotten = self._forget_revisions(everything=everything)
                deleted = sum(
                    table.sweep(keep_s=self._forgetting.files_s) for table in (self._observations, self._revisions)
                )
                self._step("compact.swept")
            finally:
                self._say(Progress())
                self._told = _nobody
            files = (*self._live.files, *self._live.revisions)
            seconds = time.perf_counter() - started
            return CompactReport(
                rewritten, merged, forgotten, deleted, len(files), sum(file.size for file in files), seconds
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Do nothing meanwhile, but for the thread that asks for it."""
        with self._one:
            self._find_out()
            yield

    def rewrite(self) -> int:
        """Take hidden rows out of the lake; return how many files were written anew."""
        with self._one:
            self._exchange()
            count = self.prepare()
            self._exchange()
            return count

    def prepare(self) -> int:
        """Write the files with hidden rows anew, for the next seal to exchange; return how many."""
        with self._one:
            with self._live.lock:
                files, masks, tombstones = self._live.files, self._live.masks, self._live.tombstones
            if not len(masks) and not len(tombstones):
                return 0
            rewriter = Rewriter(
                self._observations, self._revisions, masks, tombstones, self.reached, self._turns.give_way
            )
            touched = [file for file in files if rewriter.is_touched(file)]
            total, rows = sum(file.rows for file in touched), 0
            for file in touched:
                self._say(Progress("rewrite", rows, total))
                exchange = rewriter.rewrite(file)
                self._step("compact.rewritten")
                self._add((exchange,), exchange.masks, Tombstones())
                rows += file.rows
            if touched:
                self._add((), masks, tombstones)
            else:
                self._forget(masks, tombstones)
            return len(touched)

    def ready(self) -> Done:
        """Return what a seal may exchange."""
        with self._lock:
            return self._done

    def taken(self, done: Done) -> None:
        """Forget what a seal has exchanged."""
        self.reached = 0
        with self._lock:
            left = tuple(exchange for exchange in self._done.exchanges if exchange not in done.exchanges)
            self._done = Done(
                left, self._done.masks.without(done.masks), self._done.tombstones.without(done.tombstones)
            )

    def close(self) -> None:
        """Remove what no seal has taken; it is written anew after the next start."""
        with self._one, self._lock:
            # A seal that was cut short may have put them into a table.
            for exchange in self._done.exchanges:
                self._observations.discard(exchange.new)
                self._revisions.discard(exchange.former)
            self._done = Done()

    def _exchange(self) -> None:
        """Have the files exchanged that are ready, before anything else is done with them."""
        # A seal that was under way when they became ready may have sealed all there was, without them.
        while self.ready().exchanges:
            self._seal()

    def _add(self, exchanges: tuple[Exchange, ...], masks: Masks, tombstones: Tombstones) -> None:
        with self._lock:
            done = self._done
            kept = done.tombstones
            for item in tombstones:
                kept = kept.add(item)
            self._done = Done((*done.exchanges, *exchanges), done.masks.add(masks.ids, masks.commits), kept)

    def _forget(self, masks: Masks, tombstones: Tombstones) -> None:
        """Let go of what hides nothing in the lake; after a crash it is found again to hide nothing."""
        with self._live.lock:
            self._live.masks = self._live.masks.without(masks)
            self._live.tombstones = self._live.tombstones.without(tombstones)
            self._live.changed()

    def _merge(self, *, everything: bool) -> int:
        count = 0
        for table in (self._observations, self._revisions):
            files = self._files(table)
            years = {file.year for file in files}
            found = piles(files, still=years if everything else still_years(files, self.touched))
            total, rows = sum(file.rows for pile in found for file in pile), 0
            for pile in found:
                at = rows

                def told(n: int, total: int = total) -> None:
                    nonlocal rows
                    rows += n
                    self._say(Progress("merge", rows, total))

                self._merge_pile(table, pile, told)
                rows = at + sum(file.rows for file in pile)
                count += len(pile)
        return count

    def _merge_pile(self, table: LakeTable, pile: Sequence[LakeFile], told: Callable[[int], None]) -> None:
        self._turns.give_way()
        added = merge(table, pile, pause=self._turns.give_way, told=told)
        self._commit(table, added, pile)

    def _forget_revisions(self, *, everything: bool) -> int:
        """Delete rows for good that ended long enough ago; now and then, or when everything is compacted."""
        now, cut = time.monotonic(), min(self._forgetting.horizon(), self._observations.sequence)
        if cut <= self._revisions.forgotten or (now < self._forgets_at and not everything):
            return 0
        self._forgets_at = now + _FORGETS_EVERY_S
        added: list[LakeFile] = []
        removed: list[LakeFile] = []
        spared, count = self._forgetting.spared(), 0
        try:
            for file in self._live.revisions:
                gone = forgettable(file, cut, spared)
                if gone:
                    count += gone
                    removed.append(file)
                    added += forget(self._revisions, file, cut, spared, pause=self._turns.give_way)
        except BaseException:
            self._revisions.discard(added)
            raise
        if count:
            self._commit(self._revisions, added, removed, forgotten=cut)
        return count

    def _commit(
        self, table: LakeTable, added: Sequence[LakeFile], removed: Sequence[LakeFile], *, forgotten: int = 0
    ) -> None:
        """Exchange files, in the lake and in memory."""
        self._step("compact.written")
        with self._turns.exchange(), self._sealing:
            try:
                table.commit(added, removed, None, forgotten=forgotten)
            except StoreError:
                self._unsure = (table, added, removed) if table.is_in_doubt else None
                table.discard(added)
                raise
            self._step("compact.merged")
            self._show(table, added, removed)

    def _show(self, table: LakeTable, added: Sequence[LakeFile], removed: Sequence[LakeFile]) -> None:
        """Exchange files in memory; those that were exchanged already stay as they are."""
        with self._live.lock:
            kept = [file for file in self._files(table) if file not in removed]
            files = (*kept, *(file for file in added if file not in kept))
            if table is self._observations:
                self._live.files = files
            else:
                self._live.revisions = files
            self._live.changed()

    def _find_out(self) -> None:
        """Show what a commit that failed has brought to the lake all the same, if it has; before anything else."""
        if self._unsure is None:
            return
        table, added, removed = self._unsure
        with self._turns.exchange(), self._sealing:
            table.find_out()
            if not set(removed) & set(table.files):
                self._show(table, added, removed)
            else:
                table.discard(added)
            self._unsure = None

    def _files(self, table: LakeTable) -> tuple[LakeFile, ...]:
        return self._live.files if table is self._observations else self._live.revisions

    def _say(self, progress: Progress) -> None:
        if replace(progress, rows=0) != replace(self.progress, rows=0) or progress.rows != self.progress.rows:
            self.progress = progress
            self._told(progress)


def _nobody(_progress: Progress) -> None:
    """Tell nobody."""
