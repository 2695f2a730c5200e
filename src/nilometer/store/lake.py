"""One Delta table of the lake: the list of its files, and commits that happen once.

The Parquet files are written and synced here; the Delta log only ever sees whole files come and go in one commit, with
the journal sequence that it reaches as an application transaction. `optimize` is never called: in deltalake 1.6 two
concurrent ones duplicate rows. `file_uris()` of the table is always what a plain Parquet reader may read.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from nilometer.errors import StoreError, StoreUnwritable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_place import LakePlace
from nilometer.store.refusal import refusal

__all__ = ["KEPT_S", "LakeTable"]

APPLICATION = "nilometer"
"""The id of our application transactions; their version is the journal sequence that the table has reached."""

FORGOTTEN = "nilometer-forgotten"
"""The same of revisions that were deleted for good: up to which commit."""

COMPACTION = "nilometer-compact"
"""The same of merges, which bring and take no row: they are counted."""

KEPT_S = 3600.0
"""How long a file lies there after it left the table, s."""

_COMMIT = "nilometer-commit"
"""By which a commit of ours is known in the log."""

_COUNTED = ("id", "datastream", "feature", "phenomenon_time", "duration", "result_quality", "provenance", "commit")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Doubt(NamedTuple):
    """A commit that was begun; what it is to do is known to be done, or not, when it has ended."""

    token: str
    version: int
    added: tuple[LakeFile, ...]
    removed: tuple[LakeFile, ...]


class LakeTable:
    """A Delta table partitioned by year.

    Parameters
    ----------
    place : LakePlace
        Where it lies; it is made when there is none.
    schema : pyarrow.Schema
        OBSERVATION or REVISION.
    owner : str
        Whose lake it is, written into a table that is made.

    Attributes
    ----------
    files : tuple of LakeFile
        Those of the table now.
    sequence : int
        The journal sequence that the table has reached.
    compactions : int
        How many commits there were that reached no new sequence.
    forgotten : int
        The commit up to which rows that had ended may be gone for good; 0: none are.

    Raises
    ------
    StoreError
        If the table cannot be opened or made.
    """

    sequence: int
    compactions: int
    forgotten: int

    def __init__(self, place: LakePlace, schema: pa.Schema, *, owner: str = "") -> None:
        self.place, self.schema = place, schema
        self._partitioned = schema.append(pa.field("year", pa.string(), nullable=False))
        self._gone: dict[str, float] = {}
        self._doubt: _Doubt | None = None
        self._late: set[LakeFile] = set()
        try:
            if place.has_table():
                self._table = DeltaTable(place.uri, storage_options=place.options)
            else:
                place.prepare()
                self._table = DeltaTable.create(
                    place.uri,
                    self._partitioned,
                    description=owner or None,
                    partition_by=["year"],
                    configuration={"delta.logRetentionDuration": "interval 7 days"},
                    storage_options=place.options,
                )
                place.settle_log(self._table.version())
            self._learn()
            self.files = tuple(self._load())
        except (DeltaError, OSError) as error:
            raise refusal(error, "open the lake", path=str(place)) from error

    def commit(
        self, added: Sequence[LakeFile], removed: Sequence[LakeFile], sequence: int | None, *, forgotten: int = 0
    ) -> None:
        """Exchange files, at once or not at all.

        Parameters
        ----------
        added, removed : sequence of LakeFile
            Files that exist and belong to the table from now on, and files that belong to it no longer.
        sequence : int, optional
            The journal sequence that the table reaches; None: it has been reached, or no row comes or goes (a merge).
        forgotten : int
            What `forgotten` is from now on; 0: as before.

        Raises
        ------
        StoreFull
            If the disk takes no more; nothing was changed.
        StoreError
            If the sequence was reached before, a file to be removed is not in the table, or the table cannot be
            written; nothing was changed.
        """
        self.find_out()
        if sequence is not None and sequence <= self.sequence:
            raise StoreError(f"{self.place} has already reached sequence {self.sequence}, not again {sequence}")
        strangers = set(removed) - set(self.files)
        if strangers:
            # What takes their place is in the table already, in other files: every row would be there twice.
            named = ", ".join(sorted(file.path for file in strangers))
            raise StoreError(f"{self.place} has no {named} to take out; nothing was changed")
        number = self.compactions + 1
        reached = [Transaction(COMPACTION, number) if sequence is None else Transaction(APPLICATION, sequence)]
        reached += [Transaction(FORGOTTEN, forgotten)] if forgotten else []
        actions = [_add(file) for file in added] + [_remove(file) for file in removed]
        self._doubt = doubt = _Doubt(uuid.uuid4().hex, self._table.version(), tuple(added), tuple(removed))
        try:
            self.place.settle(file.path for file in added)
            self._table.create_write_transaction(
                actions,
                "append",
                self._partitioned,
                ["year"],
                commit_properties=CommitProperties(
                    custom_metadata={_COMMIT: doubt.token}, app_transactions=reached, max_commit_retries=0
                ),
            )
            self._table.update_incremental()
            self._learn()
            self.place.settle_log(self._table.version())
        except (DeltaError, OSError) as error:
            failed = refusal(error, "commit to the lake", path=str(self.place))
            # An error after the commit was written (a hook, a sync, an answer that was lost) is no failure of it.
            try:
                has_arrived = self.find_out()
            except StoreUnwritable:
                raise failed from error
            if not has_arrived:
                raise failed from error
        else:
            self._exchange(doubt)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last commit failed in a way that tells nobody whether it has arrived."""
        return self._doubt is not None

    def find_out(self) -> bool:
        """Look whether the last commit has arrived though it failed; return it, False where it did not fail.

        Raises
        ------
        StoreUnwritable
            If the lake does not answer; it is in doubt still.
        StoreError
            If somebody else has written to the lake.
        """
        doubt = self._doubt
        if doubt is None:
            return False
        try:
            fresh = DeltaTable(self.place.uri, storage_options=self.place.options)
            newer = fresh.version() - doubt.version
            since = [text for _, text in islice(self.place.log(), newer)]
        except (DeltaError, OSError) as error:
            raise refusal(error, "find out what the lake holds", path=str(self.place)) from error
        has_arrived = any(doubt.token in text for text in since)
        if newer > has_arrived:
            raise StoreError(
                f"{self.place} was written by another process since this one opened it: two folders name one lake, or "
                "a folder was copied; stop the other one, and start this one again; what is not in the lake is in the "
                "journal still"
            )
        if has_arrived:
            self._table = fresh
            self._learn()
            self._exchange(doubt)
        elif self.place.is_remote:
            self._late |= set(doubt.added)
        self._doubt = None
        return has_arrived

    def discard(self, files: Iterable[LakeFile]) -> None:
        """Remove files of which no table speaks; one of which nobody knows whether it does is left.

        A commit that went through a network may be carried out after it was given up. The next one then finds its
        version taken and is refused, and the next start finds every file that the log names.
        """
        known = {*self.files, *self._late, *(self._doubt.added if self._doubt is not None else ())}
        for file in files:
            if file not in known:
                file.discard()

    def _exchange(self, done: _Doubt) -> None:
        self.files = (*(file for file in self.files if file not in set(done.removed)), *done.added)
        self._gone |= dict.fromkeys((file.path for file in done.removed), time.time())
        self._doubt = None

    def sweep(self, *, keep_s: float = KEPT_S) -> int:
        """Delete files that left the table long enough ago for every reader to have let go of them; return how many.

        So go files that no commit speaks of: a crash came between a file and its commit.
        """
        limit = time.time() - keep_s
        due = [path for path, moment in self._gone.items() if moment <= limit]
        for path in due:
            self.place.remove(path)
            del self._gone[path]
        return len(due)

    def find_gone(self) -> None:
        """Find the files that lie there and are not in the table, and since when; after a start nobody knows."""
        known = {file.path for file in self.files}
        stray = {path: lying.written for path, lying in self.place.files().items() if path not in known}
        # One of which the log says nothing is as old as it says itself.
        self._gone = stray | self._removed(dict(stray))

    def _removed(self, wanted: dict[str, float]) -> dict[str, float]:
        """Return when files left the table, s since 1970; no further back than one of them was written."""
        found: dict[str, float] = {}
        if not wanted:
            return found
        for written, text in self.place.log():
            if not wanted or written < min(wanted.values()):
                break
            for line in text.splitlines():
                removed = json.loads(line).get("remove")
                path = None if removed is None else unquote(removed["path"])
                if path in wanted:
                    found[path] = removed["deletionTimestamp"] / 1000
                    del wanted[path]
        return found

    def numbered(self, file: LakeFile, prefix: str) -> LakeFile:
        """Return a file that lies here under a name that begins with a prefix; one that is in the table stays there.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        old = PurePosixPath(file.path)
        if old.name.startswith(prefix):
            return file
        new = old.with_name(f"{prefix}{uuid.uuid4().hex}.parquet").as_posix()
        if file in self.files:
            self.place.copy(file.path, new)
        else:
            self.place.move(file.path, new)
        return replace(file, path=new, _lock=threading.Lock())

    def _learn(self) -> None:
        """Note what the log says: other threads ask while one commits."""
        names = (APPLICATION, COMPACTION, FORGOTTEN)
        self.sequence, self.compactions, self.forgotten = (
            int(self._table.transaction_version(name) or 0) for name in names
        )

    def _load(self) -> Iterable[LakeFile]:
        actions = pa.table(self._table.get_add_actions(flatten=True))
        for row in actions.to_pylist():
            least = {name: row.get(f"min.{name}") for name in _COUNTED}
            most = {name: row.get(f"max.{name}") for name in _COUNTED}
            rows = int(row["num_records"])
            yield LakeFile(
                place=self.place,
                path=row["path"],
                # Folder version 2 had a partition a month.
                year=row.get("partition.year") or row["partition.month"],
                size=int(row["size_bytes"]),
                rows=rows,
                first=_number(least["datastream"]),
                last=_number(most["datastream"]),
                earliest=_number(least["phenomenon_time"]),
                latest=_number(most["phenomenon_time"]),
                absent=frozenset(name for name in self.schema.names if row.get(f"null_count.{name}") == rows),
                constant={
                    name: _number(value) for name, value in least.items() if value in {most[name], None} - {None}
                },
            )


def _add(file: LakeFile) -> AddAction:
    least = {"datastream": file.first, "phenomenon_time": _text(file.earliest)}
    most = {"datastream": file.last, "phenomenon_time": _text(file.latest)}
    for name, value in file.constant.items():
        if name not in least:
            least[name] = most[name] = value
    stats = {
        "numRecords": file.rows,
        "minValues": least,
        "maxValues": most,
        "nullCount": dict.fromkeys(sorted(file.absent), file.rows),
    }
    return AddAction(
        file.path, file.size, {"year": file.year}, int(time.time() * 1000), data_change=True, stats=json.dumps(stats)
    )


def _remove(file: LakeFile) -> RemoveAction:
    return RemoveAction(
        path=file.path,
        data_change=True,
        deletion_timestamp=int(time.time() * 1000),
        partition_values={"year": file.year},
        size=file.size,
    )


def _text(moment: int) -> str:
    return f"{np.datetime64(moment, 'us')}Z"


def _number(value: object) -> int:
    if isinstance(value, datetime):
        return int((value - _EPOCH) / timedelta(microseconds=1))
    return int(value) if isinstance(value, int) else 0
