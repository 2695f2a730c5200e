"""A data folder out of a backup: every file is checked against the manifest while it is copied.

The folder's VERSION is written last, and a file `RESTORING` stands in it until then: what was not finished does not
open.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from nilometer.errors import ConfigError, StoreError
from nilometer.store.backup import CATALOG, JOURNAL
from nilometer.store.catalog_copy import fill_database
from nilometer.store.catalog_database import catalog_address
from nilometer.store.disk import sync_folder, write_durably
from nilometer.store.folder import FOLDER_VERSION, RESTORING, journal_of
from nilometer.store.journal_copy import put_back
from nilometer.store.manifest import Entry, Manifest, digest_of
from nilometer.store.refusal import refusal

__all__ = ["check_backup", "restore_backup"]

_PIECE = 1 << 20


def check_backup(backup: Path, told: Callable[[str], None] = lambda _name: None) -> Manifest:
    """Read a backup whole, and return what it holds.

    Parameters
    ----------
    backup : Path
        Where it lies.
    told : callable
        Told of each file that was read.

    Raises
    ------
    StoreError
        If a file is missing or damaged, or the backup is not whole.
    """
    manifest = Manifest.read(backup)
    for name, entry in manifest.files.items():
        _check(backup, name, entry, _entry_of(backup, name))
        told(name)
    return manifest


def restore_backup(
    backup: Path,
    folder: Path,
    *,
    catalog_url: str | None = None,
    step: Callable[[str], None] = lambda _name: None,
    told: Callable[[str], None] = lambda _name: None,
) -> Manifest:
    """Make a data folder out of a backup, and return what it holds.

    Parameters
    ----------
    backup : Path
        Where it lies; it is only read.
    folder : Path
        Absent, or an empty folder.
    catalog_url : str, optional
        An empty database for the catalog; None: in the folder.
    step, told : callable
        Told of every step, and of each file.

    Raises
    ------
    ConfigError
        If the folder is not empty, or the URL cannot be used.
    SchemaMismatch
        If a newer version made the backup.
    StoreError
        If a file is missing or damaged, or something cannot be written. Nothing is left of the folder then.
    """
    manifest = Manifest.read(backup)
    if catalog_url is not None:
        catalog_address(catalog_url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError("--data", seen=str(folder), reason="this folder is not empty; name a new one")
        write_durably(folder / RESTORING, f"from {backup}\n".encode())
    except OSError as error:
        raise refusal(error, "make the data folder", path=folder) from error
    try:
        _fill(backup, folder, manifest, catalog_url, step, told)
    except OSError as error:
        _empty(folder)
        raise refusal(error, f"restore {backup}", path=folder) from error
    except BaseException:
        _empty(folder)
        raise
    return manifest


def _fill(
    backup: Path,
    folder: Path,
    manifest: Manifest,
    catalog_url: str | None,
    step: Callable[[str], None],
    told: Callable[[str], None],
) -> None:
    for name, entry in manifest.files.items():
        if name == JOURNAL:
            _check(backup, name, entry, _entry_of(backup, name))
        else:
            _check(backup, name, entry, _copied(backup / name, folder / _inside(name)))
        told(name)
    step("restore.files")
    last = put_back(backup / JOURNAL, journal_of(folder))
    if last != manifest.sequence:
        raise StoreError(f"the journal of {backup} ends at {last}, not at {manifest.sequence}; take another backup")
    step("restore.journal")
    if catalog_url is not None:
        # From the copy: opening it may bring it up to date, and a backup is only read.
        fill_database(folder / CATALOG, catalog_url)
        for suffix in ("", "-wal", "-shm"):
            (folder / f"{CATALOG}{suffix}").unlink(missing_ok=True)
        step("restore.catalog")
    for place in [*(item for item in folder.rglob("*") if item.is_dir()), folder]:
        sync_folder(place)
    # The journal was written in the form of this version, whatever the one of the folder was.
    write_durably(folder / "VERSION", f"{FOLDER_VERSION}\n".encode())
    step("restore.version")
    (folder / RESTORING).unlink()
    sync_folder(folder)


def _inside(name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise StoreError(f"the backup names a file outside of itself: {name!r}")
    return Path(path)


def _entry_of(backup: Path, name: str) -> Entry:
    try:
        return digest_of(backup / _inside(name))
    except FileNotFoundError as error:
        raise StoreError(f"{backup} is damaged: {name} is missing; nothing was restored") from error
    except OSError as error:
        raise refusal(error, "read the backup", path=backup / name) from error


def _copied(file: Path, place: Path) -> Entry:
    """Copy a file, durably, and return what was read."""
    sha, size = hashlib.sha256(), 0
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        source = file.open("rb")
    except FileNotFoundError as error:
        raise StoreError(f"the backup is damaged: {file} is missing; nothing was restored") from error
    with source, place.open("xb") as out:
        while piece := source.read(_PIECE):
            sha.update(piece)
            size += len(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    shutil.copymode(file, place)
    return Entry(size, sha.hexdigest())


def _check(backup: Path, name: str, expected: Entry, found: Entry) -> None:
    if found != expected:
        what = f"{found.size} bytes in place of {expected.size}" if found.size != expected.size else "other bytes"
        raise StoreError(f"{backup} is damaged: {name} has {what}; nothing was restored")


def _empty(folder: Path) -> None:
    """Take away what was made: the folder was empty before."""
    for item in folder.iterdir():
        if item.name != RESTORING:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    (folder / RESTORING).unlink(missing_ok=True)
