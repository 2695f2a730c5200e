"""Which periods a receiver did not get, and why: the ledger beside the grid of what it is owed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nilometer.errors import RequestError
from nilometer.store import Catalog
from nilometer.store.uplink_ledger import Period, PeriodState, Position
from nilometer.uplink.periods import Grid

__all__ = ["WAITING", "gaps", "resend"]

WAITING, LATE = "waiting", "late"
MOST = 200_000
_GOT = (PeriodState.ANSWERED, PeriodState.UNCONFIRMED)


def gaps(
    catalog: Catalog, name: str, grids: Mapping[str, Grid], start: int, end: int, now: int, kind: str | None = None
) -> dict[str, Any]:
    """Return what became of the periods of a receiver that start in a range, and those that it did not get.

    Parameters
    ----------
    catalog : Catalog
        Holds the ledger.
    name : str
        The uplink.
    grids : mapping of str to Grid
        The kinds of periods that it is owed.
    start, end : int
        µs UTC, start inclusive, end exclusive.
    now : int
        µs UTC: what has not ended yet is no gap.
    kind : str, optional
        Of these only; None: all.

    Returns
    -------
    dict
        ``since``: from when on anything is owed; ``counts``: periods by state; ``gaps``: periods that the receiver did
        not get, or not as they are now (``late``), oldest first, each with ``kind``, ``start``, ``end`` (ms),
        ``state``, ``refused``, ``attempts``.

    Raises
    ------
    RequestError
        If there is no such kind of periods, or the range holds too many.
    """
    if kind is not None and kind not in grids:
        raise RequestError(f"{kind!r} is no kind of period of {name} (allowed: {', '.join(grids)})", place="kind")
    position = catalog.uplinks.position(name)
    counts: dict[str, int] = {}
    found: list[tuple[int, dict[str, Any]]] = []
    for one in grids if kind is None else [kind]:
        known = {period.start: period for period in catalog.uplinks.periods(name, one, start, end)}
        for at, until in _owed(grids[one], position, start, end, now, set(known)):
            period = known.get(at)
            state = _state(period)
            counts[state] = counts.get(state, 0) + 1
            if state not in _GOT:
                found.append((at, _document(one, at, until, state, period)))
    ordered = [document for _, document in sorted(found, key=lambda item: item[0])]
    return {"since": None if position is None else position.since // 1000, "counts": counts, "gaps": ordered}


def resend(catalog: Catalog, name: str, kind: str | None, start: int, end: int, now: int) -> int:
    """Have what a receiver was sent of a range sent again, as it is now; return how many periods that are.

    Raises
    ------
    RequestError
        If the uplink never ran.
    """
    if catalog.uplinks.position(name) is None:
        raise RequestError(f"uplink {name!r} has never run: there is nothing to send again", place="name")
    return catalog.uplinks.ask(name, kind, start, end, now)


def _owed(
    grid: Grid, position: Position | None, start: int, end: int, now: int, known: set[int]
) -> list[tuple[int, int]]:
    """Return the periods that start in a range and have ended: those that are owed, and others that were sent."""
    since = now if position is None else position.since
    at = grid.start(start)
    if at < start:
        at = grid.end(at)
    found: list[tuple[int, int]] = []
    while at < end:
        until = grid.end(at)
        if until > now:
            break
        if at >= since or at in known:
            found.append((at, until))
        if len(found) > MOST:
            raise RequestError(f"more than {MOST} periods: ask for a shorter range", place="end")
        at = until
    return found


def _state(period: Period | None) -> str:
    if period is None:
        return WAITING
    return LATE if period.is_late and period.state in _GOT else str(period.state)


def _document(kind: str, start: int, end: int, state: str, period: Period | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "start": start // 1000,
        "end": end // 1000,
        "state": state,
        "refused": {} if period is None else period.refused,
        "attempts": 0 if period is None else period.attempts,
    }
