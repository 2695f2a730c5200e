"""A run of a procedure: a machine fed with rows and with the operator's word, that says what to do next.

It knows no clock, file or server: times come with the rows, so the same rows give the same run live, from a file, and
after it was saved and resumed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from nilometer.errors import ConfigError
from nilometer.trials.bench import plausibility
from nilometer.trials.bench.procedure import Procedure, Step
from nilometer.trials.bench.segment import Outcome, Segment
from nilometer.units import convert

__all__ = ["BenchRun", "Phase", "Prompt"]

_SAVED: Final = 1
_MOVED: Final = 2.0  # a signal that was steady has moved when it leaves twice the bounds that made it steady


class Phase(StrEnum):
    """What a run waits for."""

    OPERATOR = "operator"
    SETTLING = "settling"
    READING = "reading"
    TROUBLE = "trouble"
    FINISHED = "finished"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is to be done next.

    Parameters
    ----------
    phase : Phase
        What the run waits for.
    step : str
        Key of the step it is about; empty at the end.
    do : str
        For the operator, in the language asked for.
    reason : str
        Why it waits, or what the trouble is.
    """

    phase: Phase
    step: str
    do: str
    reason: str


@dataclass(slots=True)
class BenchRun:
    """One run.

    Parameters
    ----------
    procedure : Procedure
        On the range of this instrument.
    unit : str
        Of the rows that are fed; they are converted to the procedure's.
    facts : mapping
        What is known without readings, such as ``hours`` and ``failures``.
    beside : list of BenchRun
        Runs of the same procedure at other units of the same make, for what is told of several; not saved with it.
    heard : callable, optional
        Called with every input once it was taken: the same inputs give the same run (`bench.journal`).

    Raises
    ------
    UnitError
        If rows of `unit` cannot be of the procedure's quantity.
    """

    procedure: Procedure
    unit: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    place: int = 0
    notes: list[str] = field(default_factory=list)
    is_aborted: bool = False
    beside: list[BenchRun] = field(default_factory=list)
    heard: Callable[[list[Any]], None] | None = None
    _newest_us: int | None = None

    def __post_init__(self) -> None:
        convert(0.0, self.unit or self.procedure.unit, self.procedure.unit)

    @property
    def phase(self) -> Phase:
        """What the run waits for."""
        if self.is_aborted:
            return Phase.ABORTED
        last = self.segments[-1] if self.segments else None
        if last is not None and last.outcome is Outcome.OPEN:
            return Phase.SETTLING if last.steady_us is None else Phase.READING
        if last is not None and last.outcome is Outcome.NOT_STEADY and last.place == self.place:
            return Phase.TROUBLE
        return Phase.FINISHED if self.place >= len(self.procedure.order) else Phase.OPERATOR

    @property
    def fed_until_us(self) -> int | None:
        """When the newest row that was taken or passed over was, or the open segment began; None before any."""
        last = self.segments[-1] if self.segments else None
        began = last.began_us if last is not None and last.outcome is Outcome.OPEN else None
        known = [moment for moment in (self._newest_us, began) if moment is not None]
        return max(known, default=None)

    def upcoming(self, language: str = "en") -> str:
        """Return what will be to do once the open step is done, so that it can be made ready; empty: nothing."""
        done = self._concluded() | {self.place}
        place = next((at for at in range(len(self.procedure.order)) if at not in done), None)
        if place is None:
            return ""
        return self.instruction(self.procedure.steps[self.procedure.order[place]], language)

    def prompt(self, language: str = "en") -> Prompt:
        """Return what is to be done next."""
        phase = self.phase
        if phase in {Phase.FINISHED, Phase.ABORTED}:
            return Prompt(phase, "", "", self.notes[-1] if self.notes and phase is Phase.ABORTED else "")
        if phase is Phase.OPERATOR:
            step = self.procedure.steps[self.procedure.order[self.place]]
            return Prompt(phase, step.key, self.instruction(step, language), "")
        segment = self.segments[-1]
        step = self.procedure.steps[segment.step]
        return Prompt(phase, step.key, self.instruction(step, language), segment.reason)

    def instruction(self, step: Step, language: str = "en") -> str:
        """Return what the operator is to do at a step."""
        nominal = step.nominal(self.procedure.low, self.procedure.high)
        value = "" if nominal is None else f"{nominal:.6g}"
        text = step.do.get(language) or step.do.get("en") or step.key
        return text.format(
            value=value, unit=self.procedure.unit if self.procedure.unit != "1" else "", level=step.level
        )

    def confirm(self, time_us: int, step: str | None = None) -> None:
        """Take the operator's word that the standard of the step has been given at this moment.

        Parameters
        ----------
        time_us : int
            µs since 1970 UTC.
        step : str, optional
            Another step than the next: those before it stay to be done.

        Raises
        ------
        ConfigError
            If the procedure has no such step, or nothing is to be confirmed.
        """
        if self.phase not in {Phase.OPERATOR, Phase.TROUBLE} and step is None:
            raise ConfigError("confirm", seen=self.phase, allowed=(Phase.OPERATOR, Phase.TROUBLE))
        if step is not None and step not in self.procedure.steps:
            raise ConfigError("step", seen=step, allowed=self.procedure.steps)
        self._close("another step was begun")
        if self.phase is Phase.TROUBLE and step is None:
            self.segments[-1].outcome = Outcome.REPEATED
        key = step or self.procedure.order[self.place]
        done = self._concluded()
        places = [at for at, one in enumerate(self.procedure.order) if one == key and at not in done]
        if places:
            self.place = places[0]
        self.segments.append(Segment(key, time_us, places[0] if places else -1))
        self._tell("confirm", time_us, step)

    def _tell(self, *entry: Any) -> None:  # noqa: ANN401 -- JSON
        if self.heard is not None:
            self.heard(list(entry))

    def _concluded(self) -> set[int]:
        """Return the places of the order that nothing more is to be done for."""
        ends = {Outcome.COMPLETE, Outcome.SHORT, Outcome.SKIPPED}
        return {one.place for one in self.segments if one.outcome in ends}

    def _go_on(self) -> None:
        done = self._concluded()
        self.place = next((at for at in range(len(self.procedure.order)) if at not in done), len(self.procedure.order))

    def feed(self, times: ArrayLike, values: ArrayLike) -> int:
        """Take rows, in order of time; return how many were taken.

        Those before the newest one are refused with a note (the clock has jumped), unless they are there already;
        those outside a step are passed over. Once a step is done the rest waits for the operator's word.
        """
        when = np.atleast_1d(np.asarray(times, np.int64))
        what = convert(np.asarray(values, np.float64), self.unit or self.procedure.unit, self.procedure.unit)
        taken = 0
        for moment, value in zip(when.tolist(), np.atleast_1d(what).tolist(), strict=True):
            if self._newest_us is not None and moment <= self._newest_us:
                if moment < self._newest_us and not self._has(moment):
                    self.notes.append(
                        f"{stamp(moment)} comes after {stamp(self._newest_us)}: the clock jumped, row left"
                    )
                continue
            self._newest_us = moment
            segment = self.segments[-1] if self.segments else None
            if segment is None or segment.outcome is not Outcome.OPEN or moment < segment.began_us:
                continue
            segment.times.append(moment)
            segment.values.append(value)
            taken += 1
            self._advance(segment)
        if len(when):
            given = np.atleast_1d(np.asarray(values, np.float64)).tolist()
            self._tell("feed", when.tolist(), [None if value != value else value for value in given])  # noqa: PLR0124 -- NaN
        return taken

    def _has(self, moment: int) -> bool:
        """Return whether a row of this moment is there, or was passed over: the same row may come by two ways."""
        segment = self.segments[-1] if self.segments else None
        if segment is None or moment < segment.began_us or segment.outcome is not Outcome.OPEN:
            return True
        place = bisect_left(segment.times, moment)
        return place < len(segment.times) and segment.times[place] == moment

    def tick(self, time_us: int) -> None:
        """Let time pass without a row: a silent instrument is given up like one that is not steady."""
        segment = self.segments[-1] if self.segments else None
        if segment is not None and segment.outcome is Outcome.OPEN:
            newest = segment.times[-1] if segment.times else segment.began_us
            if self._give_up(segment, time_us, f"no value since {stamp(newest)}"):
                self._tell("tick", time_us)

    def _advance(self, segment: Segment) -> None:
        step = self.procedure.steps[segment.step]
        if segment.steady_us is None:
            self._settle(segment, step)
            if segment.steady_us is None:
                return
        segment.read(step)
        if len(segment.readings) >= step.readings:
            segment.reason = ""
            self._end(segment, Outcome.COMPLETE)
        elif step.is_steady and step.every_s <= 0.0:
            self._watch(segment, step)

    def _settle(self, segment: Segment, step: Step) -> None:
        if not step.is_steady:
            segment.steady_us = segment.began_us
            return
        now = segment.times[-1]
        bounds = self.procedure.steadiness
        times, values = segment.since(bounds.begin_us(now))
        verdict = bounds.judge(times, values, self.procedure.span, segment.times[0])
        if verdict.is_steady:
            # Not the window's begin: what is allowed to be left of the approach there would widen every spread.
            segment.steady_us = now
            segment.reason = ""
        else:
            self._give_up(segment, now, verdict.reason)

    def _watch(self, segment: Segment, step: Step) -> None:
        """Begin again where a signal that was steady has moved, as when a standard arrives late."""
        assert segment.steady_us is not None  # noqa: S101 -- it was just found
        strict = self.procedure.steadiness
        if segment.times[-1] - segment.steady_us < 1e6 * strict.window_s:
            return
        bounds = replace(strict, change_pct=_MOVED * strict.change_pct, spread_pct=_MOVED * strict.spread_pct)
        times, values = segment.since(bounds.begin_us(segment.times[-1]))
        verdict = bounds.judge(times, values, self.procedure.span, segment.times[0])
        if verdict.is_steady or "missing" in verdict.reason:
            return
        segment.notes.append(f"was steady from {stamp(segment.steady_us)}, then moved: {verdict.reason}")
        segment.steady_us = None
        segment.readings, segment.reading_times = [], []
        self._give_up(segment, segment.times[-1], verdict.reason)

    def _give_up(self, segment: Segment, now_us: int, reason: str) -> bool:
        step = self.procedure.steps[segment.step]
        segment.reason = reason
        if now_us - segment.began_us > step.timeout_s * 1e6 and (step.is_steady or not segment.times):
            segment.reason = f"not steady after {step.timeout_s:.0f} s: {reason}"
            self._end(segment, Outcome.NOT_STEADY)
            return True
        return False

    def _end(self, segment: Segment, outcome: Outcome) -> None:
        segment.outcome = outcome
        segment.notes += plausibility.doubts(self.procedure, self.segments, segment)
        if segment.place == self.place and outcome is not Outcome.NOT_STEADY:
            self._go_on()

    def close(self, reason: str) -> None:
        """End the open segment as it is, with the readings it has."""
        if self._close(reason):
            self._tell("close", reason)

    def _close(self, reason: str) -> bool:
        segment = self.segments[-1] if self.segments else None
        if segment is None or segment.outcome is not Outcome.OPEN:
            return False
        wanted = self.procedure.steps[segment.step].readings
        made = f"{len(segment.readings)} of {wanted} readings"
        if segment.steady_us is None:
            segment.reason = f"not steady: {segment.reason or 'no value has come'}"
            self._end(segment, Outcome.NOT_STEADY)
        else:
            segment.reason = f"{made}: {reason}"
            self._end(segment, Outcome.SHORT)
        return True

    def learn(self, facts: Mapping[str, Any]) -> None:
        """Take what is known without readings, such as the laboratory's values; what was said before is replaced."""
        self.facts.update(facts)
        self._tell("learn", dict(facts))

    def skip(self, reason: str) -> None:
        """Leave the step that is next, or in trouble, out: what needs it is not made, and says why."""
        if self.place >= len(self.procedure.order):
            return
        place = self.place
        self._close(reason)
        if place not in self._concluded():
            key = self.procedure.order[place]
            self.segments.append(Segment(key, self._newest_us or 0, place, Outcome.SKIPPED, reason))
        self._go_on()
        self._tell("skip", reason)

    def repeat(self, step: str) -> None:
        """Do a step again: what was read of it is kept, and no longer counted."""
        if step not in self.procedure.steps:
            raise ConfigError("step", seen=step, allowed=self.procedure.steps)
        self._close("repeated")
        for segment in reversed(self.segments):
            if segment.step == step and segment.outcome is not Outcome.REPEATED:
                segment.outcome = Outcome.REPEATED
                self._go_on()
                break
        self._tell("repeat", step)

    def abort(self, reason: str) -> None:
        """End the run; what was read stays."""
        self._close(reason)
        self.notes.append(f"aborted: {reason}")
        self.is_aborted = True
        self._tell("abort", reason)

    def counted(self, step: str) -> list[Segment]:
        """Return the segments of a step that have readings and were not repeated."""
        kept = (Outcome.COMPLETE, Outcome.SHORT)
        return [one for one in self.segments if one.step == step and one.outcome in kept]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it but the procedure as plain JSON."""
        return {
            "saved": _SAVED,
            "procedure": self.procedure.key,
            "range": [self.procedure.low, self.procedure.high],
            "unit": self.unit,
            "facts": dict(self.facts),
            "place": self.place,
            "notes": list(self.notes),
            "is_aborted": self.is_aborted,
            "newest_us": self._newest_us,
            "segments": [segment.to_dict() for segment in self.segments],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], procedure: Procedure) -> BenchRun:
        """Return a saved run.

        Raises
        ------
        ConfigError
            If it was of another procedure, or saved by another version.
        """
        if content.get("saved") != _SAVED or content.get("procedure") != procedure.key:
            seen = (content.get("procedure"), content.get("saved"))
            raise ConfigError("saved run", seen=seen, allowed=f"{procedure.key}, version {_SAVED}")
        return cls(
            procedure=procedure.on_range(*content["range"]),
            unit=content["unit"],
            facts=dict(content["facts"]),
            segments=[Segment.from_dict(one) for one in content["segments"]],
            place=content["place"],
            notes=list(content["notes"]),
            is_aborted=content["is_aborted"],
            _newest_us=content["newest_us"],
        )


def stamp(time_us: int) -> str:
    """Return a time as people read it, UTC."""
    return f"{np.datetime64(time_us, 'us').astype('datetime64[s]')}Z"


def over_recording(
    run: BenchRun, times: ArrayLike, values: ArrayLike, declared: Sequence[tuple[str, int, int]]
) -> None:
    """Feed a run from a recording whose standards were given at declared times.

    Parameters
    ----------
    run : BenchRun
        New.
    times, values : array_like, shape (n,)
        The recording: µs since 1970 UTC, and in the run's unit.
    declared : sequence of (str, int, int)
        Step, begin and end (µs): one standard each, in order of time.

    Raises
    ------
    ConfigError
        If a step is unknown, or ends before it begins.
    """
    when, what = np.asarray(times, np.int64), np.asarray(values, np.float64)
    turned = int(np.count_nonzero(np.diff(when) < 0))
    if turned:
        run.notes.append(f"{turned} times of the recording go back: its clock was set, those rows are left")
    for step, start, end in sorted(declared, key=lambda one: one[1]):
        if end <= start:
            raise ConfigError(f"step {step}", seen=stamp(end), allowed=f"an end after its begin, {stamp(start)}")
        run.confirm(start, step)
        part = (when >= start) & (when < end)
        run.feed(when[part], what[part])
        run.close(f"its declared time ended at {stamp(end)}")
        if run.phase is Phase.TROUBLE:
            run.skip(run.segments[-1].reason)
    while run.phase is Phase.OPERATOR:
        run.skip("it is not among the declared steps")
