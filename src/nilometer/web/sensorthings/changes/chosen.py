"""Which Observations a filter chooses, for deletes."""

from __future__ import annotations

from dataclasses import replace

from nilometer.errors import TooLarge
from nilometer.store import Store
from nilometer.web.sensorthings.observations import Observations, Within
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.records import Records

__all__ = ["MOST_DELETED", "ids_of"]

MOST_DELETED = 100_000
"""Observations that one filter may delete."""


def ids_of(store: Store, parent: tuple[str, int] | None, options: Options) -> list[int]:
    """Return the ids of the Observations that options choose.

    Parameters
    ----------
    store : Store
        Catalog and rows.
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
    """
    ids: list[int] = []
    with store.catalog.reading("read entities") as connection:
        observations = Observations(store.snapshot(), Records(connection), store.catalog)
        within = Within()
        if parent is not None:
            name, number = parent
            within = Within(frozenset({number})) if name == "Datastream" else observations.of_feature(number)
        while True:
            rows = observations.page(within, replace(options, skip=len(ids), top=MOST_DELETED))
            ids += rows.table["id"].to_pylist()
            if not rows.more:
                return ids
            if len(ids) >= MOST_DELETED:
                raise TooLarge(f"more than {MOST_DELETED} Observations; delete them in parts, by a time in the filter")
