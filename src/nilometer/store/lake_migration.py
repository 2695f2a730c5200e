"""The lake of folder version 2, a partition a month, written anew as one of this version, a partition a year.

::

    lake/observations          a partition a month      ──▶  lake/observations.new     year by year, a commit each; then
                                                             one with the journal sequence: it is whole
    lake/observations          ──▶  lake/observations.v2
    lake/observations.new      ──▶  lake/observations         both tables; then VERSION; then the old ones are deleted

The old table is only read. Cut short, it goes on with the years that are not there; nothing is counted twice, for each
year comes whole in one commit. The names change only when the new table holds as many rows as the old one.
"""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from nilometer.errors import StoreError
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.disk import DISK
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_place import FolderPlace
from nilometer.store.merge import merge
from nilometer.store.refusal import refusal

__all__ = ["complete_names", "forget_old_lake", "migrate_lake"]

_log = logging.getLogger(__name__)


def complete_names(lake: Path) -> None:
    """Give a new table its name where a crash came between the two names; before anything is looked for.

    Raises
    ------
    StoreError
        If the disk refuses.
    """
    for name in ("observations", "revisions"):
        root, new, old = _places(lake, name)
        if not root.exists() and new.is_dir() and old.is_dir():
            _rename(new, root)


def migrate_lake(lake: Path) -> None:
    """Bring both tables into the form of this version; nothing is done where they are in it.

    Raises
    ------
    StoreFull, StoreUnwritable
        If the disk refuses; the folder is as it was, and the next start goes on.
    StoreError
        If the old lake cannot be read.
    """
    for name, schema in (("observations", OBSERVATION), ("revisions", REVISION)):
        root, new, old = _places(lake, name)
        if (root / "_delta_log").is_dir() and _is_monthly(root):
            _log.warning("%s is written anew, a partition a year: a minute or so for each 50 million rows", root)
            _write(LakeTable(FolderPlace(root), schema), LakeTable(FolderPlace(new), schema))
            _rename(root, old)
            _rename(new, root)


def forget_old_lake(lake: Path) -> None:
    """Delete what the tables were before, once no older nilometer opens the folder any more."""
    for name in ("observations", "revisions"):
        root, _, old = _places(lake, name)
        if old.is_dir() and (root / "_delta_log").is_dir():
            shutil.rmtree(old, ignore_errors=True)


def _write(old: LakeTable, new: LakeTable) -> None:
    for path in new.place.files().keys() - {file.path for file in new.files}:
        new.place.remove(path)  # of a year that was cut short
    years: dict[str, list[LakeFile]] = defaultdict(list)
    for file in old.files:
        years[file.year[:4]].append(file)
    done = {file.year for file in new.files}
    for year, files in sorted(years.items()):
        if year not in done:
            new.commit(merge(new, files, year=year, pause=_go_on, told=_tell_nobody), [], None)
    rows, expected = (sum(file.rows for file in table.files) for table in (new, old))
    if rows != expected:
        raise StoreError(
            f"{new.place} has {rows} rows in place of {expected}: delete it and start again; {old.place} is as it was"
        )
    if old.sequence > new.sequence:
        new.commit([], [], old.sequence)


def _is_monthly(root: Path) -> bool:
    try:
        return list(DeltaTable(str(root)).metadata().partition_columns) == ["month"]
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise refusal(error, "open the lake", path=root) from error


def _places(lake: Path, name: str) -> tuple[Path, Path, Path]:
    return lake / name, lake / f"{name}.new", lake / f"{name}.v2"


def _rename(old: Path, new: Path) -> None:
    try:
        DISK.rename(old, new)
        DISK.sync_folder(new.parent)
    except OSError as error:
        raise refusal(error, "give the lake its name", path=new) from error


def _go_on() -> None:
    """Give way to nobody: nothing else goes on yet."""


def _tell_nobody(_rows: int) -> None:
    """Tell nobody how far it is."""
