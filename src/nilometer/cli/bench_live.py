"""A bench run at a live Datastream: rows come as they are committed, the operator is told what to do and answers."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from types import FrameType

    from nilometer.cli.bench_rows import CommittedRows
    from nilometer.client import Client
    from nilometer.trials.bench.procedure import Procedure
    from nilometer.trials.bench.run import BenchRun
    from nilometer.trials.bench.segment import Segment

__all__ = ["guide"]

_WAIT_S: Final = 1.0
TOLD: Final = {
    "keys": (
        "[Enter] done   s REASON skip   r STEP repeat   q or Ctrl-C save and leave   a REASON abort",
        "[回车] 已完成   s 原因 跳过   r 步骤 重做   q 或 Ctrl-C 保存退出   a 原因 中止",
    ),
    "paused": (
        "[Enter] wait on   s REASON skip   r STEP repeat   q or Ctrl-C save and leave   a REASON abort",
        "[回车] 继续等待   s 原因 跳过   r 步骤 重做   q 或 Ctrl-C 保存退出   a 原因 中止",
    ),
    "menu": ("Ctrl-C: skip, repeat, leave or abort", "Ctrl-C：跳过、重做、退出或中止"),
    "settling": ("waiting until it is steady: {}", "等待读数稳定：{}"),
    "steady": ("steady: hands off until {} readings are there", "读数已稳定：取{}个读数期间请勿触动"),
    "reading": ("reading {} of {}", "第{}个读数，共{}个"),
    "next": ("then: {}", "下一步：{}"),
    "done": ("{}: {} readings, mean {}, s {} {}", "{}：{}个读数，平均值{}，标准偏差{} {}"),
    "doubt": ("! {}   (r {} does it again)", "！{}（r {} 可重做）"),
    "trouble": ("trouble: {}", "异常：{}"),
    "no_step": ("{} is no step; steps: {}", "没有步骤{}；可选：{}"),
    "left": ("left; go on with --save {}", "已退出，可用 --save {} 继续"),
    "lost": ("left; without --save nothing of it is kept", "已退出；未使用 --save，本次检验不予保留"),
    "back": ("the server is back", "服务器已恢复"),
}


def guide(
    procedure: Procedure,
    client: Client,
    datastream: str,
    *,
    unit: str | None = None,
    save: Path | None = None,
    language: str = "en",
    facts: Mapping[str, Any] | None = None,
    ask: Callable[[str], str] | None = None,
) -> BenchRun:
    """Run a procedure at a live Datastream until it is finished, aborted or left.

    Parameters
    ----------
    procedure : Procedure
        On the range of this instrument.
    client : Client
        Of the server.
    datastream : str
        Whose results are taken, in its unit; flags do not leave any out, for a standard is no water.
    unit : str, optional
        In place of the Datastream's.
    save : path, optional
        Every input is appended to it; a run that is there is resumed.
    language : {"en", "zh"}
        Of what the operator is told.
    facts : mapping, optional
        What is known without readings; it is added to what a resumed run knows.
    ask : callable, optional
        Shows a text and returns the answer; default: the terminal.
    """
    from nilometer.cli.bench_rows import CommittedRows
    from nilometer.trials.bench.journal import Journal
    from nilometer.trials.bench.run import BenchRun, Phase

    told = client.datastream(datastream)
    with ExitStack() as stack:
        if save is None:
            run = BenchRun(procedure, unit or told["unit"])
        else:
            run = stack.enter_context(Journal(save, procedure, unit or told["unit"])).run
        if facts:
            run.learn(facts)
        rows = stack.enter_context(CommittedRows(client, datastream))
        desk = _Desk(run, client, language, ask or _terminal, save)
        while run.phase not in {Phase.FINISHED, Phase.ABORTED}:
            try:
                if run.phase in {Phase.OPERATOR, Phase.TROUBLE}:
                    goes_on = desk.operate()
                else:
                    with _held() as is_asked:
                        desk.wait(rows)
                    goes_on = desk.pause() if is_asked() else True
            except KeyboardInterrupt:
                goes_on = desk.pause()
            if not goes_on:
                break
    return run


@contextmanager
def _held() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back until rows are taken and written; a second one at once does not wait, as when a server hangs.

    A run that took rows and was interrupted before it wrote them would not be resumed as it was.
    """
    asked = threading.Event()

    def note(signal_number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            signal.default_int_handler(signal_number, frame)
        asked.set()

    if threading.current_thread() is not threading.main_thread():  # no other thread is interrupted by it
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _terminal(text: str) -> str:
    typer.echo("\a", nl=False, err=True)  # whoever stands at the beakers hears it
    try:
        return str(typer.prompt(text, default="", show_default=False, prompt_suffix="\n> "))
    except typer.Abort:  # Ctrl-C or the end of the input, where a word was asked for: leave, as q does
        typer.echo(err=True)
        return "q"


class _Desk:
    """Between a run and the one who carries it out."""

    def __init__(
        self, run: BenchRun, client: Client, language: str, ask: Callable[[str], str], save: Path | None
    ) -> None:
        self._run, self._client, self._ask, self._save = run, client, ask, save
        self._language, self._said, self._is_lost = language, "", False
        self._settled = 0.0

    def _say(self, key: str, *parts: object) -> str:
        return TOLD[key][self._language == "zh"].format(*parts)

    def _echo(self, line: str) -> None:
        if line and line != self._said:
            typer.echo(line, err=True)
            self._said = line

    def _sentence(self, text: str) -> str:
        from nilometer.trials.bench.wording import told

        return told(text, self._language)

    def _now_us(self) -> int:
        """Return the server's present: its clock gives the rows their times."""
        return int(self._client.status()["now"]) * 1000

    def wait(self, rows: CommittedRows) -> None:
        """Take what was committed, or let time pass."""
        from nilometer.errors import LinkError

        # A run that was left in the middle of a reading goes on with the rows that came since.
        since_us = (self._run.fed_until_us or 0) + 1
        phase = self._run.phase
        try:
            found = rows.wait(since_us, _WAIT_S)
            if found is not None and len(found[0]):
                self._run.feed(*found)
            elif found is not None:
                self._run.tick(self._now_us())
        except LinkError as error:  # its rows are kept there, and read when it is back
            self._is_lost = True
            self._echo(self._sentence(str(error)))
            return
        if found is not None and self._is_lost:
            self._is_lost = False
            self._echo(self._say("back"))
        self._progress(phase)

    def _progress(self, before: object) -> None:
        from nilometer.trials.bench.run import Phase

        segment, phase = self._run.segments[-1], self._run.phase
        wanted = self._run.procedure.steps[segment.step].readings
        if phase is Phase.SETTLING:
            if time.monotonic() - self._settled >= _WAIT_S:
                self._settled = time.monotonic()
                self._echo(self._say("settling", self._sentence(segment.reason or "no value has come")))
            return
        if phase is Phase.READING:
            if before is Phase.SETTLING:
                self._echo(self._say("steady", wanted))
                upcoming = self._run.upcoming(self._language)
                self._echo(self._say("next", upcoming) if upcoming else "")
            self._echo(self._say("reading", min(len(segment.readings) + 1, wanted), wanted))
            return
        self._ended(segment)

    def _ended(self, segment: Segment) -> None:
        """Say what came of a step while its standard is still at hand."""
        import numpy as np

        there = np.array([value for value in segment.readings if np.isfinite(value)])
        if len(there):
            s = f"{there.std(ddof=1):.3g}" if len(there) > 1 else "—"
            unit = "" if self._run.procedure.unit == "1" else self._run.procedure.unit
            self._echo(self._say("done", segment.step, len(there), f"{there.mean():.5g}", s, unit).rstrip())
        for note in segment.notes:
            self._echo(self._say("doubt", self._sentence(note), segment.step))

    def operate(self) -> bool:
        """Ask the operator and do what the answer says; return whether the run goes on."""
        from nilometer.trials.bench.run import Phase

        prompt = self._run.prompt(self._language)
        is_trouble = prompt.phase is Phase.TROUBLE
        lines = [self._say("trouble", self._sentence(prompt.reason))] if is_trouble else []
        order = self._run.procedure.order
        lines += [f"[{self._run.place + 1}/{len(order)} {prompt.step}] {prompt.do}", self._say("keys")]
        word = self._ask("\n".join(lines)).strip()
        if word == "":
            self._run.confirm(self._now_us())
            self._echo(self._say("menu"))
            return True
        return self._obey(word)

    def pause(self) -> bool:
        """Ask what to do instead of waiting; return whether the run goes on."""
        word = self._ask(self._say("paused")).strip()
        return self._obey(word) if word else True

    def _obey(self, text: str) -> bool:
        word, _, rest = text.partition(" ")
        rest = rest.strip()
        if word == "q":
            self._echo(self._say("left", self._save) if self._save else self._say("lost"))
            return False
        if word == "s":
            self._run.skip(rest or "left out by the operator")
        elif word == "a":
            self._run.abort(rest or "by the operator")
        elif word == "r" and rest in self._run.procedure.steps:
            self._run.repeat(rest)
        elif word == "r":
            self._echo(self._say("no_step", rest or "?", ", ".join(dict.fromkeys(self._run.procedure.order))))
        else:
            self._echo(self._say("keys"))
        return True
