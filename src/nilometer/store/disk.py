"""What the store asks of a file system, each call saying what it makes durable.

Every byte of the journal goes through a `Disk`, so that a test can put one in its place that loses what a power cut may
lose, or refuses what a full or a failing one refuses. Three rules of POSIX are behind the calls: what was written is
durable after `sync`; a name is durable after `sync_folder` of its folder, whatever was synced of the file; and after a
`sync` that failed nobody knows what is on the platter, and a second one that succeeds proves nothing.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["DISK", "Disk", "ReadingDisk", "SyncedLater", "sync_folder", "write_durably"]

_MOST_PARTS = 512
_PLAIN = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS = os.O_RDWR | _PLAIN


class Disk:
    """The file system of this machine. Every call raises OSError when it is refused."""

    def open(self, path: Path, *, create: bool = False) -> int:
        """Open a file to read and write; with `create` it must not exist yet."""
        return os.open(path, _FLAGS | (os.O_CREAT | os.O_EXCL if create else 0), 0o644)

    def close(self, file: int) -> None:
        """Close it; that makes nothing durable."""
        os.close(file)

    def size(self, file: int) -> int:
        """Return how many bytes it holds."""
        return os.fstat(file).st_size

    def read(self, file: int, length: int, at: int) -> bytes:
        """Return up to so many bytes from a place; fewer only at the end of the file."""
        parts, wanted = [], length
        while wanted:
            part = _read(file, wanted, at)
            if not part:
                break
            parts.append(part)
            at, wanted = at + len(part), wanted - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, file: int, parts: Sequence[bytes | memoryview], at: int) -> None:
        """Write all parts one behind the other from a place; refused, some of it may have been written."""
        waiting = [memoryview(part).cast("B") for part in parts if len(part)]
        while waiting:
            done = _write(file, waiting, at)
            if not done:
                raise OSError(errno.EIO, "the disk took no byte")
            at += done
            while waiting and done >= len(waiting[0]):
                done -= len(waiting.pop(0))
            if done:
                waiting[0] = waiting[0][done:]

    def sync(self, file: int) -> None:
        """Make what was written, and the size, durable. Refused, it may not be tried again on the same bytes."""
        _sync(file)

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted."""
        return sorted(path.name for path in folder.iterdir())

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it, durably; one that is there is left."""
        if path.is_dir():
            return
        self.make_folder(path.parent)
        path.mkdir(exist_ok=True)
        self.sync_folder(path.parent)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in place of whatever had it; durable after `sync_folder`."""
        old.replace(new)

    def unlink(self, path: Path) -> None:
        """Delete a file; durable after `sync_folder`."""
        path.unlink(missing_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable; Windows has no such call and needs none."""
        if sys.platform == "win32":
            return
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def write_whole(self, path: Path, content: bytes) -> None:
        """Replace a file at once: after a crash it holds the old bytes or the new ones, nothing between."""
        beside = path.with_name(path.name + ".new")
        self.unlink(beside)
        file = self.open(beside, create=True)
        try:
            self.write(file, [content], 0)
            self.sync(file)
        finally:
            self.close(file)
        self.rename(beside, path)
        self.sync_folder(path.parent)

    def read_whole(self, path: Path) -> bytes | None:
        """Return what a file holds; None: there is none."""
        try:
            file = self.open(path)
        except FileNotFoundError:
            return None
        try:
            return self.read(file, self.size(file), 0)
        finally:
            self.close(file)


class SyncedLater(Disk):
    """Writes a folder that nobody reads before it is whole: first everything, then one sync of each file."""

    def sync(self, file: int) -> None:
        """Leave it to `settle`."""

    def sync_folder(self, path: Path) -> None:
        """Leave it to `settle`."""

    def settle(self, folder: Path) -> None:
        """Make all files of a folder durable, and their names in it."""
        for path in sorted(folder.iterdir()):
            file = DISK.open(path)
            try:
                DISK.sync(file)
            finally:
                DISK.close(file)
        DISK.sync_folder(folder)


class ReadingDisk(Disk):
    """Reads what somebody else may write; what would change anything is refused by the system."""

    def open(self, path: Path, *, create: bool = False) -> int:
        """Open a file to read; none is made."""
        if create:
            raise OSError(errno.EROFS, "only read here", str(path))
        return os.open(path, os.O_RDONLY | _PLAIN)

    def rename(self, old: Path, new: Path) -> None:
        """Refuse it."""
        raise OSError(errno.EROFS, f"only read here, and not renamed to {new}", str(old))

    def unlink(self, path: Path) -> None:
        """Refuse it."""
        raise OSError(errno.EROFS, "only read here", str(path))


if hasattr(os, "pread"):

    def _read(file: int, length: int, at: int) -> bytes:
        return os.pread(file, length, at)
else:  # Windows; the journal reads and writes a file under one lock

    def _read(file: int, length: int, at: int) -> bytes:
        os.lseek(file, at, os.SEEK_SET)
        return os.read(file, length)


if hasattr(os, "pwritev"):

    def _write(file: int, parts: Sequence[memoryview], at: int) -> int:
        return os.pwritev(file, parts[:_MOST_PARTS], at)
else:

    def _write(file: int, parts: Sequence[memoryview], at: int) -> int:
        os.lseek(file, at, os.SEEK_SET)
        return os.write(file, parts[0])


if sys.platform == "darwin":
    import fcntl

    def _sync(file: int) -> None:
        # fsync there leaves the bytes in the drive's own cache.
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
else:
    _sync = getattr(os, "fdatasync", os.fsync)

DISK = Disk()
"""The one that is used where no other is given."""


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    DISK.sync_folder(path)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file at once: after a crash it holds the old bytes or the new ones, nothing between."""
    DISK.write_whole(path, content)
