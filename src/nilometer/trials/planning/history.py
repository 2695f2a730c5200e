"""The history of a plan: when it was frozen, and every amendment since, each with its reason.

Each entry carries the hash of the one before, so that none can be left out or changed unseen; who keeps the last hash
elsewhere (a letter, a mail, a notary) can prove the whole. Where the history is kept, beside a file or in a catalog, is
the business of others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nilometer.errors import ConfigError
from nilometer.trials.planning.plan import Plan

__all__ = ["Entry", "Frozen", "amended", "begun", "check_unchanged", "differences", "history_document", "history_of"]

_WRITTEN = "the record as it was written"


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


def begun(plan: Plan, known: Frozen, *, at: datetime, by: str = "", where: str = "") -> Frozen:
    """Return the history of a plan that is frozen now.

    Parameters
    ----------
    plan : Plan
        What is frozen.
    known : Frozen
        Its history so far: none.
    at : datetime
        Now.
    by : str
        Who.
    where : str
        The plan's file or number, for messages.

    Raises
    ------
    ConfigError
        If it is frozen already.
    """
    if known.entries:
        raise ConfigError(
            "plan",
            seen=where or None,
            reason=f"is frozen since {known.entries[0].at}",
            allowed="change it by an amendment that says why",
        )
    return Frozen(entries=(Entry(at=_text(at), by=by, plan_hash=plan.hash(), plan=plan.model_dump(mode="json")),))


def amended(plan: Plan, known: Frozen, *, at: datetime, why: str, by: str = "", where: str = "") -> Frozen:
    """Return the history with a plan as it is now for its last amendment.

    Parameters
    ----------
    plan, known, at, by, where
        As in `begun`.
    why : str
        The reason, which the report prints.

    Raises
    ------
    ConfigError
        If it was never frozen, nothing has changed, or no reason is given.
    """
    if not known.entries:
        raise ConfigError("plan", seen=where or None, reason="was never frozen", allowed="freeze it first")
    if not why.strip():
        raise ConfigError("why", seen=why, allowed="the reason of the amendment, which the report prints")
    last, document = known.entries[-1], plan.model_dump(mode="json")
    changes = list(differences(last.plan, document))
    if not changes:
        raise ConfigError("plan", seen=where or None, reason="is as it was frozen", allowed="a plan that has changed")
    entry = Entry(
        at=_text(at), by=by, why=why.strip(), plan_hash=plan.hash(), plan=document, changes=changes, before=last.hash()
    )
    return Frozen(entries=(*known.entries, entry))


def check_unchanged(plan: Plan, known: Frozen, *, where: str = "") -> None:
    """Refuse a plan that is not the one last frozen or amended; one that was never frozen is as it likes.

    Raises
    ------
    ConfigError
        Naming what differs.
    """
    if known.entries and known.entries[-1].plan_hash != plan.hash():
        changed = list(differences(known.entries[-1].plan, plan.model_dump(mode="json")))
        told = "; ".join(f"{one['key']} was {one['before']!r}, is {one['after']!r}" for one in changed[:5])
        raise ConfigError(
            "plan",
            seen=where or None,
            reason=f"was changed after it was frozen: {told}",
            allowed='take the change back, or state it: nilometer trial amend PLAN.toml --why "…"',
        )


def history_document(frozen: Frozen) -> dict[str, Any]:
    """Return a history as plain JSON, with the hash of each entry."""
    return {"entries": [asdict(entry) for entry in frozen.entries], "hashes": [e.hash() for e in frozen.entries]}


def history_of(document: Mapping[str, Any], *, where: str | Path = "") -> Frozen:
    """Return the history that `history_document` made a document of.

    Raises
    ------
    ConfigError
        If it is none, or an entry is not the one that was written.
    """
    seen = str(where) or None
    try:
        entries = tuple(Entry(**entry) for entry in document["entries"])
        hashes = list(document["hashes"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError("frozen plan", seen=seen, allowed=_WRITTEN) from error
    before = ""
    for place, entry in enumerate(entries):
        own = hashlib.sha256(
            json.dumps(entry.plan, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        ).hexdigest()
        if entry.before != before or own != entry.plan_hash or hashes[place : place + 1] != [entry.hash()]:
            raise ConfigError(
                "frozen plan",
                seen=seen,
                reason=f"entry {place + 1}, of {entry.at}, is not the one that was written",
                allowed=_WRITTEN,
            )
        before = entry.hash()
    return Frozen(entries=entries)


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
