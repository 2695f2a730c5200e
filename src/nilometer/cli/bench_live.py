"""A bench run at a live Datastream: rows are looked for at the server, the operator is told what to do and answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from nilometer.client import Client
    from nilometer.trials.bench.procedure import Procedure
    from nilometer.trials.bench.run import BenchRun

__all__ = ["guide"]

TOLD: Final = {
    "keys": (
        "[Enter] done   s REASON skip   r STEP repeat   q save and leave   a REASON abort",
        "[回车] 已完成   s 原因 跳过   r 步骤 重做   q 保存退出   a 原因 中止",
    ),
    "settling": ("waiting until it is steady: {}", "等待读数稳定：{}"),
    "reading": ("steady; reading {} of {}", "读数已稳定，第{}个读数，共{}个"),
    "trouble": ("trouble: {}", "异常：{}"),
    "left": ("left; go on with --save {}", "已退出，可用 --save {} 继续"),
}


def guide(
    procedure: Procedure,
    client: Client,
    datastream: str,
    *,
    unit: str | None = None,
    save: Path | None = None,
    language: str = "en",
    poll_s: float = 1.0,
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
        Written after every look; a run that is there is resumed.
    language : {"en", "zh"}
        Of what the operator is told.
    poll_s : float
        Between two looks.
    ask : callable, optional
        Shows a text and returns the answer; default: the terminal.
    """
    from nilometer.errors import LinkError
    from nilometer.trials.bench.run import BenchRun, Phase

    told = client.datastream(datastream)
    asked = ask or (lambda text: str(typer.prompt(text, default="", show_default=False, prompt_suffix="\n> ")))
    run = BenchRun(procedure, unit or told["unit"])
    if save is not None and save.exists():
        run = BenchRun.from_dict(json.loads(save.read_text(encoding="utf-8")), procedure)
    is_open = run.phase in {Phase.SETTLING, Phase.READING}
    # A run that was left in the middle of a reading goes on with the rows that came since.
    seen_us = (run.fed_until_us or 0) + 1 if is_open else _now_us(client)
    said = ""
    while run.phase not in {Phase.FINISHED, Phase.ABORTED}:
        if run.phase in {Phase.OPERATOR, Phase.TROUBLE}:
            is_to_go_on = _operate(run, asked, language, lambda: _now_us(client))
            seen_us = max(seen_us, run.segments[-1].began_us if run.segments else seen_us)
            _keep(run, save)
            if not is_to_go_on:
                typer.echo(_say("left", language).format(save or ""), err=True)
                break
            continue
        try:
            seen_us = _look(run, client, datastream, seen_us)
            line = _progress(run, language)
        except LinkError as error:  # its rows are kept there, and read when it is back
            line = str(error)
        _keep(run, save)
        if line != said:
            typer.echo(line, err=True)
            said = line
        if run.phase in {Phase.SETTLING, Phase.READING}:
            time.sleep(poll_s)
    return run


def _now_us(client: Client) -> int:
    """Return the server's present: its clock gives the rows their times."""
    return int(client.status()["now"]) * 1000


def _look(run: BenchRun, client: Client, datastream: str, seen_us: int) -> int:
    import numpy as np

    now = _now_us(client)
    start = str(np.datetime64(seen_us, "us")) + "Z"
    table = client.read(datastream, start=start)
    if len(table):
        times = table["phenomenon_time"].cast("int64").to_numpy()
        values = table["result"].to_numpy().astype(np.float64)
        order = np.argsort(times, kind="stable")
        run.feed(times[order], values[order])
        return int(times.max()) + 1
    run.tick(now)
    return seen_us


def _operate(run: BenchRun, ask: Callable[[str], str], language: str, now: Callable[[], int]) -> bool:
    """Ask the operator and do what the answer says; return whether the run goes on."""
    from nilometer.errors import ConfigError
    from nilometer.trials.bench.run import Phase

    prompt = run.prompt(language)
    lines = [_say("trouble", language).format(prompt.reason)] if prompt.phase is Phase.TROUBLE else []
    done = len({one.place for one in run.segments if one.place >= 0})
    lines += [
        f"[{min(done + 1, len(run.procedure.order))}/{len(run.procedure.order)}] {prompt.do}",
        _say("keys", language),
    ]
    word, _, rest = ask("\n".join(lines)).strip().partition(" ")
    if word == "":
        run.confirm(now())
    elif word == "s":
        run.skip(rest or "left out by the operator")
    elif word == "r":
        try:
            run.repeat(rest.strip())
        except ConfigError as error:
            typer.echo(str(error), err=True)
    elif word == "a":
        run.abort(rest or "by the operator")
    return word != "q"


def _progress(run: BenchRun, language: str) -> str:
    from nilometer.trials.bench.run import Phase

    segment = run.segments[-1]
    wanted = run.procedure.steps[segment.step].readings
    if run.phase is Phase.SETTLING:
        return _say("settling", language).format(segment.reason)
    return _say("reading", language).format(min(len(segment.readings) + (run.phase is Phase.READING), wanted), wanted)


def _keep(run: BenchRun, save: Path | None) -> None:
    if save is None:
        return
    beside = save.with_suffix(save.suffix + ".part")
    beside.write_text(json.dumps(run.to_dict()), encoding="utf-8")
    beside.replace(save)


def _say(key: str, language: str) -> str:
    return TOLD[key][language == "zh"]
