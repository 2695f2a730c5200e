"""What lets a reader attack the answer: decisions, margins, instruments, conditions, the plan's history, the data."""

from __future__ import annotations

import json
import math
import platform
import re
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.inference.endpoint import Decision, Outcome
from nilometer.trials.planning.history import Entry
from nilometer.trials.planning.plan import ArmPlan, EndpointPlan
from nilometer.trials.report.document import (
    Block,
    Bullets,
    Code,
    Facts,
    Heading,
    Line,
    Table,
    Text,
    bold,
    line,
    marked,
    mono,
    quiet,
)
from nilometer.trials.report.numbers import SHARES, length, plain, quantity, share, unit_text
from nilometer.trials.report.reasons import reason_of
from nilometer.trials.report.telling import Teller
from nilometer.trials.report.words import visible
from nilometer.trials.result import Comparison

__all__ = ["compared", "data", "decided", "plan", "remaining", "reproduce", "terms"]

_FEW = 30.0  # effective pairs below which a reader is warned
_CLOCKS_APART = (
    "the candidate's clock seems",
    "the clocks are ",
    "the clocks were left alone: the candidate's clock is put",
)
_SEEMS = re.compile(r"the candidate's clock seems to run (\S+) s (ahead|behind); nothing was moved")
_SHOWN = 240  # letters of a value before and after an amendment


def decided(tell: Teller) -> list[Block]:
    """Return every decision with its reason, and where the margins come from."""
    words = tell.words
    blocks: list[Block] = [Heading(1, words("section.decisions"))]
    for comparison in tell.result.comparisons:
        if not comparison.decisions:
            continue
        if len(tell.result.comparisons) > 1:
            blocks.append(Heading(2, tell.who(comparison)))
        head = tuple(words(f"column.{name}") for name in ("endpoint", "estimate", "margin", "outcome", "why"))
        rows = tuple(_decision_row(tell, decision) for decision in comparison.decisions)
        blocks.append(Table(head, rows, ("left", "left", "left", "left", "left"), (4, 4, 2, 3, 5)))
    origins = _origins(tell)
    return [*blocks, *origins]


def _decision_row(tell: Teller, decision: Decision) -> tuple[Line, ...]:
    words, endpoint, figure = tell.words, decision.endpoint, decision.figure
    claim = words("kind.with_alpha", kind=words(f"kind.{endpoint.kind}"), alpha=plain(endpoint.alpha))
    about = [words.name("statistic", endpoint.statistic), claim]
    about += [
        words(
            "kind.in_condition",
            condition=f"{tell.condition(name)} {words('page.range_to', low=plain(low), high=plain(high))}",
        )
        for name, (low, high) in endpoint.condition.items()
    ]
    gap = "; " if words.language == "en" else "；"
    estimate = line(tell.estimate(figure))
    if math.isfinite(figure.interval[0]) or math.isfinite(figure.interval[1]):
        level = words("interval.at", probability=tell.probability(figure.probability))
        estimate += (
            (
                "plain",
                f"\n{level}: {tell.ends(figure)}" if words.language == "en" else f"\n{level}：{tell.ends(figure)}",
            ),
        )
    return (
        (("bold", visible(endpoint.name)), ("quiet", f"\n{gap.join(about)}")),
        estimate,
        line(tell.margin(decision)),
        marked(str(decision.outcome), words.outcome(decision.outcome)),
        reason_of(tell, decision),
    )


def _origins(tell: Teller) -> list[Block]:
    words = tell.words
    rows = []
    for one in tell.result.plan.endpoint:
        parts = [tell.sentence(one.reckoned)] if one.reckoned.strip() else []
        parts += [line(one.source)] if one.source.strip() else []
        gap = "; " if words.language == "en" else "；"
        told = tuple(run for place, part in enumerate(parts) for run in ((("plain", gap),) if place else ()) + part)
        source = told or quiet(words("origin.no_source"))
        name: Line = bold(one.name)
        if one.against == "samples":
            name += (("quiet", f"\n{words('kind.against_samples')}"),)
        rows.append((name, line(_planned(tell, one)), line(words(f"origin.{one.origin}")), source))
    head = tuple(words(f"column.{name}") for name in ("endpoint", "margin", "origin", "source"))
    return [
        Heading(2, words("section.origins")),
        Table(head, tuple(rows), ("left", "left", "left", "left"), (3, 2, 3, 5)),
    ]


def _planned(tell: Teller, endpoint: EndpointPlan) -> str:
    """Return a margin as the plan has it, in the unit of its statistic."""
    if endpoint.relative:
        return tell.words("origin.relative", share=share(endpoint.margin))
    if endpoint.statistic in SHARES:
        return share(endpoint.margin)
    decided = (decision for one in tell.result.comparisons for decision in one.decisions)
    units = [decision.figure.unit for decision in decided if decision.endpoint.name == endpoint.name]
    return quantity(plain(endpoint.margin), endpoint.unit or next(iter(units), tell.result.plan.trial.unit))


def compared(tell: Teller) -> list[Block]:
    """Return the instruments with their certificates, the samples, and what the water was like."""
    words, trial = tell.words, tell.result.plan.trial
    blocks: list[Block] = [Heading(1, words("section.compared"))]
    facts = [
        (words(f"page.{key}"), line(text))
        for key, text in (("standard", trial.standard or ""), ("cleaning", trial.cleaning))
        if text.strip()
    ]
    if facts:
        blocks.append(Facts(tuple(facts)))
    blocks.append(Heading(2, words("section.equipment")))
    head = tuple(words(f"column.{name}") for name in ("instrument", "maker", "serial", "certificate", "uncertainty"))
    rows = tuple(_arm(tell, role, arm) for role, arm in tell.arms())
    blocks.append(Table((*head, words("column.more")), rows, ("left",) * 6, (3, 3, 2, 3, 3, 4)))
    if tell.result.plan.sample:
        head = tuple(words(f"column.{name}") for name in ("samples", "laboratory", "method", "uncertainty"))
        samples: tuple[tuple[Line, ...], ...] = tuple(
            (
                bold(one.name),
                tell.stated(one.laboratory),
                tell.stated(one.method),
                _uncertainty(tell, one.uncertainty, one.relative_uncertainty),
            )
            for one in tell.result.plan.sample
        )
        blocks += [Heading(2, words("section.samples")), Table(head, samples, ("left",) * 4, (3, 4, 4, 4))]
    return blocks + _conditions(tell)


def _arm(tell: Teller, role: str, arm: ArmPlan) -> tuple[Line, ...]:
    """Return an instrument as a row: what else the plan states of it stands in the last cell."""
    words = tell.words
    optional = (
        ("lot", arm.lot),
        ("site", arm.site),
        ("response", "" if arm.t90 is None else length(arm.t90, words)),
        ("every", "" if arm.every is None else length(arm.every, words)),
        ("profile", arm.profile or ""),
    )
    more = [(words(f"column.{key}"), text) for key, text in optional if text.strip()]
    if arm.calibration is not None:
        more.append((words("column.calibration"), _calibration(tell, arm.calibration)))
    colon = ": " if words.language == "en" else "："
    return (
        (("bold", visible(arm.name)), ("quiet", f"\n{role}")),
        tell.stated(" ".join(part for part in (arm.maker, arm.model) if part.strip())),
        tell.stated(arm.serial),
        tell.stated(arm.certificate),
        _uncertainty(tell, arm.uncertainty, arm.relative_uncertainty),
        line("\n".join(f"{name}{colon}{visible(text)}" for name, text in more)),
    )


def _calibration(tell: Teller, told: dict[str, Any]) -> str:
    """Return a certificate's function: its kind, coefficients, and from which unit to which it leads."""
    rest = {key: each for key, each in told.items() if key not in {"kind", "coefficients", "unit_in", "unit_out"}}
    parts = [tell.words.name("calibration", str(told["kind"]))] if "kind" in told else []
    parts += [plain(float(each), 5) for each in told.get("coefficients", ())]
    ends = [unit_text(str(told[key])) for key in ("unit_in", "unit_out") if told.get(key)]
    parts += [f"({' → '.join(ends)})"] if ends else []
    parts += [f"{key} {_value(tell, each)}" for key, each in rest.items()]
    return " ".join(parts)


def _uncertainty(tell: Teller, absolute: float | None, relative: float | None) -> Line:
    parts = []
    if absolute is not None:
        parts.append(quantity(plain(absolute), tell.result.plan.trial.unit))
    if relative is not None:
        parts.append(share(relative))
    return line(" + ".join(parts) + " (k = 1)") if parts else tell.stated("")


def _conditions(tell: Teller) -> list[Block]:
    """Return what the water was like at the pairs, by comparison; the reference's own result is the first."""
    words = tell.words
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}  # of which comparisons one row is
    for comparison in tell.result.comparisons:
        series = {"range": comparison.pairs.reference, **comparison.pairs.conditions}
        for name, values in series.items():
            row = (name, _condition_row(tell, name, values))
            alike.setdefault(row, []).append(f"{comparison.candidate} / {comparison.reference}")
    every = len(tell.result.comparisons)
    rows = tuple(
        (line(tell.condition(name) + ("" if len(of) == every else f" ({words.joined(of)})")), *map(line, cells))
        for (name, cells), of in alike.items()
    )
    head = tuple(words(f"column.{name}") for name in ("condition", "range", "middle", "mean", "unknown_pairs"))
    return [
        Heading(2, words("section.conditions")),
        Table(head, rows, ("left", "right", "right", "right", "right"), (3, 0, 0, 0, 0)),
    ]


def _condition_row(tell: Teller, name: str, values: NDArray[np.float64]) -> tuple[str, ...]:
    """Return from where to where a condition was at the pairs, where its middle 90 %, its mean, and at how many not."""
    there = values[np.isfinite(values)]
    unknown, unit = tell.words("page.unknown"), _condition_unit(tell, name)
    if not len(there):
        return unknown, unknown, unknown, f"{len(values):,}"
    low, high = (float(end) for end in np.quantile(there, [0.05, 0.95]))
    return (
        tell.span(float(there.min()), float(there.max()), unit),
        tell.span(low, high, unit),
        quantity(plain(float(there.mean())), unit),
        f"{len(values) - len(there):,}",
    )


def _condition_unit(tell: Teller, name: str) -> str:
    if name == "range":
        return tell.result.plan.trial.unit
    for comparison in tell.result.comparisons:
        for stratum in comparison.strata:
            if stratum.condition == name:
                return stratum.unit
        if name in comparison.grade.units:
            return comparison.grade.units[name]
    planned = tell.result.plan.condition.get(name)
    return planned.unit if planned is not None and planned.unit else "1"


def remaining(tell: Teller) -> list[Block]:
    """Return what the trial leaves open, as its own data show it."""
    words, result = tell.words, tell.result
    items: list[Line] = [] if result.is_confirmatory else [line(words("open.exploratory"))]
    # What is open of several alike is said once.
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for comparison in result.comparisons:
        for key, parts in _open_of(tell, comparison):
            alike.setdefault((key, tuple(parts.items())), []).append(tell.who(comparison))
    items += [line(words(key, who=words.joined(who), **dict(parts))) for (key, parts), who in alike.items()]
    arms = [arm for _role, arm in tell.arms()]
    bare = [arm.name for arm in arms if not arm.certificate.strip()]
    if bare:
        items.append(line(words("open.no_certificate", names=words.joined(bare))))
    vague = [arm.name for arm in result.plan.reference if arm.uncertainty is None and arm.relative_uncertainty is None]
    if vague:
        items.append(line(words("open.no_uncertainty", names=words.joined(vague))))
    models = [(arm.maker, arm.model) for arm in result.plan.candidate]
    if len(set(models)) == len(models):
        items.append(line(words("open.one_unit")))
    items += [
        line(words("open.no_source", endpoint=one.name)) for one in result.plan.endpoint if not one.source.strip()
    ]
    items = items or [line(words("open.nothing"))]
    return [Heading(1, words("section.open")), Bullets(tuple(items))]


def _open_of(tell: Teller, comparison: Comparison) -> list[tuple[str, dict[str, str]]]:
    """Return what a comparison leaves open: the key of each sentence, and its parts but for who it is of."""
    words = tell.words
    items: list[tuple[str, dict[str, str]]] = [
        (f"open.{decision.outcome}", {"endpoint": decision.endpoint.name})
        for decision in comparison.decisions
        if decision.outcome in {Outcome.INCONCLUSIVE, Outcome.NOT_TESTED}
    ]
    items += [
        ("open.empty", {"condition": tell.condition(stratum.condition), "range": tell.stratum(stratum)})
        for stratum in comparison.strata
        if not stratum.n
    ]
    clock = comparison.alignment.clock
    if tell.has_times and not clock.is_clear and clock.note:
        items.append(("open.clock", {"note": words.told(clock.note)[0]}))
    apart = [note for note in comparison.alignment.notes if note.startswith(_CLOCKS_APART)]
    items += [("open.clock_apart", {"note": _apart(tell, note)}) for note in apart]
    bias = comparison.figure("bias")
    if bias is not None and bias.n_effective < _FEW:
        items.append(("open.few", {"n": plain(bias.n_effective, 2)}))
    return items


def _apart(tell: Teller, note: str) -> str:
    """Return by how much clocks are apart, as a length that reads well where the engine has seconds."""
    found = _SEEMS.fullmatch(note)
    if not found:
        return tell.words.told(note)[0]
    offset = tell.words(f"alignment.{found[2]}", length=length(float(found[1]), tell.words))
    return tell.words("alignment.clock_found_plain", offset=offset)


def plan(tell: Teller) -> list[Block]:
    """Return the hash of the plan, when it was frozen, and every amendment with what was before and after."""
    words, result = tell.words, tell.result
    entries = result.frozen.entries
    first = line(tell.dates.minute(result.first_datum)) if tell.has_times else tell.stated("")
    rows = [(words("sentence.plan_hash"), mono(result.plan.hash()))]
    if entries:
        by = f" ({entries[0].by})" if entries[0].by.strip() else ""
        rows += [
            (words("sentence.frozen_at"), line(f"{tell.dates.of_text(entries[0].at)}{by}")),
            (words("sentence.frozen_hash"), mono(result.frozen.hash)),
        ]
    else:
        rows.append((words("sentence.frozen_at"), bold(words("sentence.never"))))
    rows.append((words("sentence.first_datum"), first))
    if len(entries) == 1:
        rows.append((words("sentence.amendments"), line(words("sentence.no_amendments"))))
    blocks: list[Block] = [
        Heading(1, words("section.plan")),
        Facts(tuple(rows)),
        Text(quiet(words("page.zone", zone=result.plan.trial.time_zone)), "quiet"),
    ]
    for number, entry in enumerate(entries[1:], start=1):
        blocks += _amendment(tell, number, entry)
    return blocks


def _amendment(tell: Teller, number: int, entry: Entry) -> list[Block]:
    words = tell.words
    is_late = entry in tell.result.frozen.amended_after(tell.result.first_datum)
    when = words("sentence.amended", number=number, when=tell.dates.of_text(entry.at))
    rank = words("sentence.amended_late" if is_late else "sentence.amended_early")
    by = f" · {entry.by}" if entry.by.strip() else ""
    head = tuple(words(f"column.{name}") for name in ("key", "before", "after"))
    rows = tuple(
        (mono(change["key"]), line(_value(tell, change["before"])), line(_value(tell, change["after"])))
        for change in entry.changes
    )
    return [
        Heading(2, when),
        Text((("bold", rank), ("quiet", visible(by)))),
        Text(line(words("sentence.because", why=entry.why or words("page.unknown")))),
        Table(head, rows, ("left", "left", "left"), (3, 4, 4)),
    ]


def _value(tell: Teller, value: object) -> str:
    if value is None:
        return tell.words("page.none")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def data(tell: Teller) -> list[Block]:
    """Return the series that were read, with their hashes."""
    words = tell.words
    rows = []
    for part in tell.result.taken:
        place = part.place
        if not tell.has_times:
            place = f"{place.removesuffix(', by order')} ({words('sentence.by_order')})"
        where: Line = (("plain", visible(place)), ("mono", f"\n{part.hash}"))
        for note in part.notes:
            where += (("plain", "\n"), *tell.sentence(note))
        name = tell.condition(part.name) if part.name in tell.result.plan.condition else part.name
        rows.append((line(name), line(f"{part.rows:,}"), line(f"{part.missing:,}"), where))
    head = tuple(words(f"column.{name}") for name in ("series", "rows", "missing", "where"))
    return [
        Heading(1, words("section.data")),
        Table(head, tuple(rows), ("left", "right", "right", "left"), (2, 0, 0, 7)),
        Facts(((words("sentence.data_hash"), mono(tell.result.data_hash)),)),
    ]


def reproduce(tell: Teller, command: str) -> list[Block]:
    """Return the one command that makes the report again."""
    words = tell.words
    software = [f"nilometer {tell.result.version}"]
    software += [f"{name} {metadata.version(name)}" for name in ("numpy", "scipy", "numba", "matplotlib", "typst")]
    software.append(f"Python {platform.python_version()}")
    return [
        Heading(1, words("section.reproduce")),
        Text(line(words("sentence.reproduce"))),
        Code(visible(command)),
        Text(line(words("sentence.same_or_refused" if " --data " in command else "sentence.same"))),
        Facts(((words("sentence.software"), line(", ".join(software))),)),
    ]


def terms(tell: Teller) -> list[Block]:
    """Return what the words of the report mean, with the word of the other language."""
    words = tell.words
    known = words.terms()
    if words.language == "en":
        # Without the Chinese words: a report in English needs no font that has them.
        rows: tuple[tuple[Line, ...], ...] = tuple((bold(term), line(meaning)) for term, _, meaning in known)
        table = Table((words("column.term"), words("column.meaning")), rows, ("left", "left"), (3, 9))
    else:
        rows = tuple((bold(term), line(other), line(meaning)) for term, other, meaning in known)
        head = (words("column.term"), "English", words("column.meaning"))
        table = Table(head, rows, ("left", "left", "left"), (3, 4, 8))
    return [Heading(1, words("section.terms")), table]
