"""What a store does first: find again what was there, after a clean end or a crash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

import numpy as np
import pyarrow as pa

from nilometer.model import ObservationBatch, Settlements
from nilometer.store.commit_clock import CommitClock
from nilometer.store.coverage import result_times_of
from nilometer.store.disk import DISK
from nilometer.store.folder import FOLDER_VERSION, SEGMENTS_SINCE, Folder
from nilometer.store.journal import Journal, Record
from nilometer.store.journal_sqlite import convert, put_aside
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.live import Live
from nilometer.store.record import ROWS, Tombstone, decode_rows, decode_tombstone, full_rows, is_marked
from nilometer.store.seal_plan import decode_plan

__all__ = ["journaled", "open_journal", "recover", "replayed"]


def open_journal(folder: Folder, *, sealed: int) -> Journal:
    """Return the journal of a folder, open; that of an older folder version is brought into this one's form.

    Parameters
    ----------
    folder : Folder
        Held; its version is raised once everything is in the new form.
    sealed : int
        The sequence the lake has reached.

    Raises
    ------
    StoreFull, StoreUnwritable
        If the disk refuses; the folder can be opened again, by the older version too while VERSION says so.
    StoreError
        If the journal cannot be read.
    """
    damage: list[str] = []
    # Whatever VERSION says, by whoever's hand: a SQLite file beside no segments has not been read yet.
    if folder.old_journal.exists() and (folder.version < SEGMENTS_SINCE or not folder.journal.is_dir()):
        damage = convert(folder.old_journal, folder.journal, sealed=sealed)
    if folder.version < FOLDER_VERSION:
        folder.raise_version()
    put_aside(folder.old_journal)
    journal = Journal(folder.journal)
    journal.open(sealed=sealed)
    journal.damage[:0] = damage
    # What was made here for the first time, the catalog's file too, has a name that a power cut does not take.
    DISK.sync_folder(folder.path)
    return journal


def recover(
    live: Live,
    *,
    journal: Journal,
    clock: CommitClock,
    observations: LakeTable,
    revisions: LakeTable,
    index: tuple[int, bytes] | None,
    coverage: tuple[int, bytes] | None,
) -> int:
    """Fill the state in memory from lake, index, plan and journal.

    Parameters
    ----------
    live : Live
        Empty, but for the Datastreams of the catalog.
    journal : Journal
        Open; its damaged tail is cut back already.
    clock : CommitClock
        Told of every commit that is still in the journal.
    observations, revisions : LakeTable
        The lake.
    index : tuple of int and bytes, optional
        The saved Datastream index with its sequence; None: it is counted anew from the lake.
    coverage : tuple of int and bytes, optional
        What rows speak of, likewise; None: it is measured where somebody asks.

    Returns
    -------
    int
        Rows of the lake that ended up to this commit are in `revisions` already; 0, unless a seal of folder version 2
        was cut short.

    Raises
    ------
    StoreError
        If the rows that the last seal left hot are damaged, or a file of the lake cannot be read.
    """
    sealed = observations.sequence
    ahead = [file for file in revisions.files if file.seal > sealed]
    live.files = observations.files
    live.revisions = tuple(file for file in revisions.files if file not in ahead)
    live.lake_sequence, live.sequence = sealed, journal.sequence
    covered = _restore_index(live, journal, sealed, index, (*observations.files, *revisions.files))
    if covered and coverage is not None and coverage[0] >= covered:
        live.coverage.merge(coverage[1])
    else:
        live.coverage.doubt_all(np.flatnonzero(live.index.rows).astype(np.int32))
    buried: list[Tombstone] = []
    body = journal.planned(sealed) if sealed else None
    if body is not None:
        rows, live.masks, live.tombstones = decode_plan(body)
        live.apply(_known(live, rows), Settlements.none(), 0)
        if not covered:
            # Counted from files that hold hidden rows too.
            live.index.doubt(np.unique(live.masks.ids >> 32).astype(np.int32), 0)
            buried += live.tombstones
    elif sealed:
        journal.damage.append(f"the journal does not know the seal through {sealed}: it is not the one of this lake")
    for record in journal.records(0):
        clock.note(record.sequence, record.time, marked=is_marked(record.kind, record.body))
        if record.sequence > sealed:
            _apply(live, record)
        elif record.sequence > covered:
            if record.kind == ROWS:
                _count(live, decode_rows(record.body)[0])
            else:
                buried.append(decode_tombstone(record.body, record.sequence))
    for tombstone in buried:
        live.doubt(tombstone)
    live.changed()
    return revisions.sequence if revisions.sequence > sealed and not ahead else 0


def replayed(journal: Journal, live: Live, after: int) -> Iterator[tuple[int, ObservationBatch]]:
    """Yield the journaled batches with a sequence above `after`, of Datastreams that the catalog knows.

    Marked commits are left out: their rows came from no instrument.
    """
    for record in journal.records(after):
        if record.kind == ROWS and not is_marked(record.kind, record.body):
            rows = _known(live, decode_rows(record.body)[0])
            if rows.num_rows:
                yield record.sequence, ObservationBatch.from_arrow(full_rows(rows, record.sequence))


def journaled(journal: Journal, live: Live, after: int) -> Iterator[tuple[ObservationBatch, Settlements]]:
    """Yield the batches with a sequence above `after`, marked ones too, each with the flags that it settled."""
    for record in journal.records(after):
        if record.kind == ROWS:
            rows, settled = decode_rows(record.body)
            yield ObservationBatch.from_arrow(full_rows(_known(live, rows), record.sequence)), settled


def _apply(live: Live, record: Record) -> None:
    if record.kind == ROWS:
        rows, settled = decode_rows(record.body)
        live.apply(_known(live, rows), settled, record.sequence)
    else:
        live.bury(decode_tombstone(record.body, record.sequence))


def _has_all(journal: Journal, after: int, through: int) -> bool:
    """Return whether the journal has every record in between; one that was damaged may have lost what the lake has."""
    if after >= through:
        return True
    return (
        sum(1 for _ in takewhile(lambda record: record.sequence <= through, journal.records(after))) == through - after
    )


def _restore_index(
    live: Live, journal: Journal, sealed: int, index: tuple[int, bytes] | None, files: Iterable[LakeFile]
) -> int:
    """Return the sequence up to which counters and extents are right."""
    if index is not None and index[0] >= journal.first - 1 and _has_all(journal, index[0], sealed):
        live.index.merge(index[1])
        return index[0]
    for file in files:
        for group in range(len(file.blocks.rows)):
            _count(live, file.read([group], ["id", "datastream", "phenomenon_time", "duration", "feature"]), water=file)
    return 0


def _count(live: Live, rows: pa.RecordBatch | pa.Table, *, water: LakeFile | None = None) -> None:
    if not rows.num_rows:
        return
    datastream = rows["datastream"].to_numpy()
    time = rows["phenomenon_time"].cast(pa.int64()).to_numpy()
    duration = rows["duration"].to_numpy() if "duration" in rows.schema.names else None
    live.index.saw(datastream, time, rows["id"].to_numpy() & 0xFFFFFFFF, duration)
    if water is None:
        live.coverage.saw(datastream, rows["feature"].to_numpy(), result_times_of(rows), 0, live.samples())
        if "supersedes" in rows.schema.names:
            live.coverage.doubt(np.unique(datastream[np.asarray(rows["supersedes"])]), 0)
    if water is not None and water in live.files:
        real = ~np.isin(rows["feature"].to_numpy(), live.samples())
        np.maximum.at(live.index.newest_water, datastream[real], time[real])
    elif water is not None:
        live.index.doubt(np.unique(datastream), 0)  # what is served no longer gives ids, and no ends


def _known(live: Live, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Leave out rows whose Datastream was never committed to the catalog."""
    if not rows.num_rows:
        return rows
    datastream = rows.column("datastream").to_numpy()
    known = live.index.known
    inside = datastream < len(known)
    keep = inside & known[np.where(inside, datastream, 0)]
    return rows if keep.all() else rows.filter(pa.array(keep))
