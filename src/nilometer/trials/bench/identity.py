"""What a run stands on, as hashes: its procedure, and its data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any, Final

from nilometer.errors import ConfigError
from nilometer.trials.bench.procedure import Procedure
from nilometer.trials.bench.run import BenchRun

__all__ = ["ABOUT", "check_data", "data_hash", "procedure_hash"]

ABOUT: Final = ("about", "standards")
"""Facts that are told of a run and of which no figure is made."""


def procedure_hash(procedure: Procedure) -> str:
    """Return the SHA-256 of all of a procedure: its steps, tests, words and the range it is on."""
    return _hash(asdict(procedure))


def data_hash(run: BenchRun) -> str:
    """Return the SHA-256 of what figures are made of: rows, readings' steps, the operator's words, facts, other units.

    Notes
    -----
    The same over a recording, live, and of the run that was saved.
    """
    return _hash(_data(run))


def check_data(run: BenchRun, wanted: str) -> None:
    """Refuse a run whose data are not those of a hash.

    Raises
    ------
    ConfigError
        If they are not.
    """
    found = data_hash(run)
    if found != wanted:
        raise ConfigError("--data", seen=found, allowed=f"the data of {wanted}: these are others")


def _data(run: BenchRun) -> dict[str, Any]:
    segments = [one.to_dict() for one in run.segments]
    return {
        "procedure": run.procedure.key,
        "range": [run.procedure.low, run.procedure.high],
        "unit": run.unit,
        "facts": {name: value for name, value in run.facts.items() if name not in ABOUT},
        "segments": [[one["step"], one["began_us"], one["outcome"], one["times"], one["values"]] for one in segments],
        "beside": [_data(one) for one in run.beside],
    }


def _hash(content: object) -> str:
    told = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(told.encode()).hexdigest()
