"""A run on disk: its inputs, a line each, appended as they come; to replay them is to have the run again.

A line that a kill cut short is dropped when the run is resumed: its rows are still at the server, and an operator's
word that was not written is asked for again. Lines are JSON::

    ["begin", {"bench_run": 2, "procedure": "hj101-2019", "digest": …, "range": [0, 10], "unit": "mg L-1", …}]
    ["confirm", 1764432000000000, null]
    ["feed", [1764432001000000], [2.01]]
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from nilometer.errors import ConfigError
from nilometer.trials.bench.procedure import Procedure
from nilometer.trials.bench.run import BenchRun

__all__ = ["Journal", "resumed"]

_VERSION: Final = 2
_INPUTS: Final = {"confirm", "feed", "tick", "close", "skip", "repeat", "abort", "learn"}


class Journal:
    """The file of one run, open for appending; a context manager.

    Parameters
    ----------
    path : path
        Of the file; one that is there is gone on with.
    procedure : Procedure
        On the range of this instrument.
    unit : str
        Of the rows, where the file is new.
    facts : mapping
        What is known without readings, where the file is new.

    Attributes
    ----------
    run : BenchRun
        New, or as it was; whatever it takes is written.

    Raises
    ------
    ConfigError
        If the file is no run, one of another procedure, or damaged before its end.
    """

    def __init__(
        self, path: Path, procedure: Procedure, unit: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        if path.exists() and path.stat().st_size:
            self.run, whole = _replayed(path, procedure)
            self._file: IO[bytes] = path.open("r+b")
            self._file.truncate(whole)
            self._file.seek(whole)
        else:
            self.run = BenchRun(procedure, unit, dict(facts or {}))
            self._file = path.open("wb")
            self._write(["begin", _head(self.run)])
        self.run.heard = self._write

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *told: object) -> None:
        self.run.heard = None
        self._file.close()

    def _write(self, entry: list[Any]) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        if entry[0] != "feed":  # rows can be read again, a word cannot
            os.fsync(self._file.fileno())


def resumed(path: Path, procedure: Procedure) -> BenchRun:
    """Return the run of a file, for reading alone.

    Raises
    ------
    ConfigError
        As `Journal` does, and if there is no such file.
    """
    if not path.exists():
        raise ConfigError("saved run", seen=str(path), reason="there is no such file")
    return _replayed(path, procedure)[0]


def _head(run: BenchRun) -> dict[str, Any]:
    procedure = run.procedure
    return {
        "bench_run": _VERSION,
        "procedure": procedure.key,
        "digest": _digest(procedure),
        "range": [procedure.low, procedure.high],
        "unit": run.unit,
        "facts": run.facts,
    }


def _digest(procedure: Procedure) -> str:
    """Return a hash of all of a procedure that decides what readings are made; its words are not among it."""
    steps = [
        (key, one.level, one.value, one.readings, one.reading_s, one.every_s, one.timeout_s, one.is_steady)
        for key, one in sorted(procedure.steps.items())
    ]
    told = repr((procedure.unit, procedure.order, procedure.steadiness, steps))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _replayed(path: Path, procedure: Procedure) -> tuple[BenchRun, int]:
    """Return the run, and how many bytes of the file are whole lines."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    lines = content[:whole].splitlines()
    entries = [_line(text, number, path) for number, text in enumerate(lines, 1)]
    head = entries[0][1] if entries and entries[0][0] == "begin" else None
    if not isinstance(head, dict) or head.get("bench_run") != _VERSION:
        raise ConfigError("saved run", file=path, reason=f"it is no bench run of version {_VERSION}")
    if head["procedure"] != procedure.key:
        raise ConfigError("saved run", file=path, seen=head["procedure"], allowed=procedure.key)
    if head["digest"] != _digest(procedure):
        reason = f"steps or criteria of {procedure.key} have changed since it was begun"
        raise ConfigError("saved run", file=path, reason=reason)
    run = BenchRun(procedure.on_range(*head["range"]), head["unit"], dict(head["facts"]))
    for number, (name, *told) in enumerate(entries[1:], 2):
        if name not in _INPUTS:
            raise ConfigError("saved run", file=path, reason=f"line {number} is no input of a run")
        if name == "feed":
            run.feed(told[0], [float("nan") if value is None else value for value in told[1]])
        else:
            getattr(run, name)(*told)
    return run, whole


def _line(text: bytes, number: int, path: Path) -> list[Any]:
    try:
        entry = json.loads(text)
    except ValueError as error:
        raise ConfigError("saved run", file=path, reason=f"line {number} is damaged: {error}") from error
    if not isinstance(entry, list) or not entry:
        raise ConfigError("saved run", file=path, reason=f"line {number} is no input of a run")
    return entry
