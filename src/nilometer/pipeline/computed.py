"""Why rows of a derived Datastream are not taken: they are computed, and would be computed over."""

from __future__ import annotations

from nilometer.store import Catalog

__all__ = ["why_computed"]

_MOST_NAMED = 8


def why_computed(datastream: int, catalog: Catalog) -> str | None:
    """Return why rows of a Datastream are not taken, and what to do; None: they are."""
    definition = catalog.definitions.current().get(datastream)
    if definition is None:
        return None
    inputs = [one["datastream"] for one in definition.document["inputs"].values() if one.get("datastream")]
    named = ", ".join(list(dict.fromkeys(inputs))[:_MOST_NAMED])
    key = catalog.datastream(datastream).key
    return f"{key} is derived by {definition.document['function']}; send the rows of its inputs: {named}"
