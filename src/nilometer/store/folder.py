"""The data folder: where its parts lie, which version wrote it, and who holds it.

One process writes a folder. It holds a lock on the file `lock`, which the operating system lets go when the process
dies, and leaves its address there, so that whoever comes second knows whom to ask.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO

from nilometer.errors import SchemaMismatch, StoreLocked
from nilometer.store.disk import DISK, write_durably
from nilometer.store.refusal import refusal

__all__ = [
    "FOLDER_VERSION",
    "RESTORING",
    "SEGMENTS_SINCE",
    "Folder",
    "holder",
    "journal_of",
    "lake_file_of",
    "old_journal_of",
]

RESTORING = "RESTORING"
"""A file that stands in a folder while a backup is restored into it."""

FOLDER_VERSION = 3
"""Raised when an older nilometer could no longer read the folder.

2: the journal is a folder of segments. 3: the plan of a seal says what is hidden in the lake, which has a partition a
year.
"""

SEGMENTS_SINCE = 2
"""Before this version the journal was a SQLite file."""

# Windows locks bytes, not files; this one lies past the text, so that others can still read the address.
_LOCKED_BYTE = 1 << 20


class Folder:
    """A data folder held for writing.

    Parameters
    ----------
    path : Path
        Created when it does not exist.
    address : str
        Where the process that holds it answers, empty when it does not.

    Raises
    ------
    StoreLocked
        If another process, or another store of this one, holds the folder.
    SchemaMismatch
        If a newer version wrote the folder.
    StoreError
        If the folder cannot be made or written.
    """

    def __init__(self, path: Path, *, address: str = "") -> None:
        self.path = Path(path)
        try:
            DISK.make_folder(self.path)
            self._lock = _hold(self.path / "lock", address)
        except OSError as error:
            raise refusal(error, "open the data folder", path=self.path) from error
        try:
            self._check_version()
        except BaseException:
            self.close()
            raise

    @property
    def catalog(self) -> Path:
        """The entities."""
        return self.path / "catalog.sqlite"

    @property
    def journal(self) -> Path:
        """What was acknowledged and is not sealed yet."""
        return journal_of(self.path)

    @property
    def old_journal(self) -> Path:
        """The same, as folder version 1 kept it."""
        return old_journal_of(self.path)

    @property
    def lake(self) -> Path:
        """Where the lake lies that is kept inside."""
        return self.path / "lake"

    @property
    def holds_rows(self) -> bool:
        """Whether rows were ever sealed here, into a lake inside or elsewhere."""
        return (self.lake / "observations").exists() or lake_file_of(self.path).exists()

    @property
    def state(self) -> Path:
        """Snapshots of what the stages remember."""
        return self.path / "state"

    def set_address(self, address: str) -> None:
        """Say where the process that holds the folder answers."""
        _write_holder(self._lock, address)

    def close(self) -> None:
        """Let go of the folder."""
        if not self._lock.closed:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.flush()
            self._lock.close()

    def raise_version(self) -> None:
        """Say that everything is in the form of this version; an older nilometer refuses the folder from now on.

        Raises
        ------
        StoreError
            If VERSION cannot be written; the folder is then still of the older version.
        """
        try:
            write_durably(self.path / "VERSION", f"{FOLDER_VERSION}\n".encode())
        except OSError as error:
            raise refusal(error, "write VERSION", path=self.path) from error
        self.version = FOLDER_VERSION

    def _check_version(self) -> None:
        file = self.path / "VERSION"
        try:
            if not file.exists():
                if (self.path / RESTORING).exists():
                    raise SchemaMismatch(
                        f"{self.path} holds a backup that was not restored to the end: empty it and restore again"
                    )
                if self.catalog.exists() or self.holds_rows:
                    raise SchemaMismatch(
                        f"{self.path} holds data but its file VERSION is missing: put back the one from a backup, "
                        f"or write {FOLDER_VERSION} into it if this version of nilometer made the folder"
                    )
                write_durably(file, f"{FOLDER_VERSION}\n".encode())
            text = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise refusal(error, "read VERSION", path=self.path) from error
        if not text.isdigit():
            raise SchemaMismatch(f"{file} says {text!r}; a version is a whole number, here {FOLDER_VERSION}")
        if int(text) > FOLDER_VERSION:
            raise SchemaMismatch(
                f"{self.path} was written by a newer nilometer (folder version {text}, this one reads up to "
                f"{FOLDER_VERSION}): upgrade nilometer, or open another folder; nothing was changed"
            )
        self.version = int(text)


def journal_of(folder: Path) -> Path:
    """Return where the journal of a folder lies."""
    return folder / "journal"


def lake_file_of(folder: Path) -> Path:
    """Return the file that says where the lake of a folder lies, if not inside."""
    return folder / "LAKE"


def old_journal_of(folder: Path) -> Path:
    """Return where the journal of a folder of version 1 lies."""
    return folder / "journal.sqlite"


def holder(path: Path) -> str:
    """Return the address of the process that holds a folder, empty when it left none."""
    try:
        text = (path / "lock").read_text(encoding="utf-8")
        return str(json.loads(text).get("address", "")) if text.strip() else ""
    except (OSError, ValueError):
        return ""


def _hold(path: Path, address: str) -> IO[bytes]:
    file = path.open("r+b" if path.exists() else "w+b")
    try:
        _lock_file(file)
    except OSError as error:
        file.close()
        found = holder(path.parent)
        where = f" by the server at {found}: send it the request, or stop it first" if found else " by another process"
        raise StoreLocked(f"{path.parent} is held{where}", address=found) from error
    _write_holder(file, address)
    return file


def _write_holder(file: IO[bytes], address: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps({"pid": os.getpid(), "address": address}).encode())
    file.flush()


if sys.platform == "win32":
    import msvcrt

    def _lock_file(file: IO[bytes]) -> None:
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock_file(file: IO[bytes]) -> None:
        # flock, not lockf: it holds against a second store of the same process too.
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
