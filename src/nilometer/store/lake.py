"""One Delta table of the lake: the list of its files, and commits that happen once.

The Parquet files are written and synced here; the Delta log only ever sees whole files come and go in one commit, with
the journal sequence that it reaches as an application transaction. `optimize` is never called: in deltalake 1.6 two
concurrent ones duplicate rows. `file_uris()` of the table is always what a plain Parquet reader may read.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from nilometer.errors import StoreError
from nilometer.store.disk import DISK, Disk
from nilometer.store.lake_file import LakeFile
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

_COUNTED = ("id", "datastream", "feature", "phenomenon_time", "duration", "result_quality", "provenance", "commit")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LakeTable:
    """A Delta table partitioned by year.

    Parameters
    ----------
    root : Path
        Its folder, made when it does not exist.
    schema : pyarrow.Schema
        OBSERVATION or REVISION.
    disk : Disk
        What makes names durable.

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

    def __init__(self, root: Path, schema: pa.Schema, disk: Disk = DISK) -> None:
        self.root, self.schema, self._disk = root, schema, disk
        self._partitioned = schema.append(pa.field("year", pa.string(), nullable=False))
        self._gone: dict[Path, float] = {}
        try:
            if (root / "_delta_log").is_dir():
                self._table = DeltaTable(str(root))
            else:
                disk.make_folder(root)
                self._table = DeltaTable.create(
                    str(root),
                    self._partitioned,
                    partition_by=["year"],
                    configuration={"delta.logRetentionDuration": "interval 7 days"},
                )
                self._sync_log()
                disk.sync_folder(root)
            self._learn()
            self.files = tuple(self._load())
        except (DeltaError, OSError) as error:
            raise refusal(error, "open the lake", path=root) from error

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
        if sequence is not None and sequence <= self.sequence:
            raise StoreError(f"{self.root} has already reached sequence {self.sequence}, not again {sequence}")
        gone = set(removed)
        if not gone <= set(self.files):
            # What takes their place is in the table already, in other files: every row would be there twice.
            strangers = ", ".join(sorted(file.path for file in gone - set(self.files)))
            raise StoreError(f"{self.root} has no {strangers} to take out; nothing was changed")
        number = self.compactions + 1
        reached = [Transaction(COMPACTION, number) if sequence is None else Transaction(APPLICATION, sequence)]
        reached += [Transaction(FORGOTTEN, forgotten)] if forgotten else []
        actions = [_add(file) for file in added] + [_remove(file) for file in removed]
        try:
            # The table's own folder too: one of these may be new in it, and its name is lost with all below otherwise.
            for folder in sorted({(self.root / file.path).parent for file in added} | {self.root}):
                self._disk.sync_folder(folder)
            self._table.create_write_transaction(
                actions,
                "append",
                self._partitioned,
                ["year"],
                commit_properties=CommitProperties(app_transactions=reached, max_commit_retries=0),
            )
            self._table.update_incremental()
            self._learn()
            self._sync_log()
        except (DeltaError, OSError) as error:
            if not self._arrived(sequence, number):
                raise refusal(error, "commit to the lake", path=self.root) from error
        self.files = (*(file for file in self.files if file not in gone), *added)
        now = time.time()
        self._gone |= {self.root / file.path: now for file in removed}

    def sweep(self, *, keep_s: float = KEPT_S) -> int:
        """Delete files that left the table long enough ago for every reader to have let go of them; return how many.

        So go files that no commit speaks of: a crash came between a file and its commit.
        """
        limit = time.time() - keep_s
        due = [path for path, moment in self._gone.items() if moment <= limit]
        for path in due:
            path.unlink(missing_ok=True)
            del self._gone[path]
        return len(due)

    def find_gone(self) -> None:
        """Find the files that lie there and are not in the table, and since when; after a start nobody knows."""
        known = {self.root / file.path for file in self.files}
        stray = {path: path.stat().st_mtime for path in self.root.glob("year=*/*.parquet") if path not in known}
        # One of which the log says nothing is as old as it says itself.
        self._gone = stray | self._removed(dict(stray))

    def _removed(self, wanted: dict[Path, float]) -> dict[Path, float]:
        """Return when files left the table, s since 1970; no further back than one of them was written."""
        found = {}
        for file in sorted((self.root / "_delta_log").glob("*.json"), reverse=True):
            if not wanted or file.stat().st_mtime < min(wanted.values()):
                break
            for line in file.read_text(encoding="utf-8").splitlines():
                removed = json.loads(line).get("remove")
                path = None if removed is None else self.root / unquote(removed["path"])
                if path in wanted:
                    found[path] = removed["deletionTimestamp"] / 1000
                    del wanted[path]
        return found

    def numbered(self, file: LakeFile, prefix: str) -> LakeFile:
        """Return a file of this folder under a name that begins with a prefix; one that is in the table stays there.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        old = self.root / file.path
        if old.name.startswith(prefix):
            return file
        new = old.with_name(f"{prefix}{uuid.uuid4().hex}.parquet")
        if file in self.files:
            shutil.copyfile(old, new)
            with new.open("rb+") as opened:
                os.fsync(opened.fileno())
        else:
            self._disk.rename(old, new)
        return replace(file, path=new.relative_to(self.root).as_posix(), _lock=threading.Lock())

    def _arrived(self, sequence: int | None, number: int) -> bool:
        # An error after the commit was written (a hook, a sync) is no failure of the commit.
        try:
            self._table = DeltaTable(str(self.root))
            self._learn()
        except (DeltaError, OSError):
            return False
        return self.compactions >= number if sequence is None else self.sequence >= sequence

    def _learn(self) -> None:
        """Note what the log says: other threads ask while one commits."""
        names = (APPLICATION, COMPACTION, FORGOTTEN)
        self.sequence, self.compactions, self.forgotten = (
            int(self._table.transaction_version(name) or 0) for name in names
        )

    def _sync_log(self) -> None:
        log = self.root / "_delta_log"
        with (log / f"{self._table.version():020}.json").open("rb+") as file:
            os.fsync(file.fileno())
        self._disk.sync_folder(log)

    def _load(self) -> Iterable[LakeFile]:
        actions = pa.table(self._table.get_add_actions(flatten=True))
        for row in actions.to_pylist():
            least = {name: row.get(f"min.{name}") for name in _COUNTED}
            most = {name: row.get(f"max.{name}") for name in _COUNTED}
            rows = int(row["num_records"])
            yield LakeFile(
                root=self.root,
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
