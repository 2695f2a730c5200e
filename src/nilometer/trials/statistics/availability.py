"""How much of what an instrument should have given it gave: data yield and up-time, counted and not estimated.

They have no confidence interval: they are what happened in this trial. Outages come in stretches, so that a formula for
independent results would promise far too much of the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model.flags import QartodFlag
from nilometer.trials.figure import Figure
from nilometer.trials.pairing.arm import Arm, Spans

__all__ = ["Availability", "availability"]


@dataclass(frozen=True, slots=True)
class Availability:
    """Results due and given by one instrument.

    Parameters
    ----------
    due : int
        Sampling intervals in the trial's period that no maintenance touches.
    present : int
        Of these, with a result at all.
    valid : int
        Of these, with one that may count.
    maintenance : int
        Intervals left out for it.
    outages : int
        Stretches of intervals due without any result.
    longest_outage_us : int
        µs.
    interval_us : int
        Sampling interval, as declared or found.
    data_yield, uptime : Figure
        ``data_yield`` and ``uptime``: valid and present over due, 1.
    reasons : mapping of str to int
        Why results that are there do not count, as `Arm.admissible` says.
    """

    due: int
    present: int
    valid: int
    maintenance: int
    outages: int
    longest_outage_us: int
    interval_us: int
    data_yield: Figure
    uptime: Figure
    reasons: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        plain = asdict(self)
        return {**plain, "data_yield": self.data_yield.to_dict(), "uptime": self.uptime.to_dict()}


def availability(
    arm: Arm,
    period: tuple[int, int],
    *,
    flags: frozenset[QartodFlag] = frozenset({QartodFlag.PASS}),
    maintenance: Spans = (),
) -> Availability:
    """Count what was due and what was given.

    The period is cut into sampling intervals, placed so that results lie in their middles; an interval counts once,
    however many results fall into it.

    Parameters
    ----------
    arm : Arm
        As recorded, before anything is left out. Without a declared interval that between most results is taken, which
        an instrument that rests too often makes too long: declare it.
    period : (int, int)
        Of the trial, [start, end) in µs.
    flags : frozenset of QartodFlag
        Which results count as valid.
    maintenance : sequence of (int, int)
        Spans [start, end) in which nothing is due.

    Raises
    ------
    ValueError
        If the period has no length, or there is no sampling interval to go by.

    Examples
    --------
    >>> hours = np.array([0, 1, 2, 5]) * 3_600_000_000
    >>> arm = Arm(time=hours, values=np.array([1.0, np.nan, 3.0, 4.0]), unit="1", interval_us=3_600_000_000)
    >>> found = availability(arm, (0, 6 * 3_600_000_000))
    >>> found.due, found.present, found.valid, found.outages
    (6, 3, 3, 2)
    """
    start, end = period
    if end <= start:
        raise ValueError("the period of the trial has no length: give its start and a later end")
    step = arm.step_us
    if not step:
        raise ValueError(f"{arm.name}: its sampling interval is not known: declare it")
    inside = arm.take((arm.time >= start) & (arm.time < end))
    # Results lie in the middle of their interval, so that a clock that trembles moves none into the next.
    phase = int(np.median((inside.time - start) % step)) if len(inside) else step // 2
    first = start + (phase - step // 2) % step - step
    edges = np.arange(first, end + step, step, dtype=np.int64)
    middles = edges[:-1] + step // 2
    edges = edges[:-1][(middles >= start) & (middles < end)]
    kept = ~_touched(edges, step, maintenance)
    there = np.isfinite(inside.values)
    if inside.flags is not None:
        there &= inside.flags != QartodFlag.MISSING
    usable, reasons = inside.admissible(flags, maintenance)
    present = _filled(inside.time[there], edges, step) & kept
    valid = _filled(usable.time, edges, step) & kept
    due, given, good = (int(np.count_nonzero(each)) for each in (kept, present, valid))
    runs = _runs(kept & ~present, kept)
    return Availability(
        due=due,
        present=given,
        valid=good,
        maintenance=len(edges) - due,
        outages=len(runs),
        longest_outage_us=int(max(runs, default=0)) * step,
        interval_us=step,
        data_yield=_share("data_yield", good, due),
        uptime=_share("uptime", given, due),
        reasons=reasons,
    )


def _share(name: str, part: int, due: int) -> Figure:
    note = f"{part} of {due} intervals due" if due else "nothing was due"
    return Figure(name=name, value=part / due if due else float("nan"), unit="1", n=due, method="count", note=note)


def _touched(edges: NDArray[np.int64], step: int, spans: Spans) -> NDArray[np.bool_]:
    found = np.zeros(len(edges), np.bool_)
    for start, end in spans:
        found |= (edges < end) & (edges + step > start)
    return found


def _filled(times: NDArray[np.int64], edges: NDArray[np.int64], step: int) -> NDArray[np.bool_]:
    found = np.zeros(len(edges), np.bool_)
    if len(edges):
        place = (times - edges[0]) // step
        found[place[(place >= 0) & (place < len(edges))]] = True
    return found


def _runs(missing: NDArray[np.bool_], kept: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of stretches without a result; maintenance within one does not part it, nor count."""
    gone = missing[kept]
    edge = np.flatnonzero(np.diff(np.concatenate([[False], gone, [False]]).astype(np.int8)))
    return [int(length) for length in edge[1::2] - edge[::2]]
