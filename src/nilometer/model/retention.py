"""How long the rows of a Datastream are kept: a length of time by the calendar, and from when on it has passed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nilometer.errors import ConfigError

__all__ = ["FOREVER", "Retention", "parse_retention"]

FOREVER = "forever"
"""What takes a retention back."""

_ALLOWED = f"a whole number of years, months or days, such as '5 y', '18 months', '90 d', or {FOREVER!r}"
_TEXT = re.compile(r"(\d{1,5})\s*(y|years?|months?|d|days?)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Retention:
    """Months and days; one of them is 0."""

    months: int
    days: int

    def horizon(self, now: int, time_zone: str) -> int:
        """Return the moment, µs since 1970 UTC, before which rows are no longer kept: the start of a local day.

        Parameters
        ----------
        now : int
            µs since 1970 UTC.
        time_zone : str
            Of the Thing; whole days of it go.

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> leap = int(datetime(2024, 2, 29, 12, tzinfo=timezone.utc).timestamp()) * 1_000_000
        >>> datetime.fromtimestamp(parse_retention("5 y").horizon(leap, "UTC") / 1e6, timezone.utc).date().isoformat()
        '2019-02-28'
        """
        zone = ZoneInfo(time_zone)
        today = (_EPOCH + timedelta(microseconds=now)).astimezone(zone).date()
        month = today.year * 12 + today.month - 1 - self.months
        if month < 24:  # before there was a calendar
            return (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
        first = date(month // 12, month % 12 + 1, 1)
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        day = min(today.day, (following - first).days)
        oldest = first + timedelta(days=day - 1 - self.days)
        return (datetime.combine(oldest, time(), zone) - _EPOCH) // timedelta(microseconds=1)


def parse_retention(text: str, key: str = "retention") -> Retention | None:
    """Return what a text such as ``5 y`` says; None: for ever.

    Parameters
    ----------
    text : str
        Years, months or days.
    key : str
        Where it stands, for the error.

    Raises
    ------
    ConfigError
        If it is no length of at least a day.

    Examples
    --------
    >>> parse_retention("5 y"), parse_retention("90 days"), parse_retention("forever")
    (Retention(months=60, days=0), Retention(months=0, days=90), None)
    """
    if text == FOREVER:
        return None
    found = _TEXT.fullmatch(text.strip())
    count = int(found[1]) if found is not None else 0
    if found is None or not count:
        raise ConfigError(key, seen=text, allowed=_ALLOWED)
    if found[2].startswith("y"):
        return Retention(12 * count, 0)
    return Retention(count, 0) if found[2].startswith("m") else Retention(0, count)
