"""The part of one comparison: its figures, pictures, strata, and how its pairs came to be."""

from __future__ import annotations

import math
import re

import numpy as np

from nilometer.trials.figure import Figure
from nilometer.trials.inference.endpoint import Decision
from nilometer.trials.pairing.alignment import Pairing
from nilometer.trials.report.charts_of_figures import Row, by_condition
from nilometer.trials.report.charts_of_pairs import Drawn, agreement, over_time, regression, regression_lines
from nilometer.trials.report.dependence import dependence
from nilometer.trials.report.document import (
    Block,
    Facts,
    Heading,
    Line,
    Picture,
    Table,
    Text,
    bold,
    line,
    marked,
    quiet,
)
from nilometer.trials.report.numbers import NONE, decimals_for, length
from nilometer.trials.report.tables import effective, ends_alone, figure_table, of_comparison, usual_probability
from nilometer.trials.report.telling import Teller
from nilometer.trials.result import Comparison, Stratum

__all__ = ["comparing"]

_ROWS = 26  # of one picture
_LONG = 150  # figures of strata that are all shown
_CLEAR = 2.0  # standard uncertainties, beyond which a clock is off
_RUNS_APART = re.compile(r"the candidate's clock seems to run \S+ s (ahead|behind); nothing was moved")
_OF_TIME = {"drift", "theil_sen_drift", "response_lag"}  # of which rows without times know nothing


def comparing(tell: Teller, comparison: Comparison) -> list[Block]:
    """Return the blocks of a comparison."""
    words = tell.words
    blocks: list[Block] = [Heading(1, tell.who(comparison)), Heading(2, words("section.figures"))]
    blocks += _figures(tell, comparison)
    if len(comparison.pairs):
        blocks += _pictures(tell, comparison)
    blocks += _strata(tell, comparison) + of_comparison(tell, comparison)
    return blocks + dependence(tell, comparison) + _alignment(tell, comparison)


def _figures(tell: Teller, comparison: Comparison) -> list[Block]:
    """Return every figure with its interval, and the same without SUSPECT results where there are any."""
    words = tell.words
    if not comparison.figures:
        return [Text(line(words("sentence.nothing_figured")))]
    usual = tell.probability(usual_probability(comparison.figures))
    blocks: list[Block] = [
        figure_table(tell, tuple(one for one in comparison.figures if tell.has_times or one.name not in _OF_TIME)),
        Text(line(words("sentence.few_figures", probability=usual)), "quiet"),
    ]
    if comparison.without_suspect:
        blocks += [Text(line(words("sentence.suspect"))), _suspect_table(tell, comparison)]
    return blocks


def _suspect_table(tell: Teller, comparison: Comparison) -> Table:
    words = tell.words
    rows = []
    for figure in comparison.without_suspect:
        whole = comparison.figure(figure.name)
        rows.append(
            (
                line(words.name("statistic", figure.name)),
                line(_with_ends(tell, whole) if whole else NONE),
                line(_with_ends(tell, figure)),
                line(f"{figure.n:,}"),
            )
        )
    head = tuple(words(f"column.{name}") for name in ("figure", "with_suspect", "without_suspect", "pairs"))
    return Table(head, tuple(rows), ("left", "right", "right", "right"), (3, 0, 0, 0))


def _with_ends(tell: Teller, figure: Figure) -> str:
    ends = ends_alone(tell, figure)
    return tell.estimate(figure) if ends == NONE else f"{tell.estimate(figure)} ({ends})"


def _pictures(tell: Teller, comparison: Comparison) -> list[Block]:
    words = tell.words
    margin = _margin_of(comparison, "bias")
    of = ", ".join(
        f"{words.name('statistic', name)} {_with_ends(tell, found)}"
        for name in ("bias", "lower_limit", "upper_limit")
        if (found := comparison.figure(name)) is not None
    )
    lines = ", ".join(
        f"{words.name('statistic', slope.name)} {_with_ends(tell, slope)}, "
        f"{words.name('statistic', intercept.name)} {_with_ends(tell, intercept)}"
        for slope, intercept in regression_lines(comparison.figures)
    )
    zone = tell.result.plan.trial.time_zone if tell.has_times else None
    time_says = _time_says(tell, comparison) if zone else words("sentence.order_says")
    differences = over_time(comparison, words, zone, tell.result.maintenance)
    parts = (
        ("agreement", agreement(comparison, words, margin), words("sentence.agreement_says"), of),
        ("regression", regression(comparison, words), words("sentence.regression_says"), lines),
        ("over_time" if zone else "in_order", differences, time_says, of),
    )
    blocks: list[Block] = []
    for key, drawn, says, told in parts:
        alt = f"{words(f'section.{key}')}, {tell.who(comparison)}. n = {len(comparison.pairs):,}. {told}".strip()
        blocks += [
            Heading(2, words(f"section.{key}")),
            Picture(drawn.svg, alt, _caption(tell, comparison, drawn, says)),
        ]
    return blocks


def _time_says(tell: Teller, comparison: Comparison) -> str:
    """Return what the picture over time shows, without what it has none of."""
    words, time = tell.words, comparison.pairs.time
    parts = [words("sentence.time_says")]
    if len(np.unique(comparison.pairs.interval)) > 1:
        parts.append(words("sentence.time_cleanings"))
    if any(end > time.min() and start < time.max() for start, end in tell.result.maintenance):
        parts.append(words("sentence.time_maintenance"))
    return (" " if tell.language == "en" else "").join(parts)


def _caption(tell: Teller, comparison: Comparison, drawn: Drawn, says: str) -> str:
    if not drawn.is_thinned:
        return says
    gap = " " if tell.language == "en" else ""
    return f"{says}{gap}{tell.words('sentence.thinned', n=f'{len(comparison.pairs):,}')}"


def _margin_of(comparison: Comparison, statistic: str) -> float | None:
    """Return the margin of a statistic where the plan has one for all that was met."""
    found: Decision | None = next(
        (
            one
            for one in comparison.decisions
            if one.endpoint.statistic == statistic and not one.endpoint.condition and math.isfinite(one.margin)
        ),
        None,
    )
    return None if found is None else found.margin


def _strata(tell: Teller, comparison: Comparison) -> list[Block]:
    words = tell.words
    blocks: list[Block] = []
    for key, strata in (("strata", comparison.strata), ("over_time", comparison.over_time)):
        if not strata:
            continue
        rows = [_stratum_row(tell, stratum) for stratum in strata]
        whole = comparison.figure("bias")
        first = [Row(words("chart.all_pairs"), whole, len(comparison.pairs))] if whole else []
        title = words(f"section.{key}")
        blocks.append(Heading(2, title if key == "strata" else f"{title} ({words.name('statistic', 'bias')})"))
        says = _strata_say(tell, strata) if key == "strata" else ""
        for begin in range(0, len(rows), _ROWS):
            part = first + rows[begin : begin + _ROWS]
            told = "; ".join(
                f"{row.name}: {_with_ends(tell, row.figure) if row.figure else row.why} (n = {row.n:,})" for row in part
            )
            svg = by_condition(part, words, _margin_of(comparison, "bias"))
            blocks.append(Picture(svg, f"{title}, {tell.who(comparison)}. {told}", says))
        blocks += _stratum_tables(tell, comparison, strata)
    return blocks


def _strata_say(tell: Teller, strata: tuple[Stratum, ...]) -> str:
    """Return what the picture of strata shows; edges that the plan did not declare were laid with the data in sight."""
    words, plan = tell.words, tell.result.plan
    declared = {name for name, one in plan.condition.items() if one.edges}
    declared |= {"range"} if plan.trial.range_edges else set()
    seen = [tell.condition(name) for name in dict.fromkeys(one.condition for one in strata) if name not in declared]
    says = words("sentence.strata_says")
    if not seen:
        return says
    gap = " " if tell.language == "en" else ""
    return f"{says}{gap}{words('sentence.strata_seen', names=words.joined(seen))}"


def _stratum_row(tell: Teller, stratum: Stratum) -> Row:
    name = tell.stratum(stratum)
    if stratum.condition != "time":
        name = f"{tell.condition(stratum.condition)} {name}"
    bias = next((figure for figure in stratum.figures if figure.name == "bias"), None)
    why = tell.words("sentence.too_few" if stratum.n else "sentence.no_pairs")
    return Row(name, bias, stratum.n, f"{why} (n = {stratum.n:,})" if stratum.n else why)


def _stratum_tables(tell: Teller, comparison: Comparison, strata: tuple[Stratum, ...]) -> list[Block]:
    """Return the figures of strata, and decisions that the plan asks for.

    A year of weeks with twenty figures each is no table that anybody reads: of so many those that endpoints are made
    of are shown, and how many are not.
    """
    words = tell.words
    count = sum(len(stratum.figures) for stratum in strata)
    kept = {figure.name for stratum in strata for figure in stratum.figures}
    if count > _LONG:
        kept &= {"bias", "rmse", *(one.endpoint.statistic for one in comparison.decisions)}
    rows = [
        (
            (quiet if place else bold)(_stratum_row(tell, stratum).name),
            line(words.name("statistic", figure.name)),
            line(tell.estimate(figure)),
            line(ends_alone(tell, figure)),
            line(f"{figure.n:,}"),
            line(effective(figure)),
        )
        for stratum in strata
        for place, figure in enumerate(one for one in stratum.figures if one.name in kept)
    ]
    blocks: list[Block] = []
    if rows:
        head = tuple(words(f"column.{name}") for name in ("range", "figure", "value", "interval", "pairs", "effective"))
        align = ("left", "left", "right", "right", "right", "right")
        blocks.append(Table(head, tuple(rows), align, (4, 4, 0, 0, 0, 0)))
    if len(rows) < count:
        blocks.append(Text(line(words("sentence.not_shown", count=f"{count - len(rows):,}")), "quiet"))
    decided = [
        (
            line(_stratum_row(tell, stratum).name),
            line(decision.endpoint.name),
            line(_with_ends(tell, decision.figure)),
            line(tell.probability(decision.figure.probability)),
            line(tell.margin(decision)),
            marked(str(decision.outcome), words.outcome(decision.outcome)),
        )
        for stratum in strata
        for decision in stratum.decisions
    ]
    if decided:
        head = tuple(
            words(f"column.{name}") for name in ("range", "endpoint", "estimate", "level", "margin", "outcome")
        )
        align = ("left", "left", "right", "right", "right", "left")
        blocks.append(Text(line(words("sentence.strata_decided"))))
        blocks.append(Table(head, tuple(decided), align, (4, 3, 0, 0, 0, 0)))
    return blocks


def _alignment(tell: Teller, comparison: Comparison) -> list[Block]:
    words, account = tell.words, comparison.alignment
    facts: list[tuple[str, Line]] = [
        (
            words("alignment.pairs"),
            line(words("alignment.pairs_says", pairs=f"{account.pairs:,}", censored=f"{account.censored_pairs:,}")),
        ),
        (words("alignment.pairing"), line(_pairing(tell, comparison))),
        (words("alignment.clock"), line(_clock(tell, comparison))),
        (words("alignment.response"), line(_response(tell, comparison))),
    ]
    # What the line of the clocks says already is not said again.
    facts += [(words("column.note"), tell.sentence(note)) for note in account.notes if not _RUNS_APART.fullmatch(note)]
    reasons = sorted({*account.candidate_left_out, *account.reference_left_out})
    rows: list[tuple[Line, ...]] = [
        (line(words("alignment.in")), line(f"{account.candidate_rows:,}"), line(f"{account.reference_rows:,}")),
        (line(words("alignment.used")), line(f"{account.candidate_used:,}"), line(f"{account.reference_used:,}")),
    ]
    rows += [
        (
            line(f"{words('alignment.left')}{':' if words.language == 'en' else '：'} {words.name('reason', reason)}"),
            line(f"{account.candidate_left_out.get(reason, 0):,}"),
            line(f"{account.reference_left_out.get(reason, 0):,}"),
        )
        for reason in reasons
    ]
    head = ("", comparison.candidate, comparison.reference)
    return [
        Heading(2, words("section.alignment")),
        Facts(tuple(facts)),
        Text(bold(words("alignment.why"))),
        Table(head, tuple(rows), ("left", "right", "right"), (4, 2, 2)),
    ]


def _pairing(tell: Teller, comparison: Comparison) -> str:
    words, account = tell.words, comparison.alignment
    if not tell.has_times:
        return words("alignment.nearest_order")
    if account.pairing is Pairing.MEAN:
        averaged = words(f"alignment.averaged_{account.averaged}")
        return words("alignment.mean", averaged=averaged, interval=length(account.interval_us / 1e6, words))
    return words("alignment.nearest", tolerance=length(account.tolerance_us / 1e6, words))


def _clock(tell: Teller, comparison: Comparison) -> str:
    words, account = tell.words, comparison.alignment
    clock = account.clock
    if not math.isfinite(clock.offset_us):
        note = "" if clock.note == "the clocks were not compared" else clock.note
        return f"{words('alignment.clock_not_compared')}{_because(tell, note)}"
    if not clock.is_clear:
        return f"{words('alignment.clock_unclear')}{_because(tell, clock.note)}"
    seconds = clock.offset_us / 1e6
    offset = words("alignment.alike")
    if abs(seconds) > _CLEAR * clock.uncertainty_us / 1e6 or not math.isfinite(clock.uncertainty_us):
        spread_s = clock.uncertainty_us / 1e6
        # No more digits than it is known to.
        shown = round(abs(seconds), decimals_for(spread_s)) if spread_s > 0.0 else abs(seconds)
        offset = words(f"alignment.{'ahead' if seconds > 0 else 'behind'}", length=length(shown, words))
    if math.isfinite(clock.uncertainty_us):
        spread = length(float(f"{clock.uncertainty_us / 1e6:.1e}"), words)
        told = words("alignment.clock_found", offset=offset, uncertainty=spread)
    else:
        told = words("alignment.clock_found_plain", offset=offset)
    if account.clock_correction_us:
        return told + words("alignment.corrected", length=length(account.clock_correction_us / 1e6, words))
    return told + words("alignment.not_corrected")


def _because(tell: Teller, note: str) -> str:
    if not note:
        return ""
    told, _ = tell.words.told(note)
    return f" ({told})" if tell.language == "en" else f"（{told}）"


def _response(tell: Teller, comparison: Comparison) -> str:
    words, account = tell.words, comparison.alignment
    if not account.filtered:
        return words("alignment.not_filtered")
    side = words(f"alignment.averaged_{account.filtered}")
    return words("alignment.filtered", side=side, tau=length(account.time_constant_us / 1e6, words))
