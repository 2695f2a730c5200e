"""A plan's file frozen before the first datum: its history stands beside it as ``PLAN.frozen.json``."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from nilometer.errors import ConfigError
from nilometer.trials.planning.history import (
    Entry,
    Frozen,
    amended,
    begun,
    check_unchanged,
    history_document,
    history_of,
)
from nilometer.trials.planning.plan import Plan

__all__ = ["Entry", "Frozen", "amend", "freeze", "frozen_file", "verify"]


def frozen_file(plan: str | Path) -> Path:
    """Return where the record of a plan's file stands."""
    return Path(plan).with_suffix(".frozen.json")


def freeze(plan: Plan, path: str | Path, *, at: datetime, by: str = "") -> Frozen:
    """Freeze a plan.

    Parameters
    ----------
    plan : Plan
        What is frozen.
    path : path
        The plan's file, beside which the record is written.
    at : datetime
        Now.
    by : str
        Who.

    Raises
    ------
    ConfigError
        If it is frozen already.
    """
    return _write(path, begun(plan, _read(path), at=at, by=by, where=str(path)))


def amend(plan: Plan, path: str | Path, *, at: datetime, why: str, by: str = "") -> Frozen:
    """Take the plan's file as it is now for an amendment.

    Parameters
    ----------
    plan, path, at, by
        As in `freeze`.
    why : str
        The reason, which the report prints.

    Raises
    ------
    ConfigError
        If it was never frozen, nothing has changed, no reason is given, or the record was tampered with.
    """
    return _write(path, amended(plan, _read(path), at=at, why=why, by=by, where=str(path)))


def verify(plan: Plan, path: str | Path) -> Frozen:
    """Return the history of a plan's file, and refuse a plan that is not the one last frozen or amended.

    Raises
    ------
    ConfigError
        If the plan was changed without an amendment, or the record was tampered with: naming what differs.
    """
    known = _read(path)
    check_unchanged(plan, known, where=str(path))
    return known


def _read(path: str | Path) -> Frozen:
    file = frozen_file(path)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Frozen()
    except json.JSONDecodeError as error:
        raise ConfigError("frozen plan", seen=str(file), allowed="the record as it was written") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("frozen plan", seen=str(file), allowed=f"a file that can be read ({error})") from error
    return history_of(document, where=file)


def _write(path: str | Path, frozen: Frozen) -> Frozen:
    file = frozen_file(path)
    whole = file.with_suffix(".json.part")
    try:
        whole.write_text(json.dumps(history_document(frozen), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        whole.replace(file)
    except OSError as error:
        raise ConfigError("frozen plan", seen=str(file), allowed=f"a folder that can be written ({error})") from error
    return frozen
