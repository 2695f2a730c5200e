"""Which files of a watched folder are there, new or changed, and complete; and what becomes of them afterwards.

The folder is listed again and again. Notifications of the file system are not used: they do not come over network
shares, differ by system, and are lost when there are many; a listing is the same everywhere.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Complete", "DropFolder", "FoundFile", "Refusals", "Stamp", "destination"]

Complete = Literal["stable", "renamed", "marker", "grows"]
Stamp = tuple[int, int]
"""Size in bytes and time of change in ns: what tells one content from another without reading it."""
Refusals = Literal["sidecar", "move", "state"]

MOST_FILES = 100_000
SIDECAR = ".refused.txt"
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~", SIDECAR)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may be read now, and its stamp when it was seen."""

    path: Path
    stamp: Stamp


@dataclass(slots=True)
class DropFolder:
    """A folder that instruments write to.

    Parameters
    ----------
    path : Path
        The folder.
    patterns : tuple of str
        Which names are taken, such as ``*.csv``.
    recursive : bool
        Its folders as well.
    complete : {"stable", "renamed", "marker", "grows"}
        When a file is complete: unchanged for `stable_s`; at once; when a file of its name and `marker` is there;
        never, it is read as far as it goes.
    stable_s : float
        s.
    marker : str
        The ending, such as ``.done``.
    aside : tuple of Path
        Folders that are not looked into.
    """

    path: Path
    patterns: tuple[str, ...] = ("*",)
    recursive: bool = False
    complete: Complete = "stable"
    stable_s: float = 10.0
    marker: str = ".done"
    aside: tuple[Path, ...] = ()
    _seen: dict[Path, tuple[Stamp, float]] = field(default_factory=dict)
    _done: dict[Path, Stamp] = field(default_factory=dict)

    def ready(self, now_s: float) -> list[FoundFile]:
        """Return the files to be read now, the longest unchanged first.

        Parameters
        ----------
        now_s : float
            A clock that never jumps, s.

        Raises
        ------
        OSError
            If the folder cannot be listed.
        """
        listed = dict(self._listed())
        self._seen = {
            path: self._seen[path] if path in self._seen and self._seen[path][0] == stamp else (stamp, now_s)
            for path, stamp in listed.items()
        }
        self._done = {path: stamp for path, stamp in self._done.items() if path in listed}
        found = [
            FoundFile(path, stamp)
            for path, (stamp, since_s) in self._seen.items()
            if self._done.get(path) != stamp and self._is_complete(path, now_s - since_s)
        ]
        return sorted(found, key=lambda file: (file.stamp[1], file.path.name))

    def take(self, file: FoundFile) -> None:
        """Note that a file needs no more reading until it changes."""
        self._done[file.path] = file.stamp

    def is_unchanged(self, file: FoundFile) -> bool:
        """Return whether a file is still what was found."""
        try:
            return _stamp(file.path.stat()) == file.stamp
        except OSError:
            return False

    def _is_complete(self, path: Path, quiet_s: float) -> bool:
        match self.complete:
            case "stable":
                return quiet_s >= self.stable_s
            case "marker":
                return path.with_name(path.name + self.marker).exists()
        return True

    def _listed(self) -> Iterator[tuple[Path, Stamp]]:
        count = 0
        pending = [self.path]
        while pending and count < MOST_FILES:
            folder = pending.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                if folder == self.path:
                    raise
                continue
            for entry in entries:
                path = Path(entry.path)
                # A link may lead anywhere, and who may write here is not always a friend.
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                if entry.is_dir():
                    if self.recursive and path not in self.aside:
                        pending.append(path)
                elif self._is_wanted(entry.name):
                    try:
                        yield path, _stamp(entry.stat())
                    except OSError:
                        continue  # It went away meanwhile.
                    count += 1

    def _is_wanted(self, name: str) -> bool:
        if name.lower().endswith(_UNFINISHED) or (self.complete == "marker" and name.endswith(self.marker)):
            return False
        return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in self.patterns)


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_size, stat.st_mtime_ns


def destination(path: Path, folder: Path) -> Path:
    """Move a file into a folder, which is made where needed, under a name that nothing has there; return where it is.

    Raises
    ------
    OSError
        If it cannot be moved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, number = folder / path.name, 2
    while target.exists():
        target, number = folder / f"{path.stem}.{number}{path.suffix}", number + 1
    shutil.move(path, target)
    return target
