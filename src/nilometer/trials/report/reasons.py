"""Why a decision is what it is, as a reader wants it told: the numbers stand beside it already."""

from __future__ import annotations

import math
import re

from nilometer.trials.inference.endpoint import Decision, Outcome
from nilometer.trials.report.document import Line, line
from nilometer.trials.report.telling import Teller

__all__ = ["reason_of"]

_BEFORE = re.compile(
    r"not tested, for '(?P<name>.*?)' before it was not shown(?:; its figure alone: (?P<rest>.*))?", re.DOTALL
)
_HANGS = re.compile(r"(?P<rest>.*?); it hangs on how it is reckoned: (?P<flips>.*)", re.DOTALL)
_LACKS = re.compile(r".*?(?:decides nothing|cannot be formed|has no interval): (?P<why>.*)", re.DOTALL)
_NUMBERS = re.compile(r".* allowed\) (?:lies|reaches) .*", re.DOTALL)


def reason_of(tell: Teller, decision: Decision) -> Line:
    """Return why, in the language of the report.

    The engine's sentence repeats the numbers of the row; of it only what the row does not show is told: what is
    lacking, and on what the outcome hangs. A sentence of another kind is told as it is.
    """
    words, rest = tell.words, decision.reason
    parts: list[Line] = []
    before = _BEFORE.fullmatch(rest)
    if before:
        parts.append(line(words("sentence.why_before", name=before["name"])))
        rest = before["rest"] or ""
    elif decision.outcome is Outcome.INCONCLUSIVE and not _has_interval(decision):
        parts.append(line(words("sentence.why_unknown")))
    elif decision.outcome is Outcome.INCONCLUSIVE and ") decides nothing: " in rest:
        parts.append(line(words("sentence.why_little")))
    else:
        parts.append(line(words(f"sentence.why_{decision.outcome}")))
    hangs = _HANGS.fullmatch(rest)
    rest = hangs["rest"] if hangs else rest
    lacks = _LACKS.fullmatch(rest)
    if lacks:
        parts.append(_ended(tell, tell.sentence(lacks["why"])))
    elif rest and not _NUMBERS.fullmatch(rest):
        parts.append(_ended(tell, tell.sentence(rest)))
    if hangs:
        flips = [words.told(flip)[0] for flip in hangs["flips"].split(", ")]
        parts.append(line(words("sentence.hangs", flips=words.joined(flips))))
    if decision.note:
        parts.append(_ended(tell, tell.sentence(decision.note)))
    gap = " " if words.language == "en" else ""
    told = parts[0]
    for part in parts[1:]:
        told += (("plain", gap), *part)
    return told


def _ended(tell: Teller, told: Line) -> Line:
    """Return a clause of the engine as a sentence."""
    (style, text), *more = told
    stop = "" if text.endswith((".", "。")) else tell.words("sentence.stop")
    return ((style, f"{text[:1].upper()}{text[1:]}{stop}"), *more)


def _has_interval(decision: Decision) -> bool:
    return all(math.isfinite(end) for end in decision.figure.interval)
