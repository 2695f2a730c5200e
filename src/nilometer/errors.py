"""Every exception nilometer raises, in one tree.

Bad water is data, not an exception: a wild value gets a flag. Exceptions are for broken contracts, and each message
says what failed, the value seen, and what would work::

    NilometerError
    ├── ConfigError            also ValueError: a setting, a name or a file that cannot be used as written
    ├── UnitError              also ValueError: an unknown unit, or one of another dimension
    │   └── PropertyMismatch   same unit, another quantity: NH3-N is not NH4, CODMn is not CODCr
    ├── LinkError              retryable: bytes cannot be moved
    │   └── LinkTimeout
    ├── FrameError             bytes that are not a valid frame
    │   └── ChecksumError
    ├── ReadError              a file that cannot be read as a recording
    ├── CalibrationError
    ├── StoreError
    │   ├── SchemaMismatch     a folder or table of another version
    │   ├── StoreLocked        another process writes to this folder
    │   ├── StoreFull          retryable: no space is left; nothing is lost, nothing more is accepted
    │   ├── StoreUnwritable    retryable: the disk fails or is read-only, or a database is away; the same holds
    │   └── Overloaded         retryable: more arrives than can be made durable
    ├── RequestError           also ValueError: a body or query that cannot be understood, with its place
    │   ├── NotSupported       understood, and not served
    │   ├── TooLarge           a body beyond the limit
    │   ├── Conflict           understood, and what is there stands against it
    │   ├── MethodNotAllowed   a method that this path does not take
    │   ├── WrongMediaType     a body of a kind or an encoding that is not read here
    │   └── NotAuthorized      no token, a wrong one, or a page of another origin
    ├── RateLimited            retryable: one client asks for more than it may; waits as long as it says
    ├── ReviewRefused          a step of a review that the history, or the rows, do not allow
    ├── NotFound               also KeyError: no entity of that id or key
    ├── TrialError             a comparison of which these data allow nothing to be said
    └── StandardNotApplicable  a limit asked of water it was not made for
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

__all__ = [
    "CalibrationError",
    "ChecksumError",
    "ConfigError",
    "Conflict",
    "FrameError",
    "LinkError",
    "LinkTimeout",
    "MethodNotAllowed",
    "NilometerError",
    "NotAuthorized",
    "NotFound",
    "NotSupported",
    "Overloaded",
    "PropertyMismatch",
    "RateLimited",
    "ReadError",
    "RequestError",
    "ReviewRefused",
    "SchemaMismatch",
    "StandardNotApplicable",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreUnwritable",
    "TooLarge",
    "TrialError",
    "UnitError",
    "WrongMediaType",
    "near",
]


def near(seen: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return the known names that most resemble the one seen.

    Parameters
    ----------
    seen : str
        The name somebody wrote.
    known : iterable of str
        The names that exist.
    most : int
        How many names to return at most.

    Returns
    -------
    tuple of str
        Best first; empty when nothing is close.

    Examples
    --------
    >>> near("modbus_tpc", ["hj212", "modbus_tcp", "nmea0183"])
    ('modbus_tcp',)
    """
    names = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(seen.casefold(), names, n=most, cutoff=0.5)
    return tuple(names[name] for name in found)


class NilometerError(Exception):
    """Root of every error of nilometer; `retryable` says whether the same call may work later."""

    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, because constructors take keywords that `Exception.args` does not keep."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[NilometerError], args: tuple[Any, ...], state: dict[str, Any]) -> NilometerError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(NilometerError, ValueError):
    """A setting that cannot be used as written.

    Parameters
    ----------
    key : str
        Where the setting stands, such as ``source[0].driver``.
    seen : object
        The value found there.
    allowed : str or iterable of str
        What would work; from an iterable of names the nearest are named first.
    file : path, optional
        The file that holds it.
    reason : str, optional
        Why the value does not work, when the allowed values do not say it.
    """

    def __init__(
        self,
        key: str,
        *,
        seen: object = None,
        allowed: str | Iterable[str] = (),
        file: Path | str | None = None,
        reason: str = "",
    ) -> None:
        self.key, self.seen, self.file, self.reason = key, seen, file, reason
        self.near: tuple[str, ...] = ()
        if isinstance(allowed, str):
            self.allowed = allowed
        else:
            names = sorted(allowed)
            self.near = near(str(seen), names)
            self.allowed = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
        told = key if seen is None else f"{key} = {seen!r}"
        # What is wrong between several settings stands at none of them.
        told = ": ".join(part for part in (told, reason) if part)
        message = f"{file}: {told}" if file else told
        if self.near:
            message += f"; did you mean {' or '.join(self.near)}?"
        if self.allowed:
            message += f" (allowed: {self.allowed})"
        super().__init__(message)


class UnitError(NilometerError, ValueError):
    """A unit that is unknown, or whose dimension is not the one asked for."""


class PropertyMismatch(UnitError):
    """Two quantities that share a unit and are not the same thing, such as NH3-N and NH4."""


class LinkError(NilometerError):
    """Bytes cannot be moved: refused, cut, unplugged.

    Parameters
    ----------
    message : str
        What failed.
    link : str
        The link, such as ``tcp://127.0.0.1:502``.
    """

    retryable = True

    def __init__(self, message: str, *, link: str = "") -> None:
        self.link = link
        super().__init__(f"{link}: {message}" if link else message)


class LinkTimeout(LinkError):
    """No byte came in time."""


class FrameError(NilometerError):
    """Bytes that are not a valid frame of the protocol.

    Parameters
    ----------
    message : str
        What is wrong.
    frame : bytes
        The bytes.
    offset : int
        Where in the stream, or in the frame where no stream is known, the fault stands.
    """

    def __init__(self, message: str, *, frame: bytes = b"", offset: int = 0) -> None:
        self.frame, self.offset = frame, offset
        super().__init__(message)


class ChecksumError(FrameError):
    """A frame whose check value does not match its bytes."""


class ReadError(NilometerError):
    """A file that cannot be read as a recording.

    Parameters
    ----------
    message : str
        What is wrong and what would work.
    path : path, optional
        The file.
    line : int, optional
        The line, from 1.
    format : str, optional
        The format it was read as.
    """

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        format: str | None = None,  # noqa: A002 -- the attribute's published name
    ) -> None:
        self.path, self.line, self.format = path, line, format
        place = f"{path}" if path is not None else ""
        if line is not None:
            place += f":{line}"
        super().__init__(f"{place}: {message}" if place else message)


class CalibrationError(NilometerError):
    """A calibration that cannot be applied.

    Parameters
    ----------
    message : str
        What is wrong.
    sensor, certificate : str
        Which sensor, and which certificate.
    """

    def __init__(self, message: str, *, sensor: str = "", certificate: str = "") -> None:
        self.sensor, self.certificate = sensor, certificate
        place = " ".join(part for part in (sensor, certificate) if part)
        super().__init__(f"{place}: {message}" if place else message)


class StoreError(NilometerError):
    """The store cannot do what was asked."""


class SchemaMismatch(StoreError):
    """A data folder or table written by another version."""


class StoreLocked(StoreError):
    """Another process writes to this data folder.

    Parameters
    ----------
    message : str
        What holds the folder.
    address : str
        The address of the server that holds it, empty where unknown.
    """

    def __init__(self, message: str, *, address: str = "") -> None:
        self.address = address
        super().__init__(message)


class StoreFull(StoreError):
    """No space is left: nothing acknowledged is lost, and nothing more is accepted until there is room."""

    retryable = True


class StoreUnwritable(StoreError):
    """The disk fails or is read-only, or a database is away: nothing acknowledged is lost, nothing more is accepted."""

    retryable = True


class Overloaded(StoreError):
    """More arrives than can be made durable: send again later."""

    retryable = True


class RateLimited(NilometerError):
    """One client asks for more than its share: ask again after `wait_s` seconds.

    Parameters
    ----------
    message : str
        Which limit, and of whom.
    wait_s : float
        How long, s.
    """

    retryable = True

    def __init__(self, message: str, *, wait_s: float = 1.0) -> None:
        super().__init__(f"{message}; ask again in {wait_s:.1f} s")
        self.wait_s = wait_s


class RequestError(NilometerError, ValueError):
    """A body or a query that cannot be understood.

    Parameters
    ----------
    message : str
        What is wrong and what would work.
    place : str
        Where: a line, a byte, a JSON path or a query option.
    """

    def __init__(self, message: str, *, place: str = "") -> None:
        self.place = place
        super().__init__(f"{place}: {message}" if place else message)


class NotSupported(RequestError):
    """A request that is understood, and that this version does not serve."""


class Conflict(RequestError):
    """A change that is understood, and that what is there stands against."""


class MethodNotAllowed(RequestError):
    """A method that a path does not take, though it leads somewhere; `allowed` are those it takes."""

    def __init__(self, message: str, *, place: str = "", allowed: str = "") -> None:
        self.allowed = allowed
        super().__init__(message, place=place)


class TooLarge(RequestError):
    """A body beyond the limit."""


class WrongMediaType(RequestError):
    """A body of a media type or a content encoding that is not read here."""


class NotAuthorized(RequestError):
    """No token, a wrong one, or a request that a page of another origin made."""


class ReviewRefused(NilometerError):
    """A step of a review that the history, or the rows as they are, do not allow.

    Parameters
    ----------
    message : str
        What stands against it and what would work.
    place : str
        Which member of the step.
    """

    def __init__(self, message: str, *, place: str = "") -> None:
        self.place = place
        super().__init__(f"{place}: {message}" if place else message)


class NotFound(NilometerError, KeyError):
    """No entity of that id or key."""

    def __str__(self) -> str:
        """Return the message bare: `KeyError` would quote it."""
        return str(self.args[0]) if self.args else ""


class TrialError(NilometerError):
    """A comparison of which the data allow nothing to be said.

    Parameters
    ----------
    message : str
        What is missing and what would work.
    candidate, reference : str
        Which comparison.
    """

    def __init__(self, message: str, *, candidate: str = "", reference: str = "") -> None:
        self.candidate, self.reference = candidate, reference
        place = f"{candidate} beside {reference}" if candidate and reference else candidate or reference
        super().__init__(f"{place}: {message}" if place else message)


class StandardNotApplicable(NilometerError):
    """A limit was asked of water it was not made for."""
