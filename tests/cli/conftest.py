"""The command line called as its entry point is, and small files for it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nilometer.cli.main import run
from tests.system.server import Server

ROWS = 200


@dataclass
class Called:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def nilometer(*arguments: object, stdin: bytes = b"") -> Called:
    """Call the command line in this process: what it printed, and its exit status."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    before = sys.argv, sys.stdin
    sys.argv = ["nilometer", *(str(argument) for argument in arguments)]
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    code: Any = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            run()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv, sys.stdin = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Called(code, *texts)


def write_csv(file: Path, *, shift: float = 0.0, rows: int = ROWS) -> Path:
    """Two days of a creek, every 15 minutes, with a spike of pH in row 50."""
    times = np.datetime64("2024-05-01T00:00") + np.arange(rows) * np.timedelta64(15, "m")
    lines = ["DateTime (UTC),pH,Temp (°C),ODO (mg/L),Staff"]
    for n, time in enumerate(times):
        ph = 13.5 if n == 50 else 7 + 0.01 * (n % 5) + shift
        lines.append(f"{time}:00Z,{ph:.2f},{15 + 0.1 * (n % 7):.1f},{8 + 0.1 * (n % 3):.1f},{n}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def creek(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("creek") / "creek.csv")


@pytest.fixture(scope="module")
def folder(creek: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the creek in it, that nobody holds."""
    made = tmp_path_factory.mktemp("data")
    assert nilometer("import", creek, "--data", made, "--thing", "creek", "--water-body", "river").code == 0
    return made


@pytest.fixture(scope="module")
def server(creek: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token that holds a folder with the creek in it."""
    made = tmp_path_factory.mktemp("served")
    (made / "nilometer.toml").write_text('[server]\ntoken = "a-token-of-some-length"\n', encoding="utf-8")
    assert nilometer("import", creek, "--data", made, "--thing", "creek", "--water-body", "river").code == 0
    running = Server(made)
    yield running
    running.stop()
