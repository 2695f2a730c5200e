"""`nilometer bench`: over a recording, and live at an instrument that speaks Modbus into a real server."""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
import shlex
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from nilometer.acquisition.simulators.feed import FunctionFeed
from nilometer.acquisition.simulators.modbus import ModbusSimulator, Occupant
from nilometer.cli.bench_live import _held, _terminal, guide
from nilometer.trials.bench.procedure import procedure_of
from nilometer.trials.bench.results import results
from nilometer.trials.bench.run import Phase
from tests.cli.conftest import nilometer
from tests.system.server import Server

STEPS = """
unit = "mg L-1"
range = [0, 10]
[facts]
hours = 1500
failures = 2
"""


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, Path]:
    """Ten seconds apart: zero, span, zero, span, middle, with an error of +2 % and the lag of 30 s."""
    rng = np.random.default_rng(1)
    order = ["zero", "span", "zero", "span", "middle"]
    level = {"zero": 0.0, "span": 8.0, "middle": 5.0}
    rows, state, steps = [], 0.0, [STEPS]
    for k, key in enumerate(order):
        minute = 10 * k
        steps.append(f'[[step]]\nkey = "{key}"\nstart = 2026-05-01T{10 + minute // 60}:{minute % 60:02d}:00Z')
        for second in range(0, 600, 2):
            at = np.datetime64("2026-05-01T10:00:00") + np.timedelta64(600 * k + second, "s")
            rows.append(f"{at}Z,{state + rng.normal(0, 0.005):.4f}")
            state = level[key] * 1.02 + (state - level[key] * 1.02) * math.exp(-2 / 30)
    file, told = tmp_path / "run.csv", tmp_path / "steps.toml"
    file.write_text("time,DO (mg/L)\n" + "\n".join(rows) + "\n", encoding="utf-8")
    told.write_text("\n".join(steps), encoding="utf-8")
    return file, told


def test_a_recording_gives_figures_limits_and_what_was_not_made(recording, tmp_path) -> None:
    file, steps = recording
    saved = tmp_path / "run.json"
    called = nilometer("bench", "hjt99-2003", "--file", file, "--steps", steps, "--save", saved, "--json")
    assert called.code == 0, called.err
    found = {one["test"]: one for one in called.json["results"]}
    t90 = found["response"]["figures"][0]
    assert t90["interval"][0] <= 30 * math.log(10) <= t90["interval"][1]
    assert found["response"]["finding"] == "met_unverified"
    assert found["response"]["limit"]["confidence"] == "memory"
    assert found["linearity"]["figures"][0]["value"] == pytest.approx(1.0, abs=0.05)  # 2 % of 5 over 10
    assert found["linearity"]["finding"] == "no_limit"
    assert found["mtbf"]["figures"][0]["value"] == 750.0
    assert found["low_drift"]["finding"] == "not_made"
    assert json.loads(saved.read_text().splitlines()[1])[::2] == ["confirm", "zero"]
    later = tmp_path / "later.toml"
    later.write_text("failures = 3\n", encoding="utf-8")
    again = nilometer("bench", "hjt99-2003", "--save", saved, "--facts", later, "--json").json
    told = {one["test"]: one for one in again["results"]}
    assert told["mtbf"]["figures"][0]["value"] == 500.0  # and is known of the run from now on
    assert nilometer("bench", "hjt99-2003", "--save", saved, "--json").json == again
    assert told["response"] == found["response"]
    wider = nilometer("bench", "hjt99-2003", "--file", file, "--steps", steps, "--range", 0, 20, "--json").json
    assert wider["range"] == [0.0, 20.0]  # what is said outranks the file, and 8 mg/L is then not 80 % of it
    assert any("was the standard of span given" in note for one in wider["results"] for note in one["notes"])
    shown = nilometer("bench", "hjt99-2003", "--file", file, "--steps", steps, "--language", "zh").out
    assert "限值未经核实" in shown
    assert "响应时间 T90" in shown
    assert "memory: 未经核实" in shown
    assert "步骤zero_24h被跳过：不在所声明的步骤中" in shown


def test_what_lacks_is_said(recording, tmp_path) -> None:
    file, _ = recording
    assert "hj101-2019" in nilometer("bench").out
    for arguments, said in [
        (("hjt99",), "hjt99-2003"),
        (("hjt99-2003",), "--file with --steps"),
        (("hjt99-2003", "--file", file), "--steps"),
        (("hjt99-2003", "--server", "http://127.0.0.1:1"), "--datastream"),
    ]:
        called = nilometer("bench", *arguments)
        assert called.code == 2
        assert said in called.err
    naive = tmp_path / "naive.toml"
    naive.write_text('[[step]]\nkey = "zero"\nstart = 2026-05-01T10:00:00\n', encoding="utf-8")
    called = nilometer("bench", "hjt99-2003", "--file", file, "--steps", naive)
    assert called.code == 2
    assert "a time with its zone" in called.err


FIELD = """
[facts]
control_value = 100.0
[facts.laboratory]
pair = [100.0, 100.0, 100.0]
"""


def test_a_report_is_written_and_its_command_makes_it_again(tmp_path, monkeypatch) -> None:
    times = [f"2026-05-01T{hour:02d}:00:00Z" for hour in range(10, 14)]
    rows = [f"{at},{one},{one * 1.1},{one * 0.9}" for at, one in zip(times, (101.0, 99.0, 100.0, 104.0), strict=True)]
    (tmp_path / "cod.csv").write_text("time,a (mg/L),b (mg/L),c (mg/L)\n" + "\n".join(rows) + "\n", encoding="utf-8")
    steps = [
        f'[[step]]\nkey = "{key}"\nstart = {at}\n' for key, at in zip(("pair",) * 3 + ("control",), times, strict=True)
    ]
    (tmp_path / "steps.toml").write_text(FIELD + "".join(steps), encoding="utf-8")
    given = [
        "bench",
        "hj355-2019-codcr",
        "--file",
        tmp_path / "cod.csv",
        "--column",
        "a",
        "--steps",
        tmp_path / "steps.toml",
    ]
    page = tmp_path / "page.html"
    monkeypatch.setattr("sys.argv", ["nilometer", *map(str, given), "-o", str(page)])
    called = nilometer(*given, "-o", page)
    assert called.code == 0, called.err
    said = re.search(r"<pre><code>(.*?)</code>", page.read_text(encoding="utf-8"))[1]
    words = shlex.split(said)
    assert str(tmp_path) not in said  # from the folder of its files
    before = page.read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", words)
    assert nilometer(*words[1:]).code == 0
    assert page.read_bytes() == before
    refused = nilometer(*given, "--data", "0" * 64)
    assert (refused.code, "these are others" in refused.err) == (2, True)
    for more, told in (
        (("-o", tmp_path / "page.doc"), "ends in .pdf"),
        (("--beside", "a"), "other units"),
        (("--beside", "d"), "--beside"),
    ):
        called = nilometer(*given, *more)
        assert (called.code, told in called.err) == (2, True), called.err
    live = nilometer("bench", "hj355-2019-codcr", "--server", "http://127.0.0.1:1", "--datastream", "x", "-o", page)
    assert (live.code, "--save" in live.err) == (2, True)


def test_units_are_set_beside_each_other_from_columns_and_from_saved_runs(tmp_path) -> None:
    procedure = tmp_path / "alike.toml"
    procedure.write_text(
        QUICK.replace('key = "quick"', 'key = "alike"')
        .replace('order = ["low", "high", "low"]', 'order = ["low", "high"]')
        .split("[test.response]")[0]
        .replace("readings = 3\nreading_s = 0.3", "readings = 3\nsteady = false")
        + '[test.consistency]\nsteps = ["low", "high"]\n',
        encoding="utf-8",
    )
    rows = [f"2026-05-01T10:00:{k:02d}Z,{one},{one * 1.1},{one * 0.9}" for k, one in enumerate([2.0] * 3 + [8.0] * 3)]
    file, steps = tmp_path / "units.csv", tmp_path / "steps.toml"
    file.write_text("time,a (mg/L),b (mg/L),c (mg/L)\n" + "\n".join(rows) + "\n", encoding="utf-8")
    steps.write_text(
        '[[step]]\nkey = "low"\nstart = 2026-05-01T10:00:00Z\n[[step]]\nkey = "high"\nstart = 2026-05-01T10:00:03Z\n',
        encoding="utf-8",
    )
    given = ["bench", procedure, "--file", file, "--steps", steps]
    columns = nilometer(*given, "--column", "a", "--beside", "b", "--beside", "c", "--json").json
    saved = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for name, run in zip("abc", saved, strict=True):
        assert nilometer(*given, "--column", name, "--save", run).code == 0
    beside = [part for run in saved[1:] for part in ("--beside", run)]
    runs = nilometer("bench", procedure, "--save", saved[0], *beside, "--json").json
    assert runs["results"] == columns["results"]
    assert columns["results"][0]["figures"][0]["value"] == pytest.approx(90.0)
    alone = nilometer("bench", procedure, "--save", saved[0], *beside[:2], "--json").json
    assert "2 of 3 units" in alone["results"][0]["figures"][0]["note"]
    other = tmp_path / "wide.jsonl"
    nilometer(*given, "--column", "b", "--range", 0, 20, "--save", other)
    refused = nilometer("bench", procedure, "--save", saved[0], "--beside", other)
    assert (refused.code, "on the range" in refused.err) == (2, True)


def test_ctrl_c_waits_until_rows_are_written_and_a_second_one_does_not() -> None:
    before = signal.getsignal(signal.SIGINT)
    with _held() as is_asked:
        assert not is_asked()
        signal.raise_signal(signal.SIGINT)
        assert is_asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_where_a_word_is_asked_for_leaves_as_q_does(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))  # as Ctrl-C, the end of the input ends the question
    assert _terminal("done?") == "q"


QUICK = """
key = "quick"
name = { en = "quick", zh = "快速" }
source = "made for the test"
confidence = "none"
unit = "mg L-1"
range = [0, 10]
order = ["low", "high", "low"]
[steady]
window_s = 1.0
change_pct = 1.5
spread_pct = 1.0
[step.low]
level = 20
readings = 3
reading_s = 0.3
timeout_s = 60
do = { en = "Now move to the 20 % standard ({value} {unit}).", zh = "更换为20 %标准溶液。" }
[step.high]
level = 80
readings = 3
reading_s = 0.3
timeout_s = 60
do = { en = "Now move to the 80 % standard ({value} {unit}).", zh = "更换为80 %标准溶液。" }
[test.response]
steps = ["low", "high"]
[test.bias]
steps = ["low", "high"]
[test.repeatability]
steps = ["high"]
"""


class Beaker:
    """A probe with a lag of 0.4 s, gain 1.05 and noise of 0.01 mg/L in the standard that is given to it."""

    def __init__(self) -> None:
        self.level, self.since_us, self.state = 2.0, 0, 2.0
        self.rng = np.random.default_rng(1)

    def at(self, time_us: int) -> dict[str, float]:
        if self.since_us:
            self.state = self.level + (self.state - self.level) * math.exp(-(time_us - self.since_us) / 0.4e6)
        self.since_us = time_us
        return {"dissolved_oxygen": 1.05 * self.state + float(self.rng.normal(0, 0.01)), "water_temperature": 20.0}


async def given_up() -> None:
    """End what else runs in this loop, and wait until it has let go of its sockets."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.slow
def test_a_live_run_at_a_modbus_instrument_gives_back_what_it_was_made_with(tmp_path: Path) -> None:
    beaker, loop, asked = Beaker(), asyncio.new_event_loop(), []
    water = FunctionFeed(beaker.at)
    simulator = ModbusSimulator([Occupant("ysi_odo_rtu", water)], lambda: time.time_ns() // 1000)
    options = asyncio.run_coroutine_threadsafe
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = options(simulator.start(), loop).result(20)
    options(simulator.run(), loop)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "nilometer.toml").write_text(
        '[[thing]]\nkey = "bench"\nname = "Bench"\nwater_body = "tank"\n[[source]]\nname = "probe"\n'
        f'driver = "modbus_tcp"\nthing = "bench"\n[source.options]\nhost = "127.0.0.1"\nport = {opened["port"]}\n'
        'instrument = "ysi_odo_rtu"\npoll_interval_s = 0.05\n',
        encoding="utf-8",
    )
    procedure = tmp_path / "quick.toml"
    procedure.write_text(QUICK, encoding="utf-8")
    saved = tmp_path / "run.json"
    server = Server(folder)
    try:
        deadline = time.monotonic() + 60
        while not any(one["key"] == "bench/dissolved_oxygen" for one in server.client.datastreams()):
            assert time.monotonic() < deadline, server.output

        def operate(text: str) -> str:
            asked.append(text)
            if len(asked) == 2:
                return "q"
            if len(asked) == 3:  # the live stream breaks off, and is found again
                nonlocal server
                port = server.address.rpartition(":")[2]
                server.kill()
                server = Server(folder, "--port", port)
                polled = beaker.since_us
                while beaker.since_us == polled:  # a standard is given to a probe that is looked at
                    assert time.monotonic() < deadline, server.output
                    server.client.status()
            beaker.level = 2.0 if "20 %" in text else 8.0
            return ""

        arguments = {"save": saved, "ask": operate}
        run = guide(procedure_of(procedure), server.client, "bench/dissolved_oxygen", **arguments)
        assert run.phase is Phase.OPERATOR
        run = guide(procedure_of(procedure), server.client, "bench/dissolved_oxygen", **arguments)
    finally:
        server.stop()
        options(given_up(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert run.phase is Phase.FINISHED
    assert [text for text in asked if "80 %" in text and "8 mg L-1" in text]
    found = {one.test.key: one for one in results(run)}
    response = found["response"].figures[0]
    assert response.n == 2
    # The word of the operator and the polling add to it: some tenths of a second, more on a busy machine.
    assert 0.4 * math.log(10) - 0.2 < response.value < 0.4 * math.log(10) + 4.0
    high = next(one for one in found["bias"].figures if one.name == "bias_high")
    assert high.value == pytest.approx(0.05 * 8.0, abs=0.03)
    assert found["repeatability"].figures[0].value < 0.03
