"""The page docs/trials-validation.md: tables of the study, what is claimed of them, and what they say.

Every number on it is of the results. `judged` is the rule by which a statistic is claimed; `inference.claims` is what
the engine claims, and the page says so where the two differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from nilometer.trials.inference.claims import CLAIMS, OF_CLUSTERS, Standing
from nilometer.trials.inference.moments import QUANTILE
from nilometer.trials.simulation import LEVEL, PLAIN, STUDIED, Report, World

__all__ = ["judged", "page"]

NOMINAL = 1.0 - 2.0 * LEVEL
TOLERANCE = 0.015
# Of so many errors: chance alone passes it in one of twenty tables of ten worlds.
_WORST_OF_TEN = 2.6
_WORST_OF_ALL = 2.0
_TWO_EDGES = frozenset({"bias", "relative_bias", "slope", "intercept", "drift"})


def judged(reports: Sequence[Report], name: str) -> Standing:
    """Return what the numbers of some worlds show of a statistic, by the rule that the page states.

    Parameters
    ----------
    reports : sequence of Report
        Worlds in which it is to be claimed; those in which it decided nothing in most trials do not count.
    name : str
        Of the statistic.

    Raises
    ------
    ValueError
        If it decided nothing in any of them.
    """
    there = _deciding(reports, name)
    if not there:
        raise ValueError(f"{name} decided nothing in any world: nothing can be claimed of it")
    covered = _covered(there, name)
    one, wrong = _error(NOMINAL, there[0].trials), _error(LEVEL, there[0].trials)
    edge = TOLERANCE + one
    mean = _mean(covered)
    if min(covered) < NOMINAL - edge or mean < NOMINAL - TOLERANCE:
        return Standing.NARROW
    for passed in _passed(there, name):
        most = LEVEL + _WORST_OF_ALL * wrong / math.sqrt(len(passed))
        if max(passed) > LEVEL + _WORST_OF_TEN * wrong or _mean(passed) > most:
            return Standing.LEANING
    if max(covered) > NOMINAL + edge or mean > NOMINAL + TOLERANCE:
        return Standing.WIDE
    return Standing.VALIDATED


def page(reports: Sequence[Report], command: str) -> str:
    """Return the reports as a page.

    Parameters
    ----------
    reports : sequence of Report
        One a world, at least one.
    command : str
        What made them.
    """
    trials, counts = reports[0].trials, {report.trials for report in reports}
    parts = [
        _HEAD.format(
            command=command,
            trials=f"{trials:,}",
            fewer="".join(f", of which there were {count:,} trials" for count in sorted(counts - {trials})),
            error=100.0 * _error(NOMINAL, trials),
            alpha_error=100.0 * _error(LEVEL, trials),
        ),
        *_table(_DECISIONS, reports, _decisions),
        "\n## Coverage of 95 % intervals, per cent\n",
        "In italics: of statistics that decided nothing in most of these trials.\n",
        *_table(["world", *(name.replace("_", " ") for name in STUDIED)], reports, partial(_coverage, "scaled")),
        "\n## The plain block bootstrap, to compare: coverage of 95 % intervals, per cent\n",
        *_table(["world", "bias, percentile", "bias, basic", "rmse, percentile", "rmse, basic"], reports, _plain),
    ]
    sites = [report for report in reports if report.world.is_claimed and report.world.clusters == 1]
    clusters = [report for report in reports if report.world.is_claimed and report.world.clusters > 1]
    if sites:
        parts += ["\n## What is claimed\n", _RULE.format(edge=100.0 * (TOLERANCE + _error(NOMINAL, trials)))]
        parts += _claims(sites, {name: CLAIMS[name] for name in STUDIED})
    if clusters:
        parts += ["\nOf sites, units or lots as clusters, five or more; other statistics decide nothing there:\n"]
        parts += _claims(clusters, dict.fromkeys(OF_CLUSTERS, Standing.VALIDATED))
    return "\n".join([*parts, "\n## What it says\n", "\n\n".join(_said(reports, sites)), ""])


def _error(share: float, trials: int) -> float:
    return math.sqrt(share * (1.0 - share) / trials)


def _deciding(reports: Iterable[Report], name: str) -> list[Report]:
    return [report for report in reports if report.refused[name] <= 0.5]


def _covered(reports: Iterable[Report], name: str) -> list[float]:
    return [report.covered["scaled", name] for report in reports]


def _passed(reports: Sequence[Report], name: str) -> list[list[float]]:
    """Return wrong passes in the worlds: at the edge that was tried, and at the other where there are two.

    An interval that does not cover the truth lies beyond it to one side or the other.
    """
    tried = [report.passed[name] for report in reports]
    if name not in _TWO_EDGES:
        return [tried]
    other = [1.0 - covered - passed for covered, passed in zip(_covered(reports, name), tried, strict=True)]
    return [tried, other]


def _mean(shares: Sequence[float]) -> float:
    return math.fsum(shares) / len(shares)


def _claims(reports: Sequence[Report], claims: dict[str, Standing]) -> list[str]:
    rows = []
    for name, claim in claims.items():
        there = _deciding(reports, name)
        shown = judged(reports, name)
        told = str(claim) if shown is claim else f"**{claim}, but the numbers show {shown}**"
        spans = [
            f"{_per_cent(_mean(each))} ({_per_cent(min(each))} to {_per_cent(max(each))})"
            for each in (_covered(there, name), *_passed(there, name))
        ]
        rows.append(f"| `{name}` | {told} | {' | '.join([*spans, ''][:3])} |")
    head = "| statistic | claim | coverage: mean (worlds) | wrong passes: mean (worlds) | at the other edge |"
    return [head, "|---|---|---:|---:|---:|", *rows]


def _said(reports: Sequence[Report], sites: Sequence[Report]) -> Iterable[str]:
    """Yield what the tables come to, in sentences."""
    remembering = [report for report in sites if report.world.memory > 0.0]
    if remembering:
        iid = _span(report.passed_iid for report in remembering)
        bias = _span(report.passed["bias"] for report in remembering)
        yield (
            f"**Memory.** Where differences remember each other, a t-test that takes pairs for independent passes an "
            f"inferior sensor in {iid} % of trials; the engine's `bias` does in {bias} %."
        )
    for report in (each for each in reports if not each.world.is_claimed):
        if report.world.long_memory:
            yield (
                f"**Memory without end** (fractional noise, d = {report.world.long_memory:g}) is seen by most records "
                f"of a month and not by all: `bias` decides nothing in {_per_cent(report.refused['bias'])} % of "
                f"trials and passes wrongly in {_per_cent(report.passed['bias'])} %, the independent t-test in "
                f"{_per_cent(report.passed_iid)} %. Nothing is claimed there: several units or deployments show what "
                "one record hides."
            )
        else:
            yield (
                f"**Too short.** {report.world.name}: {_per_cent(report.refused['bias'])} % of trials are refused a "
                "decision on the bias."
            )
    powered = [report for report in reports if not math.isnan(report.power) and report.world.is_claimed]
    if powered:
        told = ", ".join(
            f"{_per_cent(each.power_formula)} % for {_per_cent(each.power)} % at {each.effective:.0f}"
            for each in powered
        )
        yield f"**Power.** What the formula says, what was found, and the effective pairs of each world: {told}."
    steady = [report for report in remembering if report.world.is_normal]
    if steady:
        shares = (report.covered[kind, "bias"] for report in steady for kind in ("percentile", "basic"))
        yield (
            f"**The plain block bootstrap** with the same automatic blocks covers the bias in {_span(shares)} % of "
            "trials under AR(1) memory, percentile and basic together."
        )
    yield _STANDING


def _span(shares: Iterable[float]) -> str:
    found = sorted(shares)
    return f"{_per_cent(found[0])} to {_per_cent(found[-1])}" if len(found) > 1 else _per_cent(found[0])


def _table(head: Sequence[str], reports: Sequence[Report], cells: Callable[[Report], Sequence[str]]) -> list[str]:
    rows = [[_named(report.world), *cells(report)] for report in reports]
    rule = "|---|" + "---:|" * (len(head) - 1)
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def _named(world: World) -> str:
    return world.name if world.is_claimed else f"*{world.name}*"


def _per_cent(share: float) -> str:
    return "" if math.isnan(share) else f"{100.0 * share:.1f}"


def _decisions(report: Report) -> list[str]:
    passed = [report.passed[name] for name in ("bias", "mean_absolute_difference", "rmse")]
    shares = [report.refused["bias"], *passed, report.passed_iid, report.power, report.power_formula]
    return [f"{report.effective:.0f}", *map(_per_cent, shares)]


def _coverage(kind: str, report: Report) -> list[str]:
    shown = {name: _per_cent(report.covered[kind, name]) for name in STUDIED}
    return [f"*{text}*" if report.refused[name] > 0.5 else text for name, text in shown.items()]


def _plain(report: Report) -> list[str]:
    return [_per_cent(report.covered[kind, name]) for name in PLAIN for kind in ("percentile", "basic")]


_DECISIONS = ["world", "worth", "refused", "bias", "mean abs. d.", "rmse", "t-test, independent", "power", "formula"]

_HEAD = """# Trials: what was validated

`{command}` made the numbers of this page.

In each of {trials} trials a world, a candidate stands exactly at the edge of its margin: every pass is wrong, and at
most 2.5 % are accepted. Shares have a Monte-Carlo error (one standard deviation) of {alpha_error:.2f} points near 2.5 %
and {error:.2f} near 95 %. Worlds in italics are those for which nothing is claimed{fewer}. Pairs are ten minutes
apart, grab samples six hours and ten minutes. The truth is exact where differences are normal, and else of 64 records
forty times as long as a trial.

## Wrong passes, per cent, and power

*worth*: median of the effective pairs found. *refused*: trials with fewer than 20, which decide nothing on the bias.
*t-test, independent*: the bias by a test that takes pairs for independent. *power*: a candidate without bias, margin
3.2 standard errors of the true process, beside what `nilometer.trials.inference.power` says.
"""

_RULE = (
    """`nilometer.trials.inference.claims` holds this list; a decision on a statistic that is not *validated* carries
a note that says so. The rule, over the worlds that are not in italics and in which the statistic decides: **narrow**
where coverage is below 95 % by more than 1.5 points on average or, in any world, by more than {edge:.1f} (1.5 and one
error). **leaning** where coverage is not, but wrong passes are above 2.5 %, at either edge of what is allowed, by more
than 2 errors on average or 2.6 in any world (chance does that in one of twenty tables of ten worlds). **wide** where
coverage is above 95 % by as much. Else **validated**. What is off by less than a world's error can be missed.

For one site, with 20 effective pairs or more (`"""
    + QUANTILE
    + """`: 100):
"""
)

_STANDING = (
    "**What no interval says.** Concordance, slope, intercept, relative bias and agreement of classes are figures of "
    "the water that was met: samples of some hours do not speak of a day, and none of a site speaks of another."
)
