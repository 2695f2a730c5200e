"""How much an answer grows by entities that stand in it many times: read once, they may be written a million times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from nilometer.web.sensorthings.options import Options

__all__ = ["repeated"]

_BYTES_OF_ONE = 500


def repeated(documents: Iterable[Any], again: Sequence[int], options: Options) -> int:
    """Return how many entities come on top where documents stand in an answer more than once.

    Parameters
    ----------
    documents : iterable
        Of entities, with their expansions.
    again : sequence of int
        How often each is written beyond the first time.
    options : Options
        What they are expanded by.

    Examples
    --------
    >>> repeated([{"name": "Weir"}], [3], Options())
    3
    """
    pairs = zip(documents, again, strict=True)
    return sum(times * _entities_in(document, options) for document, times in pairs if times > 0)


def _entities_in(document: Any, options: Options) -> int:  # noqa: ANN401 -- an entity, or its text
    if isinstance(document, msgspec.Raw):
        return 1 + memoryview(document).nbytes // _BYTES_OF_ONE
    if not isinstance(document, dict):
        return 0
    found = 1
    for expansion in options.expand:
        inner = document.get(expansion.relation)
        items = inner if isinstance(inner, list) else [inner]
        found += sum(_entities_in(item, expansion.options) for item in items)
    return found
