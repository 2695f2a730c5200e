"""From what SQLite, the lake or the file system refuses to the error a caller can act on."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from nilometer.errors import StoreError, StoreFull

__all__ = ["refusal"]

_FULL_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS = ("no space left", "disk quota", "file too large", "storagefull", "disk is full", "os error 28")
# A write, sync or grow that the disk refused: SQLite rolls back, and the same call may be made again.
_REFUSED_WRITES = frozenset(
    {
        "SQLITE_FULL",
        "SQLITE_IOERR_WRITE",
        "SQLITE_IOERR_FSYNC",
        "SQLITE_IOERR_DIR_FSYNC",
        "SQLITE_IOERR_TRUNCATE",
        "SQLITE_IOERR_SHMSIZE",
        "SQLITE_IOERR_SHMMAP",
        "SQLITE_IOERR_COMMIT_ATOMIC",
    }
)
_READ_ONLY_ERRNO = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def refusal(error: BaseException, doing: str, *, path: Path | str | None = None) -> StoreError:
    """Return the StoreError that says why something could not be stored; the caller raises it `from` the cause.

    Parameters
    ----------
    error : exception
        From sqlite3, SQLAlchemy, pyarrow, deltalake or the operating system.
    doing : str
        What was tried, as words after "could not".
    path : path, optional
        Where.

    Returns
    -------
    StoreError
        StoreFull when the disk took no more; it is retryable and nothing was changed.
    """
    if isinstance(error, StoreError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    place = f" in {path}" if path else ""
    if _is_full(cause):
        return StoreFull(f"could not {doing}{place}: the disk is full ({cause}); free space, then send again")
    if _is_read_only(cause):
        return StoreError(f"could not {doing}{place}: it is read-only ({cause}); give this user the right to write")
    return StoreError(f"could not {doing}{place}: {cause}")


def _is_full(cause: BaseException) -> bool:
    name = getattr(cause, "sqlite_errorname", "") if isinstance(cause, sqlite3.Error) else ""
    if name in _REFUSED_WRITES or (isinstance(cause, OSError) and cause.errno in _FULL_ERRNO):
        return True
    return any(word in str(cause).casefold() for word in _FULL_WORDS)


def _is_read_only(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return str(getattr(cause, "sqlite_errorname", "")).startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))
    return isinstance(cause, OSError) and cause.errno in _READ_ONLY_ERRNO
