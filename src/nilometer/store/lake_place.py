"""Where the files of one table of the lake lie; here, a folder of this machine.

`LakePlace` is what the lake asks of a place; `lake_object_store` has the other kind. Parquet files are written once,
whole, and never changed; what the Delta log calls a file is its path below the place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Protocol

from nilometer.store.disk import DISK, Disk

__all__ = ["FolderPlace", "LakePlace", "Lying"]


class Lying(NamedTuple):
    """A Parquet file that lies at a place, whether the table speaks of it or not.

    Parameters
    ----------
    size : int
        Bytes.
    written : float
        When, s since 1970.
    """

    size: int
    written: float


class LakePlace(Protocol):
    """What holds the files of one Delta table. Every call may raise OSError.

    Attributes
    ----------
    name : str
        Of the table: ``observations`` or ``revisions``.
    uri : str
        What deltalake opens.
    options : dict of str to str, optional
        And with what.
    is_remote : bool
        Whether every look at it is a journey.
    """

    name: str
    uri: str
    options: dict[str, str] | None
    is_remote: bool

    def at(self, path: str) -> str:
        """Return what a person is told of where a file is."""
        ...

    def has_table(self) -> bool:
        """Return whether there is a Delta table."""
        ...

    def prepare(self) -> None:
        """Get ready for a table that is to be made."""
        ...

    def reading(self, path: str, size: int) -> AbstractContextManager[Any]:
        """Open a file of so many bytes for pyarrow to read; FileNotFoundError, then or later, if it is not there."""
        ...

    def create(self, path: str) -> Any:  # noqa: ANN401 -- a file of Python or of pyarrow
        """Begin a file, and return what its bytes are written to; `finish` it, or close and `remove` it."""
        ...

    def finish(self, sink: Any) -> int:  # noqa: ANN401
        """Make the bytes of a file that was begun durable, close it, and return how many they are."""
        ...

    def remove(self, path: str) -> None:
        """Delete a file; it need not be there."""
        ...

    def move(self, old: str, new: str) -> None:
        """Give a file that no table speaks of another name."""
        ...

    def copy(self, old: str, new: str) -> None:
        """Write a file once more, durably."""
        ...

    def fetch(self, path: str, target: Path, size: int) -> None:
        """Write a file of the place to one of this machine."""
        ...

    def files(self) -> dict[str, Lying]:
        """Return all Parquet files, those of no table too."""
        ...

    def settle(self, paths: Iterable[str]) -> None:
        """Make the names of files durable, before a log speaks of them."""
        ...

    def settle_log(self, version: int) -> None:
        """Make a version of the log durable."""
        ...

    def log(self) -> Iterator[tuple[float, str]]:
        """Yield when each commit of the log was written, s since 1970, and what it says; the newest first."""
        ...


class FolderPlace:
    """A folder.

    Parameters
    ----------
    root : Path
        Made when a table is.
    disk : Disk
        What makes names durable.
    """

    options: dict[str, str] | None = None
    is_remote = False

    def __init__(self, root: Path, disk: Disk = DISK) -> None:
        self.root, self._disk = root, disk
        self.name, self.uri = root.name, str(root)

    def __str__(self) -> str:
        return str(self.root)

    def at(self, path: str) -> str:
        """Return the path."""
        return str(self.root / path)

    def has_table(self) -> bool:
        """Return whether there is a log."""
        return (self.root / "_delta_log").is_dir()

    def prepare(self) -> None:
        """Make the folder."""
        self._disk.make_folder(self.root)

    @contextmanager
    def reading(self, path: str, size: int) -> Iterator[Any]:
        """Give the path: pyarrow maps the file into memory."""
        yield self.root / path

    def create(self, path: str) -> Any:  # noqa: ANN401 -- a file of Python
        """Open a new file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        return (self.root / path).open("wb")

    def finish(self, sink: Any) -> int:  # noqa: ANN401 -- a file of Python
        """Sync it."""
        sink.flush()
        size: int = sink.tell()
        os.fsync(sink.fileno())
        sink.close()
        return size

    def remove(self, path: str) -> None:
        """Unlink it."""
        (self.root / path).unlink(missing_ok=True)

    def move(self, old: str, new: str) -> None:
        """Rename it."""
        self._disk.rename(self.root / old, self.root / new)

    def copy(self, old: str, new: str) -> None:
        """Copy and sync it."""
        shutil.copyfile(self.root / old, self.root / new)
        with (self.root / new).open("rb+") as opened:
            os.fsync(opened.fileno())

    def fetch(self, path: str, target: Path, size: int) -> None:
        """Copy it."""
        shutil.copyfile(self.root / path, target)

    def files(self) -> dict[str, Lying]:
        """Return the Parquet files of all partitions."""
        found = {}
        for path in self.root.glob("*/*.parquet"):
            try:
                known = path.stat()
            except FileNotFoundError:
                continue  # swept meanwhile
            found[path.relative_to(self.root).as_posix()] = Lying(known.st_size, known.st_mtime)
        return found

    def settle(self, paths: Iterable[str]) -> None:
        """Sync the folders of the files, and this one, in which one of them may be new."""
        folders = {self.root / PurePosixPath(path).parent for path in paths}
        for folder in sorted(folders | {self.root}):
            self._disk.sync_folder(folder)

    def settle_log(self, version: int) -> None:
        """Sync the commit, and its name; of a new table the log's own too."""
        log = self.root / "_delta_log"
        with (log / f"{version:020}.json").open("rb+") as file:
            os.fsync(file.fileno())
        self._disk.sync_folder(log)
        if version == 0:
            self._disk.sync_folder(self.root)

    def log(self) -> Iterator[tuple[float, str]]:
        """Read the files of the log."""
        for file in sorted((self.root / "_delta_log").glob("*.json"), reverse=True):
            yield file.stat().st_mtime, file.read_text(encoding="utf-8")
