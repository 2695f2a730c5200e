"""The store's one door: admit, commit, read, delete, seal.

`admit` and `commit` are called in the order of arrival, each in one thread; reads and seals go on beside them in any
thread. What `commit` returned for is on the disk and in every later snapshot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, Settlements
from nilometer.store.admission import Admission, Batches, Gate
from nilometer.store.backup import Backup, Source
from nilometer.store.catalog import Catalog
from nilometer.store.catalog_copy import freeze
from nilometer.store.catalog_place import open_catalog
from nilometer.store.catalog_watch import CatalogWatch
from nilometer.store.commit_clock import CommitClock
from nilometer.store.compaction import CompactReport, Progress
from nilometer.store.compactor import Compactor
from nilometer.store.deletions import Deletions, told
from nilometer.store.folder import Folder
from nilometer.store.forgetting import Forgetting
from nilometer.store.lake_check import check_lake
from nilometer.store.lake_home import claim_lake
from nilometer.store.lake_migration import complete_names, forget_old_lake, migrate_lake
from nilometer.store.live import Live
from nilometer.store.manifest import Manifest
from nilometer.store.record import (
    ROWS,
    TOMBSTONE,
    decode_tombstone,
    encode_tombstone,
    no_rows,
    pack,
    row_parts,
)
from nilometer.store.recovery import journaled, open_journal, recover, replayed
from nilometer.store.rewriting import Rewriting
from nilometer.store.room import Room
from nilometer.store.sealing import SealReport
from nilometer.store.seals import COVERAGE, INDEX, Seals
from nilometer.store.settling import settle_own
from nilometer.store.snapshot import Snapshot
from nilometer.store.state_files import StateFiles
from nilometer.store.status import StoreStatus

__all__ = ["Store"]

HOT_ROWS_MOST = 4_000_000
"""With more hot rows than this `commit` waits for the lake, then refuses: memory stays bounded."""

PATIENCE_S = 10.0
"""How long it waits, unless the last seal failed."""

_EVER = (-(1 << 63), (1 << 63) - 1)


class Store:
    """One data folder, opened for writing; made by `Store.open`."""

    def __init__(
        self,
        folder: Folder,
        catalog_url: str | None,
        lake_url: str | None,
        lake_options: Mapping[str, str],
        now: Callable[[], int],
    ) -> None:
        self._folder, self._now = folder, now
        self._committing = threading.Lock()
        self._compactor: Compactor | None = None
        self.on_step: Callable[[str], None] = _nothing
        self.on_full: Callable[[], bool] = lambda: False  # has rows sealed, and says whether they will be
        complete_names(folder.lake)
        home = claim_lake(folder, lake_url, lake_options)
        sealed = check_lake(folder, home)
        self.catalog = Catalog(open_catalog(folder, catalog_url))
        try:
            self._journal = open_journal(folder, sealed=sealed)
            migrate_lake(folder.lake)
            self._observations, self._revisions = home.tables()
            self._states = StateFiles(folder.state)
            forget_old_lake(folder.lake)
            self._clock = CommitClock(self.catalog.engine)
            self.forgetting = Forgetting(self.catalog, self._clock, self._revisions, now)
            watch = CatalogWatch(self.catalog)
            self._live = Live(watch.samples, self.forgetting.at, self._clock.shows)
            self._deletions = Deletions(self.catalog)
            self._gate = Gate(
                self._live.index,
                self.snapshot,
                self.catalog.water_feature,
                self.catalog.reviews.retimed,
                self.catalog.reviewed,
                self.catalog.same_water,
            )
            watch.follow(self._live)
            reached = recover(
                self._live,
                journal=self._journal,
                clock=self._clock,
                observations=self._observations,
                revisions=self._revisions,
                index=self._states.load(INDEX),
                coverage=self._states.load(COVERAGE),
            )
            watch.close_deleted()
            self._deletions.recover(self._journal.records(0))
            self._observations.find_gone()
            self._revisions.find_gone()
            self._seals = Seals(
                self._live,
                journal=self._journal,
                observations=self._observations,
                revisions=self._revisions,
                states=self._states,
                clock=self._clock,
                deletions=self._deletions,
                mark=self.mark,
                step=self._step,
                reached=reached,
                forgetting=self.forgetting,
            )
            self._room = Room(self._seals, self._live, most=lambda: HOT_ROWS_MOST)
            self._parts = Source(
                folder=folder,
                observations=self._observations,
                revisions=self._revisions,
                journal=self._journal,
                sealing=self._seals.lock,
                committing=self._committing,
                freeze=lambda: freeze(self.catalog.engine),
                mark=self.mark,
                now=now,
                step=self._step,
            )
            self.rewriting = Rewriting(self._parts, self._seals, self._live, self._clock)
        except BaseException:
            self._let_go()
            raise

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        catalog_url: str | None = None,
        lake_url: str | None = None,
        lake_options: Mapping[str, str] | None = None,
        address: str = "",
        now: Callable[[], int] | None = None,
    ) -> Store:
        """Open a data folder, or make it.

        Parameters
        ----------
        folder : Path
            Where catalog, journal and lake lie.
        catalog_url : str, optional
            The catalog's database, such as ``postgresql://…``; None: where the folder says, which is inside it unless
            another was given before.
        lake_url : str, optional
            Where the lake is, such as ``s3://bucket/station``; None: the same.
        lake_options : mapping of str to str, optional
            What deltalake calls storage options; secrets are better left to the environment.
        address : str
            Where this process answers; whoever finds the folder held is told.
        now : callable, optional
            Returns the time in µs UTC; None: the machine's.

        Returns
        -------
        Store
            With everything that was ever acknowledged.

        Raises
        ------
        StoreLocked
            If the folder is held.
        SchemaMismatch
            If a newer version wrote it.
        StoreError
            If it cannot be read or written, or is damaged beyond its journal's tail.
        """
        held = Folder(Path(folder), address=address)
        try:
            return cls(held, catalog_url, lake_url, lake_options or {}, now or _machine_time)
        except BaseException:
            held.close()
            raise

    def admit(self, batch: ObservationBatch) -> Admission:
        """Say of every row whether it is new, unchanged, revised or rejected.

        Parameters
        ----------
        batch : ObservationBatch
            As it was sent. `id`, `supersedes` and `feature` are written; times are rounded to the clock resolution.

        Returns
        -------
        Admission
            With the rows that go on to calibration and qc, and the status of every row.
        """
        return self._gate.admit(batch)

    def abandon(self, rows: ObservationBatch) -> None:
        """Give up admitted rows that will not be committed; their ids are never used again."""
        self._gate.landed(rows)

    def commit(self, rows: ObservationBatch, settled: Settlements, own: Batches = (), *, marked: bool = False) -> int:
        """Make rows and settlements durable and visible, both or neither.

        Parameters
        ----------
        rows : ObservationBatch
            Admitted, calibrated and judged; batches may be put together, then all are synced at once.
        settled : Settlements
            New flags of earlier rows, or of rows of this same call.
        own : sequence of ObservationBatch
            What `admit` gave, where `rows` has more behind it; empty: it is `rows`, or several of them.
        marked : bool
            Whether every `as_of` is to tell this commit from those before and after.

        Returns
        -------
        int
            Their sequence.

        Raises
        ------
        StoreFull
            If the disk takes no more. Nothing was changed; the same call may be made again.
        Overloaded
            If the lake has taken nothing for so long that memory would grow without bound, at once if its last seal
            failed. The same holds.
        StoreError
            If the journal cannot be written.
        """
        if not len(rows) and not len(settled):
            return self._journal.sequence
        self._room.wait(self._asks_for_room, PATIENCE_S)  # not with the lock: what makes room may have to commit a mark
        with self._committing:
            settled = settle_own(rows, settled)
            columns = pack(rows)
            sequence = self._write(columns, settled, marked=marked)
            self._gate.landed(*(own or (rows,)))
            return sequence

    def mark(self) -> int:
        """Commit nothing, and return the sequence: a moment that every `as_of` tells from those before and after.

        Raises
        ------
        StoreFull
            If the disk takes no more.
        """
        with self._committing:
            return self._write(no_rows(), Settlements.none(), marked=True)

    def commit_at(self, moment: int) -> int:
        """Return the last sequence at a moment in µs UTC, as `as_of` understands it."""
        self._clock.wait_for(moment)
        return self._clock.at(moment)

    def delete(
        self,
        datastreams: Sequence[int],
        start: int | None,
        end: int | None,
        *,
        about: Mapping[str, Any] | None = None,
        ids: NDArray[np.int64] | None = None,
    ) -> int:
        """Delete the rows of Datastreams from start (inclusive) to end (exclusive), µs UTC; return the sequence.

        Every later read is without them; `as_of` an earlier moment still shows them. No row is read or written: a
        delete costs the same whatever it covers.

        Parameters
        ----------
        datastreams : sequence of int
            Ids.
        start, end : int, optional
            None: without end.
        about : mapping, optional
            ``by`` whom, and what else the audit trail is to say.
        ids : ndarray of int64, optional
            Of the rows in the range only these.

        Raises
        ------
        StoreFull
            If the disk takes no more; nothing was deleted.
        """
        first, last = _EVER[0] if start is None else start, _EVER[1] if end is None else end
        whose = np.unique(np.asarray(list(datastreams), np.int32))
        body = encode_tombstone(whose, first, last, told(about or {}), None if ids is None else np.unique(ids))
        with self._committing:
            with self._clock.under_way(self._now) as now:
                self._step("delete.begun")
                sequence, moment = self._journal.write(TOMBSTONE, body, now)
                self._step("delete.synced")
                tombstone = decode_tombstone(body, sequence)
                with self._live.lock:
                    self._clock.note(sequence, moment, marked=True)
                    self._live.bury(tombstone)
                    self._deletions.owe(tombstone, moment)
            self._step("delete.applied")
            self._deletions.pay()
            self._step("delete.audited")
            return sequence

    def snapshot(self, as_of: int | None = None) -> Snapshot:
        """Return everything acknowledged so far; it does not change afterwards.

        Parameters
        ----------
        as_of : int, optional
            A moment in µs UTC: everything as it was known then, the same whenever it is asked for. A commit that is
            under way and may belong to that moment is waited for.
        """
        if as_of is not None:
            self._clock.wait_for(as_of)
        with self._live.lock:
            snapshot = self._live.snapshot()
        return snapshot.at(as_of)

    def replay(self, after: int) -> Iterator[tuple[int, ObservationBatch]]:
        """Yield journaled batches above a sequence, of known Datastreams; not marked commits, as of a review."""
        return replayed(self._journal, self._live, after)

    def journaled(self, after: int) -> Iterator[tuple[ObservationBatch, Settlements]]:
        """Yield what `replay` does, and marked commits, each with the flags of earlier rows that it settled."""
        return journaled(self._journal, self._live, after)

    def save_state(self, name: str, sequence: int, state: bytes) -> None:
        """Keep what a stage remembers as of a sequence; records up to the least of these may leave the journal."""
        self._states.save(f"stage-{name}", sequence, state)

    def load_state(self, name: str) -> tuple[int, bytes] | None:
        """Return the sequence and the state last saved under a name; None when there is none or it is damaged."""
        return self._states.load(f"stage-{name}")

    def hold(self, ids: Callable[[], NDArray[np.int64]]) -> None:
        """Name a provider of ids of rows that must stay hot, because a test of theirs is still open."""
        self._seals.hold(ids)

    def seal(self) -> SealReport:
        """Move what is settled from the hot tail to the lake; commits and reads go on meanwhile.

        Returns
        -------
        SealReport
            What was moved.

        Raises
        ------
        StoreFull
            If the disk takes no more; everything stays where it was.
        StoreError
            If the lake cannot be written; the same holds.
        """
        report = self._seals.seal()
        if self._compactor is not None:
            self._compactor.wake(urgent=report.held > HOT_ROWS_MOST // 4)
        return report

    def start_compacting(self) -> Compactor:
        """Take revised and deleted rows out of the lake and merge its files, in a background thread; return it."""
        if self._compactor is None:
            self._compactor = Compactor(lambda everything: self._seals.compaction.run(everything=everything))
            self._compactor.start()
            self._compactor.wake()
        return self._compactor

    @property
    def compacting(self) -> Progress:
        """What is being compacted, and how far that is."""
        return self._seals.compaction.progress

    def compact(self, told: Callable[[Progress], None] | None = None, *, everything: bool = True) -> CompactReport:
        """Take every revised and deleted row out of the lake, and merge all files of each year that are not full.

        Commits, reads and seals go on meanwhile.

        Parameters
        ----------
        told : callable, optional
            Told how far it is.
        everything : bool
            False: merge only files that have piled up or lie still, as the background thread does.

        Raises
        ------
        StoreFull
            If the disk takes no more; nothing was lost.
        StoreError
            If the lake cannot be read or written; the same holds.
        """
        return self._seals.compaction.run(everything=everything, told=told)

    def backup(self, target: Path, *, link: bool = True) -> Manifest:
        """Copy everything acknowledged so far to an absent or empty folder; `Backup.write` says what it raises."""
        return Backup(target, link=link).write(self._parts)

    def sequence(self) -> int:
        """Return the last sequence."""
        return self._journal.sequence

    @property
    def damage(self) -> tuple[str, ...]:
        """What was stored and is damaged; not empty as long as cut off records are kept aside."""
        return tuple(self._journal.damage)

    @property
    def errors(self) -> tuple[str, str]:
        """Why the last seal, and the last compaction in the background, failed; empty where it did not."""
        return self._seals.error, "" if self._compactor is None else self._compactor.error

    @property
    def journal_bytes(self) -> int:
        """Bytes of the records that the journal holds."""
        return self._journal.size

    def set_address(self, address: str) -> None:
        """Say where this process answers, once it is known."""
        self._folder.set_address(address)

    def status(self) -> StoreStatus:
        """Return how the store is."""
        seal_error, compaction_error = self.errors
        with self._live.lock:
            return StoreStatus(
                sequence=self._journal.sequence,
                lake_sequence=self._live.lake_sequence,
                hot_rows=self._live.hot.rows,
                files=len(self._live.files),
                damage=self.damage,
                torn=tuple(self._journal.torn),
                journal_bytes=self.journal_bytes,
                seal_error=seal_error,
                compaction_error=compaction_error,
            )

    def close(self) -> None:
        """Let go of the folder; what is not sealed waits in the journal."""
        self._seals.turns.end()
        if self._compactor is not None:
            self._compactor.stop()
        self._seals.compaction.close()
        with self._seals.lock, self._committing:
            self._let_go()

    def _write(self, columns: pa.RecordBatch, settled: Settlements, *, marked: bool) -> int:
        """Journal rows and show them; `_committing` is held."""
        with self._clock.under_way(self._now) as now:
            body = row_parts(columns, settled, marked=marked)
            self._step("append.begun")
            sequence, moment = self._journal.write(ROWS, body, now, rows=columns.num_rows)
            self._step("append.synced")
            with self._live.lock:
                self._clock.note(sequence, moment, marked=marked)
                self._live.apply(columns, settled, sequence)
        self._step("append.applied")
        return sequence

    def _step(self, name: str) -> None:
        self.on_step(name)

    def _asks_for_room(self) -> bool:
        if self._compactor is not None:
            self._compactor.wake(urgent=True)  # rows may be hot because their former versions are in the lake
        return bool(self.on_full() or self._compactor or self._seals.lock.locked())

    def _let_go(self) -> None:
        journal = getattr(self, "_journal", None)
        if journal is not None:
            journal.close()
        self.catalog.close()
        self._folder.close()


def _nothing(_step: str) -> None:
    """Do nothing at a point of `faults.POINTS`; tests put a crash here."""


def _machine_time() -> int:
    return time.time_ns() // 1000
