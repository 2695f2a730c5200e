"""A run on disk: whatever a kill leaves of its file, the run that is resumed is the one that was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.trials.bench.test_run import START, S

from nilometer.errors import ConfigError
from nilometer.trials.bench.journal import Journal, resumed
from nilometer.trials.bench.procedure import procedure_of, read_procedure
from nilometer.trials.bench.run import Phase

PROCEDURE = {
    "key": "two", "name": {"en": "two"}, "source": "made for the test", "confidence": "none", "unit": "mg L-1",
    "range": [0, 10], "order": ["low", "high", "low"],
    "steady": {"window_s": 10, "change_pct": 1, "spread_pct": 1},
    "step": {
        "low": {"level": 20, "readings": 3, "reading_s": 5, "timeout_s": 60},
        "high": {"level": 80, "readings": 3, "reading_s": 5, "timeout_s": 60},
    },
    "test": {"bias": {"steps": ["low", "high"]}},
}  # fmt: skip


def carried_out(journal):
    run, at = journal.run, START
    rng = np.random.default_rng(1)

    def rows(level, n):
        nonlocal at
        times = at + S * np.arange(1, n + 1)
        run.feed(times, level + rng.normal(0, 0.01, n))
        at += n * S

    run.confirm(at)
    rows(2.0, 40)
    run.confirm(at)
    rows(2.0, 8)
    run.feed(at + S, math.nan)
    run.tick(at + 120 * S)  # silent: given up
    at += 120 * S
    run.confirm(at)
    rows(8.0, 40)
    run.repeat("low")
    run.confirm(at)
    rows(2.0, 12)
    run.skip("no more of it")
    run.learn({"hours": 10})
    run.confirm(at)
    rows(2.0, 15)


def test_a_run_is_resumed_from_any_beginning_of_its_file(tmp_path):
    procedure = read_procedure(PROCEDURE, "test")
    whole = tmp_path / "run.jsonl"
    with Journal(whole, procedure, "mg L-1", {"failures": 0}) as journal:
        carried_out(journal)
        told = journal.run.to_dict()
    assert resumed(whole, procedure).to_dict() == told
    assert told["facts"] == {"failures": 0, "hours": 10}
    content = whole.read_bytes()
    lines = content.splitlines(keepends=True)
    assert len(lines) < 20  # one for each input, whatever the run has read before
    part = tmp_path / "part.jsonl"
    for length in [len(lines[0]), len(content) // 3, len(content) // 2, len(content) - 1]:
        part.write_bytes(content[:length])
        with Journal(part, procedure) as journal:
            kept = journal.run.to_dict()
            journal.run.close("left")
            changed = journal.run.to_dict()
        assert resumed(part, procedure).to_dict() == changed
        whole_lines = content[: content.rfind(b"\n", 0, length) + 1]
        assert part.read_bytes().startswith(whole_lines)
        part.write_bytes(whole_lines)
        assert resumed(part, procedure).to_dict() == kept
    assert journal.run.phase is Phase.TROUBLE


def test_a_file_that_is_no_run_of_this_procedure_is_refused(tmp_path):
    procedure = read_procedure(PROCEDURE, "test")
    path = tmp_path / "run.jsonl"
    with Journal(path, procedure) as journal:
        journal.run.confirm(START)
    longer = read_procedure({**PROCEDURE, "steady": {**PROCEDURE["steady"], "window_s": 20}}, "test")
    for other, said in [(procedure_of("iso15839"), "two"), (longer, "have changed")]:
        with pytest.raises(ConfigError, match=said):
            resumed(path, other)
    path.write_bytes(path.read_bytes() + b"[1\n")
    with pytest.raises(ConfigError, match="line 3 is damaged"):
        resumed(path, procedure)
    path.write_bytes(b'{"saved": 1}\n')
    with pytest.raises(ConfigError, match="line 1 is no input"):
        resumed(path, procedure)
    with pytest.raises(ConfigError, match="no such file"):
        resumed(tmp_path / "none.jsonl", procedure)


def test_a_row_that_comes_twice_is_no_jump_of_the_clock(tmp_path):
    procedure = read_procedure(PROCEDURE, "test")
    with Journal(tmp_path / "run.jsonl", procedure) as journal:
        run = journal.run
        run.confirm(START)
        times = START + S * np.arange(1, 9)
        run.feed(times, np.full(8, 2.0))
        run.feed(times[3:], np.full(5, 2.0))
        assert (run.notes, len(run.segments[0].times)) == ([], 8)
        run.feed(times[3] + 1, 2.0)
    assert "the clock jumped" in run.notes[0]
