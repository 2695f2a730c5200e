"""A recording that a bench run is made over: its rows, and the TOML file that says when which standard was given."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nilometer.cli.file_options import FileWishes, opened
from nilometer.errors import ConfigError
from nilometer.trials.bench.journal import Journal
from nilometer.trials.bench.run import BenchRun, over_recording

if TYPE_CHECKING:
    from nilometer.acquisition.formats.recording import RecordingColumn
    from nilometer.trials.bench.procedure import Procedure

__all__ = ["BenchFile", "toml_of"]


class BenchFile:
    """One recording with its steps.

    Parameters
    ----------
    file : path
        The recording.
    steps : path or None
        The TOML file with ``[[step]]``.
    column : str or None
        With the values; None where there is one alone.
    wishes : FileWishes
        What is said of the file.

    Raises
    ------
    ConfigError
        If steps are not said, or there is no such column.
    """

    def __init__(self, file: Path, steps: Path | None, column: str | None, wishes: FileWishes) -> None:
        if steps is None:
            reason = "when which standard was given has to be said: a TOML file with [[step]]"
            raise ConfigError("--steps", reason=reason)
        self._file, self._recording = file, opened(file, wishes)
        names = list(self._recording.columns)
        self._name = names[0] if column is None and len(names) == 1 else column
        self._part = self._column("--column", self._name)
        self._asked = _asked(steps)
        self._times = np.asarray(self._recording.times, "datetime64[us]").astype(np.int64)
        end_us = int(self._times.max()) + 1 if len(self._times) else 0
        self._declared = _declared(self._asked, steps, end_us)

    def _column(self, option: str, name: str | None) -> RecordingColumn:
        if name not in self._recording.columns:
            raise ConfigError(option, seen=name, allowed=list(self._recording.columns), file=self._file)
        return self._recording.columns[name]

    def run(
        self,
        procedure: Procedure,
        *,
        unit: str | None,
        span: tuple[float, float] | None,
        known: dict[str, Any],
        save: Path | None,
    ) -> BenchRun:
        """Return the run over the column, saved into a new file where one is named.

        Raises
        ------
        ConfigError
            If that file is there, or a step is unknown.
        """
        given = unit or self._asked.get("unit") or self._part.unit or procedure.unit
        low, high = span or self._asked.get("range", (procedure.low, procedure.high))
        chosen, facts = procedure.on_range(float(low), float(high)), {**self._asked.get("facts", {}), **known}
        if save is None:
            run = BenchRun(chosen, given, facts)
            over_recording(run, self._times, self._part.values, self._declared)
            return run
        if save.exists():
            raise ConfigError("--save", seen=str(save), reason="it is there: a recording makes a new run")
        with Journal(save, chosen, given, facts) as journal:
            over_recording(journal.run, self._times, self._part.values, self._declared)
            return journal.run

    def run_of_unit(self, run: BenchRun, name: str) -> BenchRun:
        """Return the run of another unit, by its column: the same steps at the same times.

        Raises
        ------
        ConfigError
            If it is the unit itself, or there is no such column.
        """
        if name == self._name:
            raise ConfigError("--beside", seen=name, allowed="the columns of other units than that of --column")
        other = BenchRun(run.procedure, run.unit)
        over_recording(other, self._times, self._column("--beside", name).values, self._declared)
        return other


def toml_of(file: Path) -> dict[str, Any]:
    """Return a TOML file.

    Raises
    ------
    ConfigError
        If it is none, or cannot be read.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("TOML", file=file, reason=str(error)) from error
    except OSError as error:
        raise ConfigError("TOML", file=file, reason=error.strerror or str(error)) from error


def _asked(steps: Path) -> dict[str, Any]:
    asked = toml_of(steps)
    unknown = [name for name in asked if name not in {"unit", "range", "facts", "step"}]
    if unknown:
        raise ConfigError(unknown[0], file=steps, allowed=("unit", "range", "facts", "step"))
    return asked


def _declared(asked: dict[str, Any], file: Path, end_us: int) -> list[tuple[str, int, int]]:
    """Return steps with begin and end; one without an end lasts until the next."""
    rows = asked.get("step", [])
    if not rows:
        raise ConfigError("step", file=file, reason="there is no [[step]] table")

    def moment(row: dict[str, Any], name: str, place: int) -> int:
        value = row.get(name)
        if not isinstance(value, datetime) or value.tzinfo is None:
            allowed = "a time with its zone, such as 2026-05-01T10:00:00Z"
            raise ConfigError(f"step[{place}].{name}", seen=value, allowed=allowed, file=file)
        return round(value.timestamp() * 1e6)

    starts = [moment(row, "start", place) for place, row in enumerate(rows)]
    later = sorted(starts)[1:]
    return [
        (
            str(row.get("key")),
            start,
            moment(row, "end", place) if "end" in row else min((one for one in later if one > start), default=end_us),
        )
        for place, (row, start) in enumerate(zip(rows, starts, strict=True))
    ]
