"""Files that stand ready to become segments: written through once, so that a later sync moves nothing but the record.

A file system notes every block that a file gets, and that its zeros have been written over; a sync then waits for that
note too. Blocks that were written before have it behind them. So a spare is filled with zeros beside the writer, and a
segment whose records have all been dropped becomes a spare again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from nilometer.store.disk import Disk

__all__ = ["Spares", "in_background", "not_at_all"]

KEPT = 3
"""As many segments as a seal lets go of at full speed; more would only take room."""

_PREFIX, _UNDER_WAY = "spare-", "unready-"
_ZEROS = bytes(1 << 20)
_SYNCED_AT_ONCE = 8 << 20


def in_background(action: Callable[[], None]) -> threading.Thread | None:
    """Do something in a thread of its own."""
    thread = threading.Thread(target=action, name="nilometer-journal-spare", daemon=True)
    thread.start()
    return thread


def not_at_all(_action: Callable[[], None]) -> None:
    """Leave it undone: a journal that is copied in one go needs no spare file."""


class Spares:
    """The spare files of one journal.

    Parameters
    ----------
    folder : Path
        The journal's.
    disk : Disk
        What it lies on.
    start : callable
        Has something done, at once or in a thread that it returns.
    """

    def __init__(
        self, folder: Path, disk: Disk, start: Callable[[Callable[[], None]], threading.Thread | None] = in_background
    ) -> None:
        self._folder, self._disk, self._start = folder, disk, start
        self._lock = threading.Lock()
        self._ready: list[tuple[int, Path]] = []
        self._thread: threading.Thread | None = None
        self._is_making = self._is_closed = False

    def find(self) -> None:
        """Take what an earlier process left: whole ones are used, half ones deleted."""
        for name in self._disk.names(self._folder):
            path = self._folder / name
            if name.startswith(_UNDER_WAY):
                self._disk.unlink(path)
            elif name.startswith(_PREFIX):
                file = self._disk.open(path)
                try:
                    self._keep(self._disk.size(file), path)
                finally:
                    self._disk.close(file)

    def __len__(self) -> int:
        return len(self._ready)

    def take(self, length: int) -> tuple[int, Path] | None:
        """Return the largest that has room for so many bytes, which is then the caller's; None: there is none."""
        with self._lock:
            if not self._ready or self._ready[-1][0] < length:
                return None
            return self._ready.pop()

    def give(self, path: Path, size: int, *, wanted: int) -> None:
        """Make a file a spare, or delete it where enough are ready or it is much smaller than what is wanted."""
        with self._lock:
            is_welcome = len(self._ready) < KEPT and size * 2 >= wanted
        if is_welcome:
            spare = self._new(_PREFIX)
            self._disk.rename(path, spare)
            # Before it is written over, no file of the old name may come back.
            self._disk.sync_folder(self._folder)
            self._keep(size, spare)
        else:
            self._disk.unlink(path)
            self._disk.sync_folder(self._folder)

    def give_back(self, place: Path, size: int, *, name: str, spare: bool) -> bool:
        """Take a file again that could not become a segment, or delete one that was no spare.

        Parameters
        ----------
        place, size : Path, int
            The file.
        name : str
            The name that it was to have.
        spare : bool
            Whether it was a spare.

        Returns
        -------
        bool
            Whether nothing has the new name.
        """
        try:
            if name in self._disk.names(self._folder):
                return False
            if spare:
                self._keep(size, place)
            else:
                self._disk.unlink(place)
        except OSError:
            return False
        return True

    def prepare(self, size: int) -> None:
        """Have one made of so many bytes, unless one is ready or being made."""
        with self._lock:
            if self._ready or self._is_making or self._is_closed:
                return
            self._is_making = True
        self._thread = self._start(lambda: self._make(size))

    def close(self) -> None:
        """Wait for what is being made, which ends early."""
        self._is_closed = True
        if self._thread is not None:
            self._thread.join()

    def _keep(self, size: int, path: Path) -> None:
        with self._lock:
            self._ready.append((size, path))
            self._ready.sort()

    def _new(self, prefix: str) -> Path:
        return self._folder / f"{prefix}{secrets.token_hex(6)}"

    def _make(self, size: int) -> None:
        beside, path = self._new(_UNDER_WAY), self._new(_PREFIX)
        try:
            if self._fill(beside, size):
                self._disk.rename(beside, path)
                self._disk.sync_folder(self._folder)
                self._keep(size, path)
            else:
                self._disk.unlink(beside)
        except OSError:
            # No room for a spare is no fault: records are then written to a file that grows, as long as it can.
            self._forget(beside)
        finally:
            self._is_making = False

    def _fill(self, path: Path, size: int) -> bool:
        file = self._disk.open(path, create=True)
        try:
            for at in range(0, size, len(_ZEROS)):
                self._disk.write(file, [memoryview(_ZEROS)[: size - at]], at)
                # In steps: one great flush would hold up the syncs of the journal beside it.
                if (at + len(_ZEROS)) % _SYNCED_AT_ONCE == 0 or at + len(_ZEROS) >= size:
                    self._disk.sync(file)
                if self._is_closed:
                    return False
        finally:
            self._disk.close(file)
        return True

    def _forget(self, path: Path) -> None:
        try:
            self._disk.unlink(path)
        except OSError:
            return
