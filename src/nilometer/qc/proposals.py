"""The rule of each test: from a history to its thresholds, with the words that say where each number comes from.

`docs/profiles.md` states the rules for people. Each takes the history that the rules before it have cleaned and returns
the table of its test, or None where the history cannot say; nothing here is flagged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.history import HOUR, History
from nilometer.qc.profile_text import duration_text
from nilometer.qc.tails import Tail, lower, outward, upper

__all__ = [
    "Proposal",
    "Span",
    "attenuated_signal",
    "climatology",
    "flat_line",
    "gap",
    "gross_range",
    "rate_of_change",
    "spike",
]

Span = tuple[float, float]
SPOILT = 1e-3  # what departs more than this share of good values do is not learnt from
RARER = 100.0  # a value that fails is so much rarer than one that is suspect
_LADDER = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1080, 1440, 2880, 4320, 7200, 10080, 20160)
_MONTHS = (0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366)
SEASONS: Mapping[str, tuple[int, int]] = {"month": (12, 15), "quarter": (4, 30)}  # how many, days borrowed on each side
_LEAST_DAYS = 14
_LEAST_SPREAD = 0.01  # what repeats itself has one spread in all its windows: a threshold there would flag them all


@dataclass(frozen=True, slots=True)
class Proposal:
    """Thresholds of one test.

    Parameters
    ----------
    table : dict
        As a profile holds it.
    rule : str
        What the numbers are.
    notes : dict of str to str
        Behind each parameter: from how many values, which quantiles.
    bad : ndarray of bool, shape (n,), optional
        Rows of the history that the rules after this one must not learn from.
    """

    table: dict[str, Any]
    rule: str
    notes: dict[str, str] = field(default_factory=dict)
    bad: NDArray[np.bool_] | None = None


def _said(tail: Tail, what: str, unseen: float) -> str:
    wider = f"; {unseen:.2f} times, for the part of a year that is not seen" if unseen > 1.005 else ""
    return f"1 in {1 / tail.rate:.0f}: q90 {tail.near:.3g}, q99 {tail.trusted:.3g} of {tail.n} {what}{wider}"


def _unseen(history: History) -> float:
    """Return by how much thresholds of movement are widened: up to twice, by the share of a year that is not seen."""
    return 2.0 - min(1.0, history.years)


def _said_of_both(below: Tail, above: Tail, margin: float) -> str:
    quantiles = f"q01 {below.trusted:.3g}, q10 {below.near:.3g}, q90 {above.near:.3g}, q99 {above.trusted:.3g}"
    return f"1 in {1 / above.rate:.0f} on each side: {quantiles} of {above.n} values; margin {margin:.2g}"


def _longer(span_us: float) -> float:
    """Return the next usual time that is not shorter, in seconds."""
    minutes = span_us / 60e6
    if minutes < 1:
        return math.ceil(span_us / 1e6)
    return 60.0 * next((step for step in _LADDER if step >= minutes * (1 - 1e-9)), math.ceil(minutes / 1440) * 1440)


def gap(history: History, rate: float) -> Proposal:
    """Return the gap test: longer than two missing rows, and than nearly all steps there were."""
    steps = np.diff(history.times) / history.interval
    usual = min(upper(steps, rate).value, 12.0)
    suspect = _longer(history.interval * max(2.5, usual))
    note = f"usual step {duration_text(history.interval / 1e6)}, {int((steps > 1.5).sum())} longer of {len(steps)}"
    return Proposal(
        {"suspect": duration_text(suspect)},
        "more than two rows missing, and longer than nearly all steps (at most 12)",
        {"suspect": note},
    )


def gross_range(history: History, rate: float, sensor: Span | None, expected: Span | None) -> Proposal:
    """Return the gross range: the sensor's limits as they are, the operator's from both tails."""
    below, above = (tail(history.values, rate / 2, history.resolution) for tail in (lower, upper))
    margin = (above.value - below.value) / (4 * history.years)
    low, high = below.value - margin, above.value + margin
    table: dict[str, Any] = {} if sensor is None else {"fail": list(sensor)}
    bounds = sensor
    if expected is not None:  # no wider than the base where the history does not ask for it
        outer = sensor if sensor is not None else (-math.inf, math.inf)
        bounds = (
            expected[0] if below.trusted >= expected[0] else outer[0],
            expected[1] if above.trusted <= expected[1] else outer[1],
        )
    table["suspect"] = _outward_span(low, high, bounds)
    rule = f"both tails; as margin a quarter of the span, divided by the years of history ({history.years:.2f})"
    said = _said_of_both(below, above, margin)
    return Proposal(table, rule, {"suspect": said, "fail": "what the sensor can give: from the base profile"})


def _outward_span(low: float, high: float, bounds: Span | None) -> list[float]:
    """Return a span rounded outward to a hundredth of its width, about, and inside the bounds."""
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    width = max(high - low, 1e-12)
    step = 10.0 ** (math.floor(math.log10(width)) - 2)
    digits = max(0, -math.floor(math.log10(step)))
    low, high = round(math.floor(low / step) * step, digits), round(math.ceil(high / step) * step, digits)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return [low, high]


def flat_line(history: History, rate: float) -> Proposal:
    """Return the flat line test: exact repetition, longer than runs of good values last."""
    first, last = history.runs()
    lasted = (history.times[last] - history.times[first]).astype(float)
    tail, rare = (upper(lasted, share, history.interval) for share in (rate, rate / RARER))
    suspect = _longer(max(tail.value, 3 * history.interval))
    fail = max(_longer(max(rare.value, 5 * history.interval)), _longer(suspect * 1e6 * 5 / 3))
    scale = float(np.subtract(*np.quantile(history.values, [0.95, 0.05])))
    tolerance = outward(max(history.resolution / 2, 1e-9 * max(scale, 1e-6)), up=False)
    bad = np.zeros(len(history), np.bool_)
    for start, end in zip(first[lasted > suspect * 1e6], last[lasted > suspect * 1e6], strict=True):
        bad[start : end + 1] = True
    hours = f"runs last: q90 {tail.near / HOUR:.3g} h, q99 {tail.trusted / HOUR:.3g} h of {tail.n} runs"
    return Proposal(
        {"suspect": duration_text(suspect), "fail": duration_text(fail), "tolerance": tolerance},
        "runs of one value; at least 3 steps are suspect and 5 fail, as in the manuals",
        {
            "suspect": f"1 run in {1 / rate:.0f}: {hours}",
            "fail": f"1 run in {RARER / rate:.0f}, at least 5/3 of suspect",
            "tolerance": f"half the resolution ({history.resolution:g})",
        },
        bad,
    )


def spike(history: History, rate: float) -> Proposal | None:
    """Return the spike test: the manual's departure from the mean of both neighbours."""
    departure = np.zeros(len(history))
    departure[1:-1] = np.abs(history.values[1:-1] - (history.values[:-2] + history.values[2:]) / 2)
    near = history.neighbours()
    judged = np.concatenate([[False], near[1:] & near[:-1], [False]])
    if judged.sum() < 100:
        return None
    step = history.resolution / 2
    tail, rare = (upper(departure[judged], share, step) for share in (rate, rate / RARER))
    unseen = _unseen(history)
    suspect = outward(max(tail.value, 2 * history.resolution) * unseen, up=True)
    if suspect <= 0:
        return None
    fail = outward(max(rare.value * unseen, 2 * suspect), up=True)
    return Proposal(
        {"suspect": suspect, "fail": fail, "method": "average"},
        "departures from the mean of both neighbours",
        {"suspect": _said(tail, "departures", unseen), "fail": f"1 in {1 / rare.rate:.0f}, at least twice suspect"},
        judged & (departure > upper(departure[judged], SPOILT, step).value),
    )


def rate_of_change(history: History, rate: float, *, with_fail: bool) -> Proposal | None:
    """Return the rate of change, per hour, on what the spike test leaves."""
    near = history.neighbours()
    if near.sum() < 100:
        return None
    hours = np.diff(history.times) / HOUR
    rates = np.abs(np.diff(history.values)[near] / hours[near])
    step = history.resolution / (history.interval / HOUR)
    tail, rare = (upper(rates, share, step) for share in (rate, rate / RARER))
    unseen = _unseen(history)
    suspect = outward(max(tail.value, 2 * step) * unseen, up=True)
    if suspect <= 0:
        return None
    table: dict[str, Any] = {"suspect": suspect, "per": "1 h"}
    if with_fail:
        table["fail"] = outward(max(rare.value * unseen, 2 * suspect), up=True)
    return Proposal(
        table,
        "changes between neighbours, without spikes and stuck values",
        {"suspect": _said(tail, "changes", unseen), "fail": f"1 in {1 / rare.rate:.0f}, at least twice suspect"},
    )


def climatology(history: History, rate: float, season: str, bounds: Span | None) -> Proposal | None:
    """Return the climatology: a span for each season of which there is history."""
    count, borrowed = SEASONS[season]
    days = history.times.astype("datetime64[us]").astype("datetime64[D]")
    month = days.astype("datetime64[M]").astype(int) % 12
    year_day = np.array(_MONTHS)[month] + (days - days.astype("datetime64[M]")).astype(int)
    members: list[dict[str, Any]] = []
    notes: dict[str, str] = {}
    for number in range(count):
        start, end = _MONTHS[number * 12 // count], _MONTHS[(number + 1) * 12 // count]
        inside = (year_day >= start) & (year_day < end)
        if len(np.unique(days[inside])) < _LEAST_DAYS:
            continue
        around = (year_day - start + borrowed) % 366 < end - start + 2 * borrowed
        values = history.values[around]
        below, above = (tail(values, rate / 2, history.resolution) for tail in (lower, upper))
        years = len(np.unique(days[inside].astype("datetime64[Y]")))
        margin = (above.value - below.value) / (2 * years)
        span = _outward_span(below.value - margin, above.value + margin, bounds)
        notes[f"members[{len(members)}]"] = f"{len(values)} values, {years} year{'s' if years > 1 else ''}"
        members.append({"period": season, "time": [number + 1, number + 1], "suspect": span})
    if not members:
        return None
    rule = (
        f"both tails of each {season} with {borrowed} days on either side, and half the span as margin, "
        f"divided by the years; a {season} with less than {_LEAST_DAYS} days of history has none"
    )
    return Proposal({"members": members}, rule, notes)


def attenuated_signal(history: History, rate: float) -> Proposal | None:
    """Return the attenuated signal: the least standard deviation over half a day, or over 12 rows if that is longer."""
    over = _longer(max(12 * HOUR, 12 * history.interval))
    spreads = _spreads(history, over * 1e6)
    if len(spreads) < 100:
        return None
    logs = np.log(np.maximum(spreads, 1e-300))
    tail, rare = (lower(logs, one, _LEAST_SPREAD) for one in (rate, rate / RARER))
    suspect, fail = (outward(math.exp(one.value), up=False) for one in (tail, rare))
    # Below a quarter of the last digit a spread is rounding, not water.
    if suspect < history.resolution / 4 or suspect <= 0:
        return None
    table: dict[str, Any] = {"suspect": suspect, "over": duration_text(over), "measure": "sd"}
    if fail > 0:
        table["fail"] = min(fail, suspect)
    near, trusted = math.exp(tail.near), math.exp(tail.trusted)
    return Proposal(
        table,
        "standard deviations over the time before each value, tails of their logarithms",
        {
            "suspect": f"1 in {1 / rate:.0f}: q10 {near:.3g}, q01 {trusted:.3g} of {len(spreads)} windows",
            "fail": f"1 in {RARER / rate:.0f}",
        },
    )


def _spreads(history: History, over: float) -> NDArray[np.float64]:
    """Return the standard deviation over the time before each value, where that time is at least 80 % full."""
    x = history.values - np.median(history.values)
    start = np.searchsorted(history.times, history.times - over, side="right")
    end = np.arange(1, len(x) + 1)
    sums, squares = (np.concatenate([[0.0], np.cumsum(column)]) for column in (x, x * x))
    count = end - start
    mean = (sums[end] - sums[start]) / count
    variance = np.maximum((squares[end] - squares[start]) / count - mean**2, 0.0)
    full = count >= 0.8 * over / history.interval
    return np.asarray(np.sqrt(variance[full]))
