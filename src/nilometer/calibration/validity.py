"""When the calibration of a Datastream held, from its records: due dates, and spans in which its values are in doubt.

Two things raise doubt, each from its own moment in phenomenon time, never by a clock:

- *overdue*: the last sound record that renews (a verification or an adjustment, or what the rule names) has passed its
  `valid_until`, or the rule's interval since it was done; until the next one;
- *failed* or *expired standard*: a record shows a deviation beyond its limit as left, or was made with a standard that
  had expired; until the next sound record that renews, or one of the same kind.

Without any record there is no doubt: nothing was promised. Nothing here changes a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nilometer.model.calibration_records import RENEWING, CalibrationRecord, Interval, RecordKind

__all__ = ["Doubt", "Rule", "Standing", "doubts", "first_change", "standing"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How often a Datastream is to be calibrated, and which kinds of records count as that."""

    every: Interval | None = None
    renewed_by: tuple[RecordKind, ...] = RENEWING

    def due(self, record: CalibrationRecord) -> int | None:
        """Return when what a record shows ends, µs since 1970 UTC; None: it does not."""
        if record.valid_until is not None:
            return record.valid_until
        return None if self.every is None else self.every.after(record.time)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A span in which values are in doubt: µs since 1970 UTC, end exclusive, None: until a record ends it."""

    start: int
    end: int | None
    reason: str
    record: int

    def holds(self, time: int) -> bool:
        """Return whether a time, µs since 1970 UTC, lies in the span."""
        return self.start <= time and (self.end is None or time < self.end)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the calibration of a Datastream stands at a moment.

    Parameters
    ----------
    state : str
        ``never`` (there is a rule and no record that renews), ``valid``, ``overdue``, ``failed``, ``expired_standard``.
    last : CalibrationRecord or None
        The last sound record that renews.
    due : int or None
        µs since 1970 UTC.
    """

    state: str
    last: CalibrationRecord | None
    due: int | None


def doubts(records: Sequence[CalibrationRecord], rule: Rule) -> tuple[Doubt, ...]:
    """Return when the values of a Datastream are in doubt, by start.

    Parameters
    ----------
    records : sequence of CalibrationRecord
        The newest version of each, none of them withdrawn, in any order.
    rule : Rule
        Of the Datastream.

    Examples
    --------
    >>> day = 86_400_000_000
    >>> who = {"datastream": 1, "sensor": 1, "operator": "Li Na"}
    >>> done = CalibrationRecord(kind=RecordKind.VERIFICATION, time=0, effective=0, **who)
    >>> doubts([done], Rule(Interval(0, 30 * 24)))[0].start // day
    30
    """
    ordered = _ordered(records)
    found = [*_overdue(ordered, rule), *_unsound(ordered, rule)]
    return tuple(sorted(found, key=lambda doubt: (doubt.start, doubt.reason, doubt.record)))


def standing(records: Sequence[CalibrationRecord], rule: Rule, now: int) -> Standing | None:
    """Return how a calibration stands at a moment, µs since 1970 UTC; None: nothing is asked for, and nothing renews.

    Parameters
    ----------
    records, rule
        As `doubts`.
    now : int
        The moment; records after it are not counted.
    """
    known = [record for record in _ordered(records) if record.effective <= now]
    last = next((record for record in reversed(known) if _renews(record, rule)), None)
    here = [doubt for doubt in doubts(known, rule) if doubt.holds(now)]
    due = None if last is None else rule.due(last)
    if here:
        return Standing(here[-1].reason, last, due)
    if last is not None:
        return Standing("valid", last, due)
    return Standing("never", None, None) if rule.every is not None else None


def first_change(before: Sequence[Doubt], after: Sequence[Doubt]) -> int | None:
    """Return the first moment, µs since 1970 UTC, that is in doubt by one of two lists alone; None: there is none.

    Examples
    --------
    >>> first_change([Doubt(3, None, "overdue", 1)], [Doubt(3, 9, "overdue", 1), Doubt(12, None, "overdue", 2)])
    9
    """
    edges = {edge for doubt in (*before, *after) for edge in (doubt.start, doubt.end) if edge is not None}
    for edge in sorted(edges):  # between two edges nothing changes
        if any(doubt.holds(edge) for doubt in before) != any(doubt.holds(edge) for doubt in after):
            return edge
    return None


def _ordered(records: Sequence[CalibrationRecord]) -> list[CalibrationRecord]:
    return sorted(records, key=lambda record: (record.effective, record.time, record.id))


def _renews(record: CalibrationRecord, rule: Rule) -> bool:
    return record.is_sound and record.kind in rule.renewed_by


def _overdue(ordered: Sequence[CalibrationRecord], rule: Rule) -> list[Doubt]:
    found = []
    renewing = [record for record in ordered if _renews(record, rule)]
    for number, record in enumerate(renewing):
        due = rule.due(record)
        end = renewing[number + 1].effective if number + 1 < len(renewing) else None
        if due is not None and (end is None or due < end):
            found.append(Doubt(due, end, "overdue", record.root))
    return found


def _unsound(ordered: Sequence[CalibrationRecord], rule: Rule) -> list[Doubt]:
    found = []
    for number, record in enumerate(ordered):
        if record.is_sound:
            continue
        heals = (
            later.effective
            for later in ordered[number + 1 :]
            if _renews(later, rule) or (later.is_sound and later.kind is record.kind)
        )
        end = next(heals, None)
        if end is None or record.effective < end:
            reason = "expired_standard" if record.expired else "failed"
            found.append(Doubt(record.effective, end, reason, record.root))
    return found
