"""A plan frozen before the first datum: its hash, when it was taken, and every amendment since, each with its reason.

The record stands beside the plan as ``PLAN.frozen.json``. Each entry carries the hash of the one before, so that none
can be left out or changed unseen; who keeps the last hash elsewhere (a letter, a mail, a notary) can prove the whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nilometer.errors import ConfigError
from nilometer.trials.plan import Plan

__all__ = ["Entry", "Frozen", "amend", "differences", "freeze", "frozen_file", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A plan as it was frozen or amended.

    Parameters
    ----------
    at : str
        When, UTC, ISO 8601.
    by, why : str
        Who, and for what reason; of the first entry the reason is empty.
    plan_hash : str
        SHA-256 of the canonical plan.
    plan : dict
        The plan itself, so that what an amendment changed can be shown.
    changes : list of dict
        Key, before, after; of the first entry none.
    before : str
        Hash of the entry before; empty for the first.
    """

    at: str
    by: str = ""
    why: str = ""
    plan_hash: str
    plan: dict[str, Any]
    changes: list[dict[str, Any]] = field(default_factory=list)
    before: str = ""

    def hash(self) -> str:
        """Return the SHA-256 of the entry."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The history of a plan: the entry that froze it, then its amendments.

    Parameters
    ----------
    entries : tuple of Entry
        In order of time; empty: the plan was never frozen.
    """

    entries: tuple[Entry, ...] = ()

    @property
    def hash(self) -> str:
        """Hash of the last entry, which stands for all; empty where the plan was never frozen."""
        return self.entries[-1].hash() if self.entries else ""

    @property
    def at(self) -> int | None:
        """When it was first frozen, µs since 1970 UTC."""
        return _microseconds(self.entries[0].at) if self.entries else None

    def amended_after(self, first_datum: int) -> tuple[Entry, ...]:
        """Return the amendments made once there were data, which a reader has to weigh."""
        return tuple(entry for entry in self.entries[1:] if _microseconds(entry.at) > first_datum)

    def is_before(self, first_datum: int) -> bool:
        """Say whether the plan was frozen before the first datum."""
        return self.at is not None and self.at <= first_datum


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
    known = _read(path)
    if known.entries:
        raise ConfigError(
            "plan",
            seen=str(path),
            reason=f"is frozen since {known.entries[0].at}",
            allowed="change it by an amendment that says why",
        )
    entry = Entry(at=_text(at), by=by, plan_hash=plan.hash(), plan=plan.model_dump(mode="json"))
    return _write(path, Frozen(entries=(entry,)))


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
    known = _read(path)
    if not known.entries:
        raise ConfigError("plan", seen=str(path), reason="was never frozen", allowed="freeze it first")
    if not why.strip():
        raise ConfigError("why", seen=why, allowed="the reason of the amendment, which the report prints")
    last = known.entries[-1]
    document = plan.model_dump(mode="json")
    changes = list(differences(last.plan, document))
    if not changes:
        raise ConfigError("plan", seen=str(path), reason="is as it was frozen", allowed="a plan that has changed")
    entry = Entry(
        at=_text(at), by=by, why=why.strip(), plan_hash=plan.hash(), plan=document, changes=changes, before=last.hash()
    )
    return _write(path, Frozen(entries=(*known.entries, entry)))


def verify(plan: Plan, path: str | Path) -> Frozen:
    """Return the history of a plan's file, and refuse a plan that is not the one last frozen or amended.

    Raises
    ------
    ConfigError
        If the plan was changed without an amendment, or the record was tampered with: naming what differs.
    """
    known = _read(path)
    if known.entries and known.entries[-1].plan_hash != plan.hash():
        changed = list(differences(known.entries[-1].plan, plan.model_dump(mode="json")))
        told = "; ".join(f"{one['key']} was {one['before']!r}, is {one['after']!r}" for one in changed[:5])
        raise ConfigError(
            "plan",
            seen=str(path),
            reason=f"was changed after it was frozen: {told}",
            allowed='take the change back, or state it: nilometer trial amend PLAN.toml --why "…"',
        )
    return known


def differences(before: Any, after: Any, key: str = "") -> Iterator[dict[str, Any]]:  # noqa: ANN401 -- JSON
    """Yield what differs between two plans as JSON: key, before, after."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from differences(before.get(name), after.get(name), f"{key}.{name}" if key else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{key}[{place}]")
    elif before != after:
        yield {"key": key, "before": before, "after": after}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _microseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


def _read(path: str | Path) -> Frozen:
    file = frozen_file(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Frozen()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("frozen plan", seen=str(file), allowed=f"a file that can be read ({error})") from error
    try:
        document = json.loads(text)
        entries = tuple(Entry(**entry) for entry in document["entries"])
        hashes = list(document["hashes"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError("frozen plan", seen=str(file), allowed="the record as it was written") from error
    before = ""
    for place, entry in enumerate(entries):
        own = hashlib.sha256(
            json.dumps(entry.plan, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        ).hexdigest()
        if entry.before != before or own != entry.plan_hash or hashes[place : place + 1] != [entry.hash()]:
            raise ConfigError(
                "frozen plan",
                seen=str(file),
                reason=f"entry {place + 1}, of {entry.at}, is not the one that was written",
                allowed="the record as it was written",
            )
        before = entry.hash()
    return Frozen(entries=entries)


def _write(path: str | Path, frozen: Frozen) -> Frozen:
    file = frozen_file(path)
    document = {"entries": [asdict(entry) for entry in frozen.entries], "hashes": [e.hash() for e in frozen.entries]}
    whole = file.with_suffix(".json.part")
    try:
        whole.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        whole.replace(file)
    except OSError as error:
        raise ConfigError("frozen plan", seen=str(file), allowed=f"a folder that can be written ({error})") from error
    return frozen
