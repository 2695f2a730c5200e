"""Calibration records and standard solutions: who compared an instrument with what, when, and what came of it.

A record says what was done and found; it maps nothing. The map from raw result to quantity that it may put into force
is a calibration of its own (`nilometer.calibration.Calibration`), which the record names by id. A record, like a
standard, is never changed: what corrects it is another version, with the number of the first in `first`.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from nilometer.errors import ConfigError

__all__ = [
    "COMPANION_TOLERANCE_S",
    "RENEWING",
    "CalibrationPoint",
    "CalibrationRecord",
    "Interval",
    "RecordKind",
    "StandardSolution",
    "parse_every",
]

COMPANION_TOLERANCE_S: Final = 600.0
"""How old the value of another Datastream may be that a calibration asks for, where nothing else is said."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = re.compile(r"(\d{1,5})\s*(h|d|days?|w|weeks?|months?|y|years?)", re.ASCII)
_ALLOWED = "a whole number of hours, days, weeks, months or years, such as '12 h', '30 d', '3 months', '1 y'"


class RecordKind(StrEnum):
    """What was done: a sample of one kind was read, or the instrument was verified, or it was adjusted."""

    ZERO = "zero"
    SPAN = "span"
    CHECK = "check"
    VERIFICATION = "verification"
    ADJUSTMENT = "adjustment"


RENEWING: Final = (RecordKind.VERIFICATION, RecordKind.ADJUSTMENT)
"""Kinds of records that renew a calibration where nobody names others."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Months and hours; one of them is 0."""

    months: int
    hours: int

    def after(self, time: int) -> int:
        """Return the moment so long after another, µs since 1970 UTC; months by the calendar of UTC.

        Examples
        --------
        >>> january = int(datetime(2024, 1, 31, tzinfo=UTC).timestamp()) * 1_000_000
        >>> datetime.fromtimestamp(parse_every("1 month").after(january) / 1e6, UTC).date().isoformat()
        '2024-02-29'
        """
        if not self.months:
            return time + self.hours * 3_600_000_000
        moment = _EPOCH + timedelta(microseconds=time)
        month = moment.year * 12 + moment.month - 1 + self.months
        year, month = month // 12, month % 12 + 1
        day = min(moment.day, monthrange(year, month)[1])
        return (moment.replace(year=year, month=month, day=day) - _EPOCH) // timedelta(microseconds=1)


def parse_every(text: str, key: str = "every") -> Interval:
    """Return what a text such as ``30 d`` says.

    Parameters
    ----------
    text : str
        Hours, days, weeks, months or years.
    key : str
        Where it stands, for the error.

    Raises
    ------
    ConfigError
        If it is no such length of time, or 0.

    Examples
    --------
    >>> parse_every("2 weeks"), parse_every("1 y")
    (Interval(months=0, hours=336), Interval(months=12, hours=0))
    """
    found = _TEXT.fullmatch(text.strip())
    count = int(found[1]) if found is not None else 0
    if found is None or not 0 < count <= 36_500:
        raise ConfigError(key, seen=text, allowed=_ALLOWED)
    unit = found[2][0] if found[2] != "months" and found[2] != "month" else "months"
    months = {"months": 1, "y": 12}.get(unit, 0) * count
    if months > 1200:
        raise ConfigError(key, seen=text, allowed=_ALLOWED)
    return Interval(months, {"h": 1, "d": 24, "w": 168}.get(unit, 0) * count)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardSolution:
    """A standard solution, or another material with an assigned value, as its certificate has it.

    Parameters
    ----------
    id : int
        Of this version; 0: not yet entered.
    key : str
        Its name in records, a letter first, such as ``ph7-a123``: one bottle or one lot.
    name : str
        For people.
    quantity : str
        Vocabulary key of what it is a standard for; empty: not said.
    value : float
        Assigned value, in `unit` (CF text).
    uncertainty : float or None
        Its standard uncertainty (k = 1) in `unit`; None: not known.
    coverage_factor : float
        The k with which the certificate states the uncertainty; what is kept is divided by it.
    lot, certificate, issued_by : str
        Lot, number of the certificate, and the body that issued it.
    opened, expires : int or None
        µs since 1970 UTC; None: not said. From `expires` on it has expired.
    comment, actor : str
        In words; who entered it.
    entered, sequence : int
        When it was entered, µs since 1970 UTC, and the commit from which on this version holds.
    first : int or None
        The first version, where this is a later one.
    withdrawn : bool
        It should never have been entered.
    """

    key: str
    name: str
    value: float
    unit: str
    quantity: str = ""
    uncertainty: float | None = None
    coverage_factor: float = 1.0
    lot: str = ""
    certificate: str = ""
    issued_by: str = ""
    opened: int | None = None
    expires: int | None = None
    comment: str = ""
    actor: str = ""
    entered: int = 0
    sequence: int = 0
    first: int | None = None
    withdrawn: bool = False
    id: int = 0

    @property
    def root(self) -> int:
        """The id that it keeps through all of its versions: that of the first."""
        return self.id if self.first is None else self.first

    def has_expired(self, time: int) -> bool:
        """Return whether it had expired at a time, µs since 1970 UTC."""
        return self.expires is not None and time >= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPoint:
    """One standard, and what the instrument read of it.

    Parameters
    ----------
    standard : int or None
        The version of the standard solution that was used; None: a reference that is no entity.
    value : float
        What it should have read, in `unit`.
    unit : str
        CF text.
    uncertainty : float or None
        Standard uncertainty (k = 1) of `value`, in `unit`.
    before, after : float or None
        Mean reading before anything was adjusted (as found), and after (as left).
    readings : int or None
        How many readings the mean is of.
    spread : float or None
        Their standard deviation, in the unit of the readings.
    temperature : float or None
        Of the standard, degree_Celsius.
    """

    value: float
    unit: str
    standard: int | None = None
    uncertainty: float | None = None
    before: float | None = None
    after: float | None = None
    readings: int | None = None
    spread: float | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRecord:
    """What was done to an instrument, what was found, and what it puts into force.

    Parameters
    ----------
    id : int
        Of this version; 0: not yet entered.
    kind : RecordKind
        What was done.
    datastream, sensor : int
        The Datastream, and the Sensor behind it at the time.
    time : int
        When it was done, µs since 1970 UTC.
    effective : int
        From when on it tells of the values, µs since 1970 UTC: `valid_from` of the calibration that it puts into
        force, else `time`.
    operator : str
        Who did it.
    points : tuple of CalibrationPoint
        What was read.
    readings : {"result", "raw"}
        Whether readings are in the Datastream's unit, or raw, in its raw unit.
    limit, limit_percent : float or None
        Acceptance limit of a deviation, in the Datastream's unit, and in percent of the assigned value; with both, a
        deviation that meets either is accepted.
    outcome : mapping
        Deviations as found and as left, as `nilometer.calibration.outcome` gives them.
    passed : bool or None
        Every deviation, as left (as found where nothing was read after), is within the limit; None: there is no limit,
        or nothing was read.
    valid_until : int or None
        From then on what was shown no longer holds, µs since 1970 UTC; None: as the Datastream's interval says.
    calibration : int or None
        The calibration that it puts into force.
    expired : tuple of str
        Keys of standards that had expired when they were used.
    accept_expired : str
        Why they were used all the same.
    fit : mapping or None
        How the calibration was fitted from the points, and its residuals.
    attachments : tuple of str
        Where certificates and sheets lie: paths or addresses.
    comment : str
        In words.
    actor, entered, sequence, first, withdrawn
        As `StandardSolution`.
    """

    kind: RecordKind
    datastream: int
    sensor: int
    time: int
    effective: int
    operator: str
    points: tuple[CalibrationPoint, ...] = ()
    readings: str = "result"
    limit: float | None = None
    limit_percent: float | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    passed: bool | None = None
    valid_until: int | None = None
    calibration: int | None = None
    expired: tuple[str, ...] = ()
    accept_expired: str = ""
    fit: Mapping[str, Any] | None = None
    attachments: tuple[str, ...] = ()
    comment: str = ""
    actor: str = ""
    entered: int = 0
    sequence: int = 0
    first: int | None = None
    withdrawn: bool = False
    id: int = 0

    @property
    def root(self) -> int:
        """The id that it keeps through all of its versions: that of the first."""
        return self.id if self.first is None else self.first

    @property
    def is_sound(self) -> bool:
        """It shows that the instrument was right: nothing failed, and no standard had expired."""
        return self.passed is not False and not self.expired
