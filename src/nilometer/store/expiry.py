"""Which stretches of which Datastreams have been kept long enough; deleting them is the pipeline's.

A stretch that somebody signed is never among them, unless the Datastream says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nilometer.model import Datastream
from nilometer.model.retention import Retention, parse_retention
from nilometer.store.catalog import Catalog
from nilometer.store.review_ledger import SIGN_OFF
from nilometer.store.snapshot import Snapshot

__all__ = ["Expired", "expired", "retention_of"]

_MIN = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Expired:
    """A stretch that is over: rows of these Datastreams from `start` (None: the first) to `end`, µs UTC, exclusive.

    `retention` is how long they were to be kept, as written; `signed` says that signed rows go too.
    """

    datastreams: tuple[int, ...]
    start: int | None
    end: int
    retention: str
    signed: bool


def expired(catalog: Catalog, snapshot: Snapshot, now: int, datastreams: Iterable[Datastream]) -> list[Expired]:
    """Return what is over, Datastreams of one stretch together.

    Parameters
    ----------
    catalog : Catalog
        For the zones of Things and the sign-offs.
    snapshot : Snapshot
        For where each Datastream begins.
    now : int
        µs since 1970 UTC.
    datastreams : iterable of Datastream
        Which may have a ``properties.nilometer.retention``.

    Raises
    ------
    ConfigError
        If a retention is no length of time.
    """
    found: dict[tuple[int | None, int, str, bool], list[int]] = {}
    for one in datastreams:
        kept = retention_of(one)
        extent = None if kept is None else snapshot.extent(one.id)
        if kept is None or extent is None:
            continue
        text = str(_ours(one)["retention"])
        end = kept.horizon(now, catalog.thing(one.thing).time_zone)
        if extent[0] >= end:
            continue
        with_signed = bool(_ours(one).get("retention_signed", False))
        spans = [] if with_signed else list(_signed(catalog, one))
        for start, stop in _between(end, spans):
            found.setdefault((start, stop, text, with_signed), []).append(one.id)
    return [
        Expired(tuple(ids), start, end, text, with_signed) for (start, end, text, with_signed), ids in found.items()
    ]


def retention_of(datastream: Datastream) -> Retention | None:
    """Return how long rows of a Datastream are kept, as ``properties.nilometer.retention`` says; None: for ever.

    Raises
    ------
    ConfigError
        If it is no length of time.
    """
    text = _ours(datastream).get("retention")
    return None if text is None else parse_retention(str(text), f"{datastream.key}: properties.nilometer.retention")


def _ours(datastream: Datastream) -> Mapping[str, Any]:
    ours = datastream.properties.get("nilometer", {})
    return ours if isinstance(ours, Mapping) else {}


def _signed(catalog: Catalog, datastream: Datastream) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sign-offs that stand and speak of a Datastream."""
    of = catalog.observed_property(datastream.observed_property).key
    for step in catalog.reviews.active(None):
        if step.action == SIGN_OFF and step.speaks_of(datastream.id, datastream.thing, of):
            yield step.start, step.end


def _between(end: int, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int | None, int]]:
    """Yield what lies before `end` and in none of the spans."""
    at = _MIN
    for first, last in sorted(spans):
        if first > at and at < end:
            yield None if at == _MIN else at, min(first, end)
        at = max(at, last)
    if at < end:
        yield None if at == _MIN else at, end
