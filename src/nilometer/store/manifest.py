"""What a backup holds: every file with its size and SHA-256, written last. A backup without it is not whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nilometer.errors import SchemaMismatch, StoreError
from nilometer.store.disk import write_durably
from nilometer.store.folder import FOLDER_VERSION
from nilometer.store.refusal import refusal

__all__ = ["MANIFEST", "Entry", "Manifest", "digest_of"]

MANIFEST = "manifest.json"
BACKUP_VERSION = 1
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a backup: its bytes and their SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup.

    Parameters
    ----------
    version, folder_version : int
        Of the backup's form, and of the data folder it was made of.
    code_version : str
        The nilometer that made it.
    time : int
        When, µs UTC.
    sequence, sealed : int
        The last commit in it, and the last of those that lie in its lake.
    files : mapping of str to Entry
        By path in the backup, with slashes.
    """

    version: int
    folder_version: int
    code_version: str
    time: int
    sequence: int
    sealed: int
    files: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())

    def summary(self, backup: Path) -> dict[str, Any]:
        """Return what is said of it: where it lies, up to which commit, how many files and bytes."""
        return {"backup": str(backup), "sequence": self.sequence, "files": len(self.files), "bytes": self.size}

    def write(self, backup: Path) -> None:
        """Say that the backup is whole; everything else of it is durable already.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        document = asdict(self)
        text = json.dumps(document | {"check": _check(document)}, indent=1)
        try:
            write_durably(backup / MANIFEST, f"{text}\n".encode())
        except OSError as error:
            raise refusal(error, "finish the backup", path=backup) from error

    @classmethod
    def read(cls, backup: Path) -> Manifest:
        """Return what a backup says of itself.

        Raises
        ------
        SchemaMismatch
            If a newer version made it.
        StoreError
            If there is none, or it is damaged.
        """
        file = backup / MANIFEST
        try:
            document = json.loads(file.read_bytes())
            check = document.pop("check")
            version, folder_version = int(document["version"]), int(document["folder_version"])
        except FileNotFoundError as error:
            raise StoreError(
                f"{backup} is no whole backup: its {MANIFEST}, which is written last, is missing; take another one"
            ) from error
        except OSError as error:
            raise refusal(error, "read the backup", path=backup) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{file} is damaged: {error}; take another backup") from error
        if version > BACKUP_VERSION or folder_version > FOLDER_VERSION:
            raise SchemaMismatch(
                f"{backup} was made by a newer nilometer ({document.get('code_version')}): restore it with that one"
            )
        if check != _check(document):
            raise StoreError(f"{file} is damaged: it does not agree with itself; take another backup")
        files = {name: Entry(**entry) for name, entry in document.pop("files").items()}
        return cls(**document, files=files)


def digest_of(path: Path) -> Entry:
    """Return the size and the SHA-256 of a file."""
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sha.update(piece)
            size += len(piece)
    return Entry(size, sha.hexdigest())


def _check(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
