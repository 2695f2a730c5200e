"""What the report of a bench run says, in which order: the result first, then all that lets a reader attack it."""

from __future__ import annotations

import math
import platform
from collections import Counter
from importlib import metadata

from nilometer.model.properties import term
from nilometer.trials.bench.identity import data_hash, procedure_hash
from nilometer.trials.bench.limits import BenchLimit, Finding
from nilometer.trials.bench.overall import overall
from nilometer.trials.bench.results import TestResult
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.bench.segment import Outcome
from nilometer.trials.bench.wording import word
from nilometer.trials.figure import Figure
from nilometer.trials.report.bench_charts import PANELS, is_thinned, overview, segments
from nilometer.trials.report.bench_telling import MARKS, BenchTeller
from nilometer.trials.report.bench_test_charts import drawing_of
from nilometer.trials.report.document import (
    Answer,
    Answers,
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Heading,
    Line,
    Picture,
    Table,
    Text,
    bold,
    line,
    mono,
)
from nilometer.trials.report.numbers import NONE, decimals_for, fixed, length, plain, unit_text
from nilometer.trials.report.words import Language, visible

__all__ = ["bench_document"]


def bench_document(run: BenchRun, *, language: Language = "en", command: str) -> Document:
    """Return what the report of a bench run says.

    Parameters
    ----------
    run : BenchRun
        Finished or not; with the runs of other units beside it.
    language : str
        ``en`` or ``zh``.
    command : str
        That makes the report again.

    Raises
    ------
    ConfigError
        If the language is neither, or matplotlib is not installed.
    """
    tell = BenchTeller(run, language)
    words = tell.words
    ended = _ended(run)
    document = Document(
        language=language,
        kind=words("bench.kind"),
        title=visible(tell.about.get("title") or tell.in_language(run.procedure.name, run.procedure.key)),
        made=words("bench.made", date=words("bench.no_rows") if ended is None else tell.dates.minute(ended)),
        # The same run gives the same bytes, whenever they are made.
        made_at=0 if ended is None else ended // 1_000_000,
        supporting=words("page.supporting"),
        labels={name: words(f"page.{name}") for name in ("contents", "skip")},
    )
    document.labels["page"] = words("page.page_of", page="\0", pages="\1")
    document.add(*_front(tell), *_summary(tell), *_equipment(tell), *_steps(tell), *_signal(tell), *_tests(tell))
    document.add(*_excluded(tell), *_open(tell), *_data(tell), *_reproduce(tell, command), *_terms(tell))
    return document


def _ended(run: BenchRun) -> int | None:
    ends = [one.times[-1] if one.times else one.began_us for one in run.segments if one.began_us]
    return max(ends, default=None)


def _front(tell: BenchTeller) -> list[Block]:
    words, run = tell.words, tell.run
    procedure, about = run.procedure, tell.about
    source = words("bench.norm_sure", source=procedure.source, sure=tell.confidence(procedure.confidence))
    name = " ".join(about.get(key, "") for key in ("maker", "model", "serial")).strip()
    rows: list[tuple[str, Line]] = [
        (words("bench.instrument"), tell.stated(name)),
        (words("page.quantity"), line(f"{_property(tell)}{f' ({tell.unit})' if tell.unit else ''}")),
        (words("bench.range"), line(tell.span)),
        (words("bench.procedure"), line(f"{tell.in_language(procedure.name, procedure.key)} ({procedure.key})")),
        (words("bench.norm"), line(source)),
        (words("bench.place"), tell.stated(about.get("place", ""))),
        (words("bench.operator"), tell.stated(about.get("operator", ""))),
    ]
    begins, ended = [one.began_us for one in run.segments if one.values], _ended(run)
    if begins and ended is not None:
        period = words("page.from_to", start=tell.dates.minute(min(begins)), end=tell.dates.minute(ended))
        rows.append((words("bench.period"), line(f"{period} ({tell.dates.zone})")))
    hashes: Line = (
        ("plain", f"{words('bench.hash_of_procedure')} "),
        ("mono", procedure_hash(procedure)),
        ("plain", f"\n{words('page.hash_of_data')} "),
        ("mono", data_hash(run)),
    )
    rows.append((words("page.hashes"), hashes))
    outcome = str(overall(tell.results))
    made = [one for one in tell.results if one.finding not in {Finding.NOT_MADE, Finding.NOT_DECIDED}]
    counted = Counter(one.finding for one in tell.results)
    told = [
        words("bench_overall.count", n=counted[one], finding=word("finding", str(one), tell.language))
        for one in Finding
        if counted[one]
    ]
    gap = "; " if tell.language == "en" else "；"
    counts = words("bench_overall.counts", made=len(made), all=len(tell.results), told=gap.join(told))
    answer = Answer(
        outcome=MARKS[outcome],
        word=words(f"bench_overall.{outcome}"),
        who=name or tell.in_language(procedure.name, procedure.key),
        says=words(f"bench_overall.{outcome}_says"),
        holds=counts,
        ranges=(),
        notes=tuple(line(tell.sentence(note)) for note in run.notes),
    )
    return [
        Facts(tuple(rows)),
        Heading(1, words("bench.answer")),
        Answers((answer,)),
        Text(bold(words("page.supporting"))),
    ]


def _property(tell: BenchTeller) -> str:
    key = tell.run.procedure.observed_property
    if not key:
        return visible(tell.about.get("quantity", "")) or tell.words("page.unknown")
    return term(key).name_zh if tell.language == "zh" else term(key).name_en


def _summary(tell: BenchTeller) -> list[Block]:
    words = tell.words
    head = tuple(words(f"bench_column.{name}") for name in ("test", "result", "limit", "sure", "finding"))
    rows = []
    for one in tell.results:
        first = one.figures[0]
        value = line(tell.estimate(first))
        if len(one.figures) > 1 and tell.figure_name(first).casefold() not in tell.test_name(one).casefold():
            value = (*value, ("quiet", f"\n{tell.figure_name(first)}"))
        ends = tell.ends(first)
        if ends != NONE and math.isfinite(first.value):
            value += (("quiet", f"\n{ends}"),)
        rows.append(
            (
                bold(tell.test_name(one)),
                value,
                line(tell.limit(one.limit)),
                tell.sure(one.limit),
                tell.finding(one.finding),
            )
        )
    return [
        Heading(1, words("bench.summary")),
        Table(head, tuple(rows), ("left", "left", "left", "left", "left"), (4, 3, 3, 3, 4), is_whole=False),
    ]


def _equipment(tell: BenchTeller) -> list[Block]:
    words, about = tell.words, tell.about
    rows = [
        (words("column.maker"), tell.stated(f"{about.get('maker', '')} {about.get('model', '')}")),
        (words("column.serial"), tell.stated(about.get("serial", ""))),
        (words("column.certificate"), tell.stated(about.get("certificate", ""))),
    ]
    blocks: list[Block] = [Heading(1, words("bench.equipment")), Facts(tuple(rows))]
    made = dict.fromkeys(one.step for one in tell.run.segments if one.values)
    given = [key for key in made if _nominal(tell, key) != NONE or key in tell.standards]
    lines = tuple((mono(key), line(_nominal(tell, key)), tell.stated(tell.standards.get(key, ""))) for key in given)
    if lines:
        head = tuple(words(f"bench_column.{name}") for name in ("step", "nominal", "certificate"))
        blocks.append(Table(head, lines, ("left", "left", "left"), (2, 2, 6)))
    return blocks


def _nominal(tell: BenchTeller, key: str) -> str:
    procedure = tell.run.procedure
    nominal = procedure.steps[key].nominal(procedure.low, procedure.high)
    return NONE if nominal is None else tell.value(nominal)


def _steps(tell: BenchTeller) -> list[Block]:
    words, run = tell.words, tell.run
    bounds = run.procedure.steadiness
    says = words("bench_sentence.no_steadiness")
    if any(one.is_steady for one in run.procedure.steps.values()):
        says = words(
            "bench_sentence.steadiness",
            window=length(bounds.window_s, words),
            change=tell.share(bounds.change_pct),
            spread=tell.share(bounds.spread_pct),
        )
    names = ("no", "step", "nominal", "began", "steady", "readings", "mean", "outcome")
    head = tuple(words(f"bench_column.{name}") for name in names)
    rows = tuple(_segment_row(tell, number) for number, one in enumerate(run.segments) if one.began_us)
    blocks: list[Block] = [Heading(1, words("bench.steps")), Text(line(says))]
    if rows:
        aligned = ("right", "left", "right", "left", "right", "right", "right", "left")
        blocks.append(Table(head, rows, aligned, (0, 5, 0, 0, 0, 0, 0, 3)))
    return blocks


def _segment_row(tell: BenchTeller, place: int) -> tuple[Line, ...]:
    one = tell.run.segments[place]
    step = tell.run.procedure.steps[one.step]
    steady = NONE
    if one.steady_us is not None and step.is_steady:
        steady = length((one.steady_us - one.began_us) / 1e6, tell.words)
    there = [value for value in one.readings if math.isfinite(value)]
    mean = NONE
    if there:
        middle = math.fsum(there) / len(there)
        mean = plain(middle, 5)
        s = math.sqrt(math.fsum((value - middle) ** 2 for value in there) / max(len(there) - 1, 1))
        if s > 0.0:
            mean = f"{fixed(middle, decimals_for(s))} ± {fixed(s, decimals_for(s))}"
    return (
        line(str(place + 1)),
        (("mono", one.step), ("quiet", f"\n{visible(tell.instruction(one.step))}")),
        line(_nominal(tell, one.step)),
        line(f"{tell.dates.day(one.began_us)}\n{tell.dates.at(one.began_us):%H:%M:%S}"),
        line(steady),
        line(f"{len(one.readings)}/{step.readings}"),
        line(mean),
        line(word("outcome", str(one.outcome), tell.language)),
    )


def _signal(tell: BenchTeller) -> list[Block]:
    words, run = tell.words, tell.run
    shown = [(number, one) for number, one in enumerate(run.segments, 1) if one.values]
    if not shown:
        return []
    gap = " " if tell.language == "en" else ""
    thinned = gap + words("bench_sentence.thinned") if is_thinned(run) else ""
    blocks: list[Block] = [Heading(1, words("bench.signal"))]
    says = words("bench_sentence.overview_says")
    blocks.append(Picture(overview(run, words), says, says + thinned))
    says = words("bench_sentence.segments_says")
    shown = [(number, one) for number, one in shown if len(one.values) > 1]  # of one value there is nothing to see
    parts = [shown[begin : begin + PANELS] for begin in range(0, len(shown), PANELS)]
    for place, part in enumerate(parts):
        told = ", ".join(f"{number} {one.step}" for number, one in part)
        blocks.append(Picture(segments(run, part, words), f"{says} {told}", says if place == len(parts) - 1 else ""))
    return blocks


def _tests(tell: BenchTeller) -> list[Block]:
    blocks: list[Block] = [Heading(1, tell.words("bench.tests"))]
    drawn: set[tuple[str, tuple[str, ...]]] = set()
    for one in tell.results:
        if one.finding is not Finding.NOT_MADE:
            of = (one.test.statistic, one.test.steps)
            blocks += _test(tell, one, is_drawn=of not in drawn)  # one picture of the same readings
            drawn.add(of)
    return blocks


def _test(tell: BenchTeller, one: TestResult, *, is_drawn: bool) -> list[Block]:
    words = tell.words
    names = ("bench_column.figure", "bench_column.result", "bench_column.interval", "column.pairs", "bench_column.how")
    head = tuple(map(words, names))
    rows = tuple(_figure_row(tell, figure) for figure in one.figures)
    definition = words(
        "bench_sentence.definition", sure=tell.confidence(one.test.confidence), text=tell.sentence(one.test.definition)
    )
    blocks: list[Block] = [Heading(2, tell.test_name(one))]
    limit: Line = () if one.limit is None else (("plain", f" – {_limit_told(tell, one.limit)}"),)
    blocks.append(Text((*tell.finding(one.finding), *limit)))
    blocks.append(Text(line(definition), "quiet"))
    blocks.append(Table(head, rows, ("left", "right", "right", "right", "left"), (4, 0, 0, 0, 5)))
    if one.notes:
        blocks.append(Bullets(tuple(line(tell.sentence(note)) for note in one.notes)))
    drawn = drawing_of(tell.run, one, words) if is_drawn else None
    if drawn is not None:
        blocks.append(Picture(drawn[0], f"{tell.test_name(one)}. {drawn[1]}", drawn[1]))
    return blocks


def _limit_told(tell: BenchTeller, limit: BenchLimit) -> str:
    sure = "".join(text for _, text in tell.sure(limit))
    return tell.words("bench_sentence.limit", limit=tell.limit(limit), source=limit.source, sure=sure)


def _figure_row(tell: BenchTeller, figure: Figure) -> tuple[Line, ...]:
    method = tell.words.name("interval", figure.method) if figure.method else ""
    note = tell.sentence(figure.note)
    gap = "; " if tell.language == "en" else "；"
    return (
        line(tell.figure_name(figure)),
        line(tell.estimate(figure)),
        line(tell.ends(figure)),
        line(f"{figure.n:,}" if figure.n else NONE),
        line(gap.join(part for part in (method, note) if part)),
    )


def _excluded(tell: BenchTeller) -> list[Block]:
    words, run = tell.words, tell.run
    rows: list[tuple[Line, Line]] = []
    for number, one in enumerate(run.segments, 1):
        name = words("bench_sentence.step_left", number=number, step=one.step)
        if one.outcome is not Outcome.COMPLETE:
            why = tell.sentence(one.reason)
            state = word("outcome", str(one.outcome), tell.language)
            rows.append((line(name), line(f"{state}: {why}" if why else state)))
        missing = sum(not math.isfinite(value) for value in one.values)
        if missing:
            rows.append((line(name), line(words("bench_sentence.missing_rows", n=missing, all=len(one.values)))))
        rows += [(line(name), line(tell.sentence(note))) for note in one.notes]
    for result in tell.results:
        if result.finding in {Finding.NOT_MADE, Finding.NOT_DECIDED}:
            name = words("bench_sentence.test_left", test=tell.test_name(result))
            rows.append((line(name), line(tell.sentence(result.figures[0].note))))
    head = (words("bench_column.what"), words("bench_column.why"))
    body: Block = Table(head, tuple(rows), ("left", "left"), (4, 6))
    return [Heading(1, words("bench.excluded")), body if rows else Text(line(words("bench_sentence.nothing_left")))]


def _open(tell: BenchTeller) -> list[Block]:
    words = tell.words

    def of(key: str, wanted: list[TestResult]) -> list[Line]:
        names = words("page.list").join(tell.test_name(one) for one in wanted)
        return [line(words(f"bench_open.{key}", tests=names))] if wanted else []

    known = tell.results
    lacking = [one for one in known if one.finding in {Finding.NOT_MADE, Finding.NOT_DECIDED}]
    items = of("unverified", [one for one in known if one.limit is not None and not one.limit.is_verified])
    items += of("no_limit", [one for one in known if one.limit is None and one not in lacking])
    items += of("not_made", lacking)
    items += of("reaches", [one for one in known if "its interval reaches over the limit" in one.notes])
    procedure = tell.run.procedure
    if not procedure.confidence.startswith("verified"):
        items.append(line(words("bench_open.procedure", sure=tell.confidence(procedure.confidence))))
    if not tell.about.get("certificate", "").strip():
        items.append(line(words("bench_open.no_certificate")))
    given = dict.fromkeys(one.step for one in tell.run.segments if one.values)
    # Actual water has no certificate.
    bare = [key for key in given if _nominal(tell, key) != NONE and not tell.standards.get(key, "").strip()]
    if bare:
        items.append(line(words("bench_open.no_standards", steps=words("page.list").join(bare))))
    if not tell.run.beside:
        items.append(line(words("bench_open.one_unit")))
    return [Heading(1, words("bench.open")), Bullets(tuple(items))]


def _data(tell: BenchTeller) -> list[Block]:
    words, run = tell.words, tell.run
    rows = []
    for place, one in enumerate([run, *run.beside], 1):
        count = sum(len(each.values) for each in one.segments)
        name = words("bench_chart.unit", n=place) if run.beside else words("column.series")
        told = words("bench_sentence.rows", rows=f"{count:,}", segments=len(one.segments), unit=_unit_of(one))
        rows.append((name, (*line(told), ("mono", f"\n{data_hash(one)}"))))
    facts = tell.facts()
    if facts:
        rows.append((words("bench_sentence.facts"), line("\n".join(facts))))
    rows.append((words("bench.hash_of_procedure"), mono(procedure_hash(run.procedure))))
    return [Heading(1, words("bench.data")), Facts(tuple(rows))]


def _unit_of(run: BenchRun) -> str:
    return unit_text(run.unit or run.procedure.unit) or "1"


def _reproduce(tell: BenchTeller, command: str) -> list[Block]:
    words = tell.words
    software = [f"{name} {metadata.version(name)}" for name in ("nilometer", "numpy", "scipy", "matplotlib", "typst")]
    software.append(f"Python {platform.python_version()}")
    key = "same_or_refused" if " --data " in command else "same"
    return [
        Heading(1, words("bench.reproduce")),
        Text(line(words("bench_sentence.reproduce"))),
        Code(visible(command)),
        Text(line(words(f"bench_sentence.{key}"))),
        Facts(((words("sentence.software"), line(", ".join(software))),)),
    ]


def _terms(tell: BenchTeller) -> list[Block]:
    words = tell.words
    known = words.terms("bench_term")
    if tell.language == "en":  # without the Chinese words: a report in English needs no font that has them
        rows: tuple[tuple[Line, ...], ...] = tuple((bold(name), line(meaning)) for name, _, meaning in known)
        table = Table((words("column.term"), words("column.meaning")), rows, ("left", "left"), (3, 9))
    else:
        rows = tuple((bold(name), line(other), line(meaning)) for name, other, meaning in known)
        head = (words("column.term"), "English", words("column.meaning"))
        table = Table(head, rows, ("left", "left", "left"), (3, 4, 8))
    return [Heading(1, words("bench.terms")), table]
