"""From what SQLite, the lake or the file system refuses to the error a caller can act on."""

from __future__ import annotations

import errno
import re
import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from nilometer.errors import StoreError, StoreFull, StoreUnwritable

__all__ = ["is_far", "reason", "refusal"]

_FULL_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS = ("no space left", "disk quota", "file too large", "storagefull", "disk is full", "os error 28")
# Classes of SQLSTATE after which the same call may work: connection, rollback, resources, operator, read-only.
_PASSING_STATES = ("08", "25006", "40", "53", "55", "57", "58")
_READ_ONLY_ERRNO = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_READ_ONLY_WORDS = ("read-only", "os error 30", "permission denied", "os error 13", "readonly database")
_FAILING_ERRNO = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ETIMEDOUT})
_FAILING_WORDS = ("input/output error", "os error 5)", "stale file handle")
# What the client of an object store calls every failure of its own, in the words of its library.
_FAR_WORDS = (
    "generic s3 error",
    "generic gcs error",
    "generic microsoftazure error",
    "generic http",
    "error performing",
)
# Its paint for a terminal, and the frame of its causes.
_PAINT = re.compile("\\x1b\\[[0-9;]*m|↳|│")
# What SQLite calls the refused writes of a full disk, beside the word for it: its cause is lost on the way, and these
# are what a full file system gives where the space is asked for late.
_FULL_WRITES = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMMAP"})


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
        StoreFull when the disk took no more; StoreUnwritable when it fails or is read-only, or a database or an object
        store does not answer. Both are retryable, and nothing was changed.
    """
    if isinstance(error, StoreError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    place = f" in {path}" if path else ""
    if _is_full(cause):
        return StoreFull(f"could not {doing}{place}: the disk is full ({cause}); free space, then send again")
    passing = _passing(error, cause)
    if passing:
        return StoreUnwritable(f"could not {doing}{place}: {passing}")
    return StoreError(f"could not {doing}{place}: {_line(cause)}")


def _passing(error: BaseException, cause: BaseException) -> str:
    """Return what is wrong where the same call may work later; empty where it will not."""
    if isinstance(error, DBAPIError) and not isinstance(cause, sqlite3.Error):
        # What a server says of its own disk and rights is nothing about ours.
        return f"the database takes nothing at present ({_line(cause)})" if _is_away(error, cause) else ""
    if is_far(cause):
        return f"the object store does not do what it is asked for ({_line(cause)[:400]}); it will be tried again"
    if _is(cause, "SQLITE_READONLY", "SQLITE_CANTOPEN", _READ_ONLY_ERRNO, _READ_ONLY_WORDS):
        return f"it is read-only ({cause}); make it writable for this user, then send again"
    if _is(cause, "SQLITE_IOERR", "SQLITE_IOERR", _FAILING_ERRNO, _FAILING_WORDS):
        return f"the disk fails ({cause}); look at the system's log, then send again"
    return ""


def is_far(cause: BaseException) -> bool:
    """Return whether a failure is that of an object store, which may answer the next time."""
    return not isinstance(cause, FileNotFoundError) and any(word in str(cause).casefold() for word in _FAR_WORDS)


def _is_full(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error) and _name(cause) in _FULL_WRITES:
        return True
    if isinstance(cause, OSError) and cause.errno is not None:
        return cause.errno in _FULL_ERRNO
    return any(word in str(cause).casefold() for word in _FULL_WORDS)


def _is(cause: BaseException, name: str, other: str, numbers: frozenset[int], words: tuple[str, ...]) -> bool:
    if isinstance(cause, sqlite3.Error) and _name(cause):
        return _name(cause).startswith((name, other))
    if isinstance(cause, OSError) and cause.errno is not None:
        return cause.errno in numbers
    return any(word in str(cause).casefold() for word in words)


def _name(cause: sqlite3.Error) -> str:
    return str(getattr(cause, "sqlite_errorname", "") or "")


def _is_away(error: DBAPIError, cause: BaseException) -> bool:
    state = getattr(cause, "sqlstate", None)
    if error.connection_invalidated or state is None:
        # Without a state no server answered: refused, timed out, or cut.
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return str(state).startswith(_PASSING_STATES)


def _line(cause: BaseException) -> str:
    return " ".join(_PAINT.sub(" ", str(cause)).split())


def reason(error: Exception) -> str:
    """Return what an operator is told of a failure in the background; one that nobody has thought of has its class."""
    return str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
