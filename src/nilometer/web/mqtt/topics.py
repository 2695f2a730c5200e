"""Topics: resource paths with the version and without the host, as the standard has them (OGC 18-088, clause 14)."""

from __future__ import annotations

from dataclasses import dataclass

from nilometer.errors import RequestError
from nilometer.web.sensorthings.options import Options, decode_query, parse_options
from nilometer.web.sensorthings.paths import ResourcePath, parse_path
from nilometer.web.sensorthings.schema import SETS

__all__ = ["EVERY_SET", "Topic", "parse_topic", "path_of"]

PREFIX = "v1.1/"
EVERY_SET = frozenset({"#", "v1.1/#", "v1.1/+"})
"""Filters that stand for the topics of all entity sets."""
_ALLOWED = frozenset({"$select", "$expand"})


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic speaks of, and how it is to be told."""

    text: str
    path: ResourcePath
    options: Options


def path_of(text: str) -> tuple[bytes, bytes]:
    """Return path and query of a topic, as a URL has them.

    Raises
    ------
    RequestError
        If it does not begin with the version.
    """
    if not text.startswith(PREFIX):
        raise RequestError(f"{text[:100]!r} does not begin with {PREFIX}", place="topic")
    path, _, query = text.removeprefix(PREFIX).partition("?")
    return path.encode(), query.encode()


def parse_topic(text: str) -> Topic:
    """Return what a topic to subscribe to means.

    Parameters
    ----------
    text : str
        Such as ``v1.1/Datastreams(1)/Observations?$select=result``.

    Raises
    ------
    RequestError, NotFound
        If it is no resource path, has wildcards, or another option than ``$select`` and ``$expand``.
    """
    path, query = path_of(text)
    if b"+" in path or b"#" in path:
        allowed = ", ".join(sorted(EVERY_SET))
        raise RequestError(f"{text[:100]!r}: of the wildcards these are served: {allowed}", place="topic")
    pairs = decode_query(query)
    for name, _ in pairs:
        if name not in _ALLOWED:
            raise RequestError(f"a topic takes {' and '.join(sorted(_ALLOWED))}, not {name[:40]!r}", place="topic")
    parsed = parse_path(path)
    if parsed.ending:
        raise RequestError(f"a topic does not end in {parsed.ending}", place="topic")
    if len(parsed.steps) == 1 and parsed.steps[0].name not in SETS:
        raise RequestError(f"there is no entity set {parsed.steps[0].name[:60]!r}", place="topic")
    return Topic(text, parsed, parse_options(pairs))
