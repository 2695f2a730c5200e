"""Which Observations a filter chooses, for deletes."""

from __future__ import annotations

from nilometer.errors import TooLarge
from nilometer.store import Store
from nilometer.web.sensorthings.answers.limits import Gate
from nilometer.web.sensorthings.observations import Observations, Within
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.records import Records
from nilometer.web.sensorthings.schema import STREAMS

__all__ = ["MOST_DELETED", "ids_of"]

MOST_DELETED = 100_000
"""Observations that one filter may delete."""


def ids_of(store: Store, gate: Gate, parent: tuple[str, int] | None, options: Options) -> list[int]:
    """Return the ids of the Observations that options choose.

    Parameters
    ----------
    store : Store
        Catalog and rows.
    gate : Gate
        Where a heavy query is counted.
    parent : tuple of str and int, optional
        The entity whose Observations are meant; None: all.
    options : Options
        With a filter.

    Raises
    ------
    TooLarge
        If they are more than `MOST_DELETED`.
    RequestError
        If the filter cannot be answered.
    Overloaded
        If it takes too long.
    """
    with store.catalog.reading("read entities") as connection:
        observations = Observations(store.snapshot(), Records(connection), store.catalog, gate)
        within = Within()
        if parent is not None:
            name, number = parent
            within = Within(frozenset({number})) if name in STREAMS else observations.of_feature(number)
        ids: list[int] = []
        for table in observations.page(within, options, columns=["id"], top=MOST_DELETED + 1):
            ids += table["id"].to_pylist()
    if len(ids) > MOST_DELETED:
        raise TooLarge(f"more than {MOST_DELETED} Observations; delete them in parts, by a time in the filter")
    return ids
