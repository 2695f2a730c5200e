"""Open a CAN database: a DBC file, in the encoding that its writer had."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from nilometer.acquisition.protocols.can_dbc import CanDatabase, database_of
from nilometer.errors import ReadError

__all__ = ["load"]

MOST_BYTES = 64 * 1024 * 1024


def load(path: str | PathLike[str]) -> CanDatabase:
    """Return the database of a DBC file; UTF-8, or else Windows-1252, in which degree signs are written.

    Raises
    ------
    ReadError
        If the file cannot be read, or is no DBC.
    ConfigError
        If cantools is not installed.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ReadError("too large for a DBC database", path=file, format="dbc")
        data = file.read_bytes()
    except OSError as error:
        raise ReadError(f"cannot be opened: {error.strerror}", path=file, format="dbc") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return database_of(text, file)
