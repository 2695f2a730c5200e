"""Tables of a trial beside the figures of its pairs: what was due, laboratory samples, classes, units and lots."""

from __future__ import annotations

from nilometer.trials.figure import Figure
from nilometer.trials.norms import NormVerdict
from nilometer.trials.report.document import Block, Heading, Line, Table, Text, bold, line
from nilometer.trials.report.numbers import (
    NONE,
    decimals_for,
    fixed,
    interval,
    joined,
    length,
    plain,
    quantity,
    share,
    unit_text,
)
from nilometer.trials.report.telling import Teller
from nilometer.trials.result import Comparison
from nilometer.trials.statistics.lots import Components, Row

__all__ = [
    "effective",
    "ends_alone",
    "figure_table",
    "of_comparison",
    "references",
    "units_and_lots",
    "usual_probability",
]

_LEAST_P = 0.001  # below it no digit of a probability of error says anything


def figure_table(tell: Teller, figures: tuple[Figure, ...]) -> Table:
    """Return figures with interval, n, what the pairs are worth, and method."""
    words = tell.words
    usual = usual_probability(figures)
    head = tuple(words(f"column.{name}") for name in ("figure", "value", "interval", "pairs", "effective", "method"))
    rows = tuple(_figure_row(tell, figure, usual) for figure in figures)
    return Table(head, rows, ("left", "right", "right", "right", "right", "left"), (3, 0, 0, 0, 0, 4))


def usual_probability(figures: tuple[Figure, ...]) -> float:
    """Return the probability that most intervals have."""
    all_of_them = [figure.probability for figure in figures]
    return max(sorted(set(all_of_them)), key=all_of_them.count)


def _figure_row(tell: Teller, figure: Figure, usual: float) -> tuple[Line, ...]:
    words = tell.words
    method = words.name("interval", figure.method) if figure.method else words("interval.no_interval")
    if figure.method and figure.probability != usual:
        method += f" ({tell.probability(figure.probability)})"
    told: Line = line(method)
    if figure.note:
        told += (("plain", "; " if words.language == "en" else "；"), *tell.sentence(figure.note))
    return (
        line(words.name("statistic", figure.name)),
        line(f"< {_LEAST_P}" if figure.name == "linearity" and figure.value < _LEAST_P else tell.estimate(figure)),
        line(ends_alone(tell, figure)),
        line(f"{figure.n:,}"),
        line(effective(figure)),
        told,
    )


def ends_alone(tell: Teller, figure: Figure) -> str:
    """Return the ends of an interval without their unit, which stands beside the value."""
    _value, low, high, _unit = interval(figure)
    return NONE if low == high == NONE else tell.words("page.range_to", low=low, high=high)


def effective(figure: Figure) -> str:
    """Return how many independent pairs a figure rests on."""
    worth = figure.n_effective
    return f"{worth:,.0f}" if worth >= 100 else plain(worth, 2)


def of_comparison(tell: Teller, comparison: Comparison) -> list[Block]:
    """Return what was due and given, errors against samples, and the agreement of classes, where there are any."""
    words = tell.words
    blocks: list[Block] = []
    if comparison.availability:
        blocks += [Heading(2, words("section.availability")), _availability(tell, comparison)]
    for name, figures in comparison.samples.items():
        blocks.append(Heading(2, words("section.against_samples", name=name)))
        if figures:
            blocks.append(figure_table(tell, figures))
        if name in comparison.norms:
            blocks += _norm(tell, comparison, comparison.norms[name])
    if comparison.classes is not None:
        blocks += _classes(tell, comparison)
    return blocks


def _availability(tell: Teller, comparison: Comparison) -> Table:
    words = tell.words
    known = list(comparison.availability.values())
    lines = (
        ("every", [length(one.interval_us / 1e6, words) for one in known]),
        ("due", [f"{one.due:,}" for one in known]),
        ("present", [f"{one.present:,} ({tell.estimate(one.uptime)})" for one in known]),
        ("valid", [f"{one.valid:,} ({tell.estimate(one.data_yield)})" for one in known]),
        ("maintenance", [f"{one.maintenance:,}" for one in known]),
        ("outages", [f"{one.outages:,}" for one in known]),
        ("longest", [length(one.longest_outage_us / 1e6, words) for one in known]),
    )
    rows = tuple((line(words(f"availability.{key}")), *map(line, told)) for key, told in lines)
    right = ("right",) * len(known)
    return Table(("", *comparison.availability), rows, ("left", *right), (4, *[2] * len(known)))


def _classes(tell: Teller, comparison: Comparison) -> list[Block]:
    words, found = tell.words, comparison.classes
    if found is None:
        return []
    names = [_class(tell, name) for name in found.classes]
    head = (words("classes.corner"), *names)
    rows = tuple(
        (bold(name), *(line(f"{int(count):,}" if count else NONE) for count in row))
        for name, row in zip(names, found.confusion, strict=True)
    )
    width = len(found.classes)
    told = words(
        "classes.says",
        one=f"{found.off_by_one:,}",
        more=f"{found.off_by_more:,}",
        near=f"{found.near:,}",
        undecided=f"{found.undecided:,}",
    )
    return [
        Heading(2, words("section.classes")),
        Table(head, rows, ("left", *["right"] * width), (3, *[1] * width)),
        Text(line(told), "quiet"),
        figure_table(tell, (found.agreement, found.kappa, found.off_by_one_near_limit)),
    ]


def _class(tell: Teller, name: str) -> str:
    better = name.removeprefix("inferior ")
    return tell.words("classes.class" if better == name else "classes.inferior", name=better)


def _norm(tell: Teller, comparison: Comparison, found: NormVerdict) -> list[Block]:
    words, blocks = tell.words, []
    for name, one in ((comparison.candidate, found.candidate), (comparison.reference, found.reference)):
        if one is None:
            continue
        limit = share(one.limit) if one.is_relative else quantity(plain(one.limit), found.unit)
        passes = words("norm.passes" if one.passes else "norm.fails")
        told = words("norm.says", norm=one.norm, name=name, passes=passes, within=sum(one.within), n=len(one.errors))
        blocks.append(Text(line(f"{told}{words('norm.needs', needed=one.needed, limit=limit)}")))
    if found.note:
        blocks.append(Text(tell.sentence(found.note)))
    return [*blocks, Text(line(words("norm.beside")), "quiet")]


def references(tell: Teller) -> list[Block]:
    """Return what several references differ by, how they became one, and how much each errs."""
    words, found = tell.words, tell.result.references
    if not (found.differences or found.errors):
        return []
    blocks: list[Block] = [Heading(1, words("section.references"))]
    rows = [
        (line(words("references.beside", one=one, other=other)), line(tell.estimate(each)), line(tell.ends(each)))
        for one, other, each in found.differences
    ]
    if rows:
        agree = tell.result.plan.references.agree_within or 0.0
        head = tuple(words(f"column.{name}") for name in ("reference", "mean_difference", "interval"))
        blocks.append(Text(line(words("references.agree", within=quantity(plain(agree), tell.result.plan.trial.unit)))))
        blocks.append(Table(head, tuple(rows), ("left", "right", "right"), (3, 2, 2)))
    one = found.combination
    if one is not None:
        weights = words.joined([f"{name} {share(weight)}" for name, weight in zip(one.names, one.weights, strict=True)])
        says = words("references.combined", weights=weights, n=f"{one.n:,}")
        birge = words("references.birge", ratio=plain(one.birge_ratio)) if one.birge_ratio > 0.0 else ""
        blocks.append(Text(line(says + birge)))
        if one.note:
            blocks.append(Text(tell.sentence(one.note)))
    for name, error in found.errors.items():
        low, high = (quantity(plain(end), f"({tell.result.plan.trial.unit})²") for end in error.interval)
        ends = words("page.range_to", low=low, high=high)
        sd = quantity(plain(error.sd), tell.result.plan.trial.unit) if error.variance >= 0.0 else NONE
        blocks.append(Text(line(words("references.error", name=name, sd=sd, ends=ends, n=f"{error.n:,}")), "quiet"))
    return blocks


def units_and_lots(tell: Teller) -> list[Block]:
    """Return how units and lots differ beside each reference."""
    words = tell.words
    blocks: list[Block] = [Heading(1, words("section.units"))] if tell.result.units else []
    for reference, found in tell.result.units.items():
        if len(tell.result.units) > 1:
            blocks.append(Heading(2, reference))
        blocks += [Text(line(words("units.says", reference=reference))), _rows(tell, found, found.units, "unit")]
        if found.lots:
            blocks.append(_rows(tell, found, found.lots, "lot"))
        blocks.append(figure_table(tell, (found.within, found.unit, found.lot)))
        total = joined(plain(found.total), unit_text(found.within.unit))
        blocks.append(Text(line(words("units.total", total=total)), "quiet"))
    return blocks


def _rows(tell: Teller, found: Components, rows: tuple[Row, ...], kind: str) -> Table:
    words, unit = tell.words, unit_text(found.within.unit)
    made = []
    for row in rows:
        half = (row.interval[1] - row.interval[0]) / 2.0
        shown = [plain(number) for number in (row.mean, *row.interval, row.apart)]
        if half > 0.0:
            shown = [fixed(number, decimals_for(half)) for number in (row.mean, *row.interval, row.apart)]
        mean, low, high, apart = shown
        named = line(row.name if kind == "lot" or row.lot in {"", row.name} else f"{row.name} ({row.lot})")
        ends = words("page.range_to", low=low, high=high) if low != NONE else NONE
        made.append(
            (
                named,
                line(joined(mean, unit)),
                line(ends),
                line(joined(apart, unit)),
                line(joined(plain(row.sd, 2), unit)),
                line(f"{row.n:,}"),
            )
        )
    head = tuple(words(f"column.{name}") for name in (kind, "mean_difference", "interval", "apart", "sd", "results"))
    return Table(head, tuple(made), ("left", *["right"] * 5), (3, 0, 0, 0, 0, 0))
