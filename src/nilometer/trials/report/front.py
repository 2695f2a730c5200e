"""The first page: the question, the answer with its range, whether it confirms anything, intervals against margins."""

from __future__ import annotations

from nilometer.trials.inference.endpoint import SHOWN, Outcome
from nilometer.trials.report.charts_of_figures import margins
from nilometer.trials.report.document import (
    Answer,
    Answers,
    Block,
    Facts,
    Heading,
    Line,
    Picture,
    Standing,
    Text,
    bold,
    line,
)
from nilometer.trials.report.reasons import reason_of
from nilometer.trials.report.telling import Teller
from nilometer.trials.report.words import visible
from nilometer.trials.result import Comparison, Grade

__all__ = ["front", "standing"]

_FIRST = 2  # answers that leave room on the first page
_ROWS = 12  # of one picture, so that it fits on a page


def front(tell: Teller) -> list[Block]:
    """Return the blocks of the first page."""
    words, trial = tell.words, tell.result.plan.trial
    question = trial.question.strip() or words(
        "page.default_question",
        candidates=words.joined([arm.name for arm in tell.result.plan.candidate]),
        references=words.joined([arm.name for arm in tell.result.plan.reference]),
        property=tell.property_name(),
    )
    blocks: list[Block] = [
        Facts(_about(tell)),
        Heading(1, words("page.question")),
        Text(line(question)),
        Heading(1, words("page.answer")),
    ]
    answers = Answers(tuple(_answer(tell, comparison) for comparison in tell.result.comparisons))
    # Both are on the first page, however many answers there are.
    blocks += [answers, standing(tell)] if len(answers.items) <= _FIRST else [standing(tell), answers]
    blocks.append(Text(bold(words("page.supporting"))))
    blocks += [Text(tell.sentence(note), "quiet") for note in tell.result.notes]
    return blocks + _margins(tell)


def _about(tell: Teller) -> tuple[tuple[str, Line], ...]:
    words, trial = tell.words, tell.result.plan.trial
    rows = [(words("page.quantity"), line(f"{tell.property_name()}{f' ({tell.unit})' if tell.unit else ''}"))]
    if trial.place.strip():
        rows.append((words("page.place"), line(trial.place)))
    period = _period(tell)
    if period:
        rows.append((words("page.period"), line(period)))
    if trial.responsible.strip():
        rows.append((words("page.responsible"), line(trial.responsible)))
    hashes: Line = (
        ("plain", f"{words('page.hash_of_plan')} "),
        ("mono", tell.result.plan.hash()),
        ("plain", f"\n{words('page.hash_of_data')} "),
        ("mono", tell.result.data_hash),
    )
    rows.append((words("page.hashes"), hashes))
    return tuple(rows)


def _period(tell: Teller) -> str:
    """Return from when to when there are pairs: what was, not what was planned."""
    times = [pairs.time for one in tell.result.comparisons if len(pairs := one.pairs)]
    if not tell.has_times or not times:
        return ""
    start, end = min(int(each.min()) for each in times), max(int(each.max()) for each in times)
    zone = tell.result.plan.trial.time_zone
    return f"{tell.words('page.from_to', start=tell.dates.minute(start), end=tell.dates.minute(end))} ({zone})"


def _answer(tell: Teller, comparison: Comparison) -> Answer:
    words, grade = tell.words, comparison.grade
    outcome = str(grade.outcome)
    return Answer(
        outcome=outcome,
        word=words.outcome(outcome),
        who=tell.who(comparison),
        says=words(f"outcome.{outcome}_says", candidate=comparison.candidate, reference=comparison.reference),
        holds=_holds(tell, grade),
        ranges=tuple(
            (tell.condition(name), tell.span(*ends, grade.units.get(name, "1"))) for name, ends in grade.ranges.items()
        )
        + tuple((tell.condition(one.condition), tell.stratum(one)) for one in grade.parts),
        notes=tuple(_note(tell, comparison, note) for note in grade.notes),
    )


def _note(tell: Teller, comparison: Comparison, note: str) -> Line:
    """Return a note; of one that is the reason of a decision, what it says of which endpoint."""
    for decision in comparison.decisions:
        if note == decision.reason:
            return (("bold", visible(decision.endpoint.name)), ("plain", " – "), *reason_of(tell, decision))
    return tell.sentence(note)


def _holds(tell: Teller, grade: Grade) -> str:
    if grade.outcome is Outcome.NOT_TESTED:
        return ""
    if grade.parts:
        return tell.words("outcome.holds_in_parts")
    if grade.outcome not in SHOWN:
        return tell.words("outcome.of_this_water")
    return tell.words("outcome.holds_in" if grade.ranges else "outcome.holds_nowhere")


def standing(tell: Teller) -> Standing:
    """Return whether the answer confirms anything, and why."""
    words, result = tell.words, tell.result
    first = tell.dates.minute(result.first_datum) if tell.has_times else words("page.unknown")
    frozen = "" if result.frozen.at is None else tell.dates.minute(result.frozen.at)
    if result.is_confirmatory:
        key = "confirmatory_says"
    elif result.frozen.at is None:
        key = "never_frozen"
    elif not tell.has_times:
        key = "no_clock"
    else:
        key = "moved_late" if result.frozen.is_before(result.first_datum) else "frozen_late"
    says = words(f"standing.{key}", frozen=frozen, first=first)
    late = result.frozen.amended_after(result.first_datum)
    if result.is_confirmatory and late:
        says += " " * (words.language == "en") + words("standing.also_amended", count=len(late))
    word = words("standing.confirmatory" if result.is_confirmatory else "standing.exploratory")
    return Standing(result.is_confirmatory, words("page.standing"), word, says)


def _margins(tell: Teller) -> list[Block]:
    words, comparisons = tell.words, tell.result.comparisons
    is_one = len({one.reference for one in comparisons}) == 1
    names = [one.candidate if is_one else f"{one.candidate} / {one.reference}" for one in comparisons]
    rows = [
        (f"{decision.endpoint.name} ({names[place]})" if len(comparisons) > 1 else decision.endpoint.name, decision)
        for place, one in enumerate(comparisons)
        for decision in one.decisions
    ]
    gap = " " if words.language == "en" else ""
    blocks: list[Block] = [Heading(1, words("section.margins"))] if rows else []
    for begin in range(0, len(rows), _ROWS):
        part = rows[begin : begin + _ROWS]
        svg, is_cut = margins(part, words)
        told = "; ".join(
            f"{name}: {words.outcome(decision.outcome)}, {tell.estimate(decision.figure)}, "
            f"{tell.ends(decision.figure)}, {words('chart.margin')} {tell.margin(decision)}"
            for name, decision in part
        )
        caption = words("sentence.margins_says") + (gap + words("sentence.beyond") if is_cut else "")
        blocks.append(Picture(svg, f"{words('section.margins')}. {told}", caption))
    return blocks
