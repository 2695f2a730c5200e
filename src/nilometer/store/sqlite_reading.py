"""A SQLite file read without changing one byte of its folder, whoever else writes it or died writing it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

__all__ = ["read_only"]


@contextmanager
def read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection to a database in WAL mode that writes nothing.

    Raises
    ------
    sqlite3.Error
        If it cannot be read.
    """
    log, index = (file.with_name(file.name + suffix) for suffix in ("-wal", "-shm"))
    if not log.exists() or not log.stat().st_size:
        # Nobody writes it: as it lies there is all there is.
        with _opened(file, "immutable=1") as connection:
            yield connection
    elif index.exists():
        # In use, or left by a process that was killed: the index is read, never mended.
        with _opened(file, "mode=ro&readonly_shm=1") as connection:
            yield connection
    else:
        # A log without an index would get one: let the copy have it.
        with tempfile.TemporaryDirectory(prefix="nilometer-") as place:
            for part in (file, log):
                shutil.copyfile(part, Path(place) / part.name)
            with _opened(Path(place) / file.name, "mode=ro") as connection:
                yield connection


@contextmanager
def _opened(file: Path, how: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{quote(str(file.resolve()))}?{how}", uri=True, timeout=10)
    try:
        yield connection
    finally:
        connection.close()
