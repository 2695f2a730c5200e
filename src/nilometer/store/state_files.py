"""What the stages remember, as of a journal sequence: one checked file a name, replaced at once."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from nilometer.errors import StoreError
from nilometer.store.disk import DISK, write_durably
from nilometer.store.refusal import refusal

__all__ = ["StateFiles"]

_HEAD = struct.Struct("<8sqI")
_MAGIC = b"NILSTATE"


class StateFiles:
    """Named snapshots in a folder.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            DISK.make_folder(folder)
        except OSError as error:
            raise refusal(error, "make the folder of states", path=folder) from error

    def save(self, name: str, sequence: int, state: bytes) -> None:
        """Replace a snapshot, durably.

        Raises
        ------
        StoreError
            If it cannot be written; the old one stays.
        """
        head = _HEAD.pack(_MAGIC, sequence, zlib.crc32(state))
        try:
            write_durably(self._path(name), head + state)
        except OSError as error:
            raise refusal(error, f"save the state of {name}", path=self._folder) from error

    def load(self, name: str) -> tuple[int, bytes] | None:
        """Return a snapshot with its sequence; None when there is none or it is damaged."""
        try:
            content = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise refusal(error, f"read the state of {name}", path=self._folder) from error
        if len(content) < _HEAD.size:
            return None
        magic, sequence, known = _HEAD.unpack_from(content)
        state = content[_HEAD.size :]
        return (sequence, state) if magic == _MAGIC and zlib.crc32(state) == known else None

    def sequences(self) -> dict[str, int]:
        """Return the sequence of every snapshot by name."""
        found = {}
        for path in self._folder.glob("*.state"):
            with path.open("rb") as file:
                head = file.read(_HEAD.size)
            if len(head) == _HEAD.size:
                found[path.stem] = int(_HEAD.unpack(head)[1])
        return found

    def _path(self, name: str) -> Path:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise StoreError(f"a state's name is letters, digits, - and _, not {name!r}")
        return self._folder / f"{name}.state"
