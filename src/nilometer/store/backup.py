"""A backup of a data folder that goes on being written: a state that a crash at one moment would have left.

First the Parquet files of the lake, which never change, while everything goes on. Then, with seals held back: what
came to the lake meanwhile, the stages' states, and *the cut*, a moment between two commits at which the catalog is
frozen and the journal's sequence noted; the journal up to it; the catalog as it was then. Commits wait for the cut
alone. The manifest is written when everything else is durable: without it a backup is not whole.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from nilometer import __version__
from nilometer.errors import Overloaded, RequestError, StoreError, StoreFull, StoreUnwritable
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.catalog_copy import Frozen
from nilometer.store.disk import sync_folder
from nilometer.store.folder import FOLDER_VERSION, Folder
from nilometer.store.journal import Journal
from nilometer.store.journal_copy import copy_journal
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_place import FolderPlace
from nilometer.store.manifest import BACKUP_VERSION, Entry, Manifest, digest_of
from nilometer.store.refusal import refusal

__all__ = ["CATALOG", "CONFIGURATION", "JOURNAL", "LAKE", "Backup", "Source"]

CATALOG, JOURNAL, LAKE, STATE = "catalog.sqlite", "journal.records", "lake", "state"
CONFIGURATION = ("nilometer.toml", "profiles")
"""What somebody wrote beside the data."""

_OTHER_DISK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Source:
    """What is copied, as the store holds it.

    Parameters
    ----------
    folder : Folder
        Held by this process.
    observations, revisions : LakeTable
        The lake.
    journal : Journal
        Open.
    sealing, committing : context manager
        While one is held no seal, no commit goes on.
    freeze : callable
        Returns the catalog as it is at that moment.
    mark : callable
        Commits nothing, for a moment that `as_of` tells from others.
    now : callable
        The present, µs UTC.
    step : callable
        Told of every step; tests put a crash there.
    backing : lock
        Held while a backup is made: one at a time.
    """

    folder: Folder
    observations: LakeTable
    revisions: LakeTable
    journal: Journal
    sealing: threading.Lock
    committing: threading.Lock
    freeze: Callable[[], Frozen]
    mark: Callable[[], int]
    now: Callable[[], int]
    step: Callable[[str], None]
    backing: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Backup:
    """One backup in the making.

    Parameters
    ----------
    target : Path
        Absent, or an empty folder.
    link : bool
        Link the files of the lake where the target lies on the same disk; they never change.
    """

    target: Path
    link: bool = True
    _files: dict[str, Entry] = field(default_factory=dict)

    def write(self, source: Source) -> Manifest:
        """Write it and return what it holds; commits and reads go on meanwhile, seals wait.

        Raises
        ------
        RequestError
            If the target is not empty, or lies in the data folder.
        Overloaded
            If another backup is under way.
        StoreError
            If something cannot be read or written; what was made of it until then has no manifest.
        """
        if not source.backing.acquire(blocking=False):
            raise Overloaded("another backup of this folder is under way; wait for it")
        try:
            self._prepare(source.folder.path)
            # A full disk is no reason to make no backup.
            with suppress(StoreFull, StoreUnwritable):
                source.mark()
            return self._write(source)
        except OSError as error:
            raise refusal(error, "write the backup", path=self.target) from error
        finally:
            source.backing.release()

    def _write(self, source: Source) -> Manifest:
        tables = ((source.observations, OBSERVATION), (source.revisions, REVISION))
        for table, _ in tables:
            self._copy_lake(table, may_vanish=True)
        source.step("backup.lake")
        with source.sealing:
            for table, schema in tables:
                self._copy_lake(table)
                self._log(table, schema)
            source.step("backup.log")
            for file in sorted(source.folder.state.glob("*.state")):
                self._copy(file, f"{STATE}/{file.name}")
            self._copy_configuration(source.folder.path)
            source.step("backup.state")
            with source.committing:
                through, catalog = source.journal.sequence, source.freeze()
            try:
                sealed = source.observations.sequence
                copy_journal(source.journal, self.target / JOURNAL, through=through, sealed=sealed)
                source.step("backup.journal")
            except BaseException:
                catalog.close()
                raise
        try:
            catalog.copy(self.target / CATALOG)
        finally:
            catalog.close()
        source.step("backup.catalog")
        self._take_in()
        manifest = Manifest(
            version=BACKUP_VERSION,
            folder_version=FOLDER_VERSION,
            code_version=__version__,
            time=source.now(),
            sequence=through,
            sealed=sealed,
            files=self._files,
        )
        source.step("backup.durable")
        manifest.write(self.target)
        source.step("backup.manifest")
        return manifest

    def _prepare(self, folder: Path) -> None:
        target = self.target = self.target.resolve()
        if target.is_relative_to(folder.resolve()):
            raise RequestError(
                f"{target} lies in the data folder: name a place outside, best on another disk", place="to"
            )
        try:
            target.mkdir(parents=True, exist_ok=True)
            if any(target.iterdir()):
                raise RequestError(f"{target} is not empty: name a new folder for every backup", place="to")
            (target / STATE).mkdir()
        except OSError as error:
            raise refusal(error, "make the backup's folder", path=target) from error

    def _copy_lake(self, table: LakeTable, *, may_vanish: bool = False) -> None:
        for file in table.files:
            name = f"{LAKE}/{table.place.name}/{file.path}"
            if name in self._files:
                continue
            try:
                self._place(file, name)
            except FileNotFoundError as error:
                if not may_vanish:
                    raise StoreError(
                        f"{table.place.at(file.path)} is missing: the folder is damaged, and no backup was made; "
                        "see nilometer doctor"
                    ) from error
                continue  # it left the table while others were copied
            if self._files[name].size != file.size:
                raise StoreError(
                    f"{table.place.at(file.path)} has {self._files[name].size} bytes in place of {file.size}: the "
                    "folder is damaged, and no backup was made; see nilometer doctor"
                )

    def _log(self, table: LakeTable, schema: pa.Schema) -> None:
        """Write a Delta log of the files as they are now, and leave out what came and went while they were copied."""
        root = self.target / LAKE / table.place.name
        known = {f"{LAKE}/{table.place.name}/{file.path}" for file in table.files}
        for name in [name for name in self._files if name.startswith(f"{LAKE}/{table.place.name}/")]:
            if name not in known:
                (self.target / name).unlink()
                del self._files[name]
        place = FolderPlace(root)
        copied = LakeTable(place, schema)
        if table.sequence:
            copied.commit(
                [replace(file, place=place) for file in table.files], [], table.sequence, forgotten=table.forgotten
            )

    def _copy_configuration(self, folder: Path) -> None:
        for name in CONFIGURATION:
            place = folder / name
            files = [place] if place.is_file() else sorted(place.rglob("*")) if place.is_dir() else []
            for file in files:
                if file.is_file():
                    self._copy(file, file.relative_to(folder).as_posix())

    def _place(self, file: LakeFile, name: str) -> None:
        place, lake = self.target / name, file.place
        place.parent.mkdir(parents=True, exist_ok=True)
        if self.link and not lake.is_remote:
            try:
                os.link(lake.at(file.path), place)
            except OSError as error:
                if error.errno not in _OTHER_DISK:
                    raise
                self.link = False
            else:
                self._files[name] = digest_of(place)
                return
        lake.fetch(file.path, place, file.size)
        _sync(place)
        self._files[name] = digest_of(place)
        if not lake.is_remote and digest_of(Path(lake.at(file.path))) != self._files[name]:
            raise StoreError(
                f"{lake.at(file.path)} was copied to {place} with other bytes; no backup was made: look at the disk"
            )

    def _copy(self, file: Path, name: str) -> None:
        place = self.target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
        _sync(place)
        self._files[name] = digest_of(place)

    def _take_in(self) -> None:
        """Note and sync what was written here, and every folder."""
        for file in sorted(self.target.rglob("*")):
            name = file.relative_to(self.target).as_posix()
            if file.is_file() and name not in self._files:
                _sync(file)
                self._files[name] = digest_of(file)
        for folder in [self.target, *(item for item in self.target.rglob("*") if item.is_dir())]:
            sync_folder(folder)
        sync_folder(self.target.parent)


def _sync(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
