"""The Datastreams of a store as a trial reads them, all as of one moment, and what a plan may ask of a server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from nilometer.errors import ConfigError, NotFound, UnitError
from nilometer.model import Datastream
from nilometer.store import Catalog, Store
from nilometer.trials.planning.plan import Plan, SourcePlan
from nilometer.units import affine

__all__ = ["StoreRows", "check_sources", "sources_of"]


class StoreRows:
    """What `nilometer.trials` asks of a server, answered by the store itself.

    Parameters
    ----------
    store : Store
        Has the Datastreams.
    as_of : int, optional
        The moment of which the data are seen, µs since 1970 UTC: the same whenever it is asked for; None: now.
    """

    def __init__(self, store: Store, as_of: int | None = None) -> None:
        self._catalog, self._snapshot = store.catalog, store.snapshot(as_of)

    def datastream(self, name: str | int) -> dict[str, Any]:
        """Return what a Datastream is.

        Raises
        ------
        NotFound
            If there is none of that key.
        """
        known = self._known(name)
        return {"id": known.id, "key": known.key, "unit": known.unit}

    def read(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> pa.Table:  # noqa: ANN401 -- as the protocol has it
        """Return the rows of a Datastream in order of time: ``columns`` are names, separated by commas."""
        columns = str(query["columns"]).split(",") if "columns" in query else None
        first, last = (None if moment is None else _microseconds(moment) for moment in (start, end))
        return self._snapshot.read([self._known(datastream).id], first, last, columns=columns)

    def _known(self, name: str | int) -> Datastream:
        known = self._catalog.datastream_by_key(str(name))
        if known is None:
            raise NotFound(f"there is no Datastream {str(name)[:100]!r}")
        return known


def sources_of(plan: Plan) -> Iterator[tuple[str, SourcePlan]]:
    """Yield every series that a plan names, with where in the plan it stands."""
    for kind, parts in (("candidate", plan.candidate), ("reference", plan.reference), ("sample", plan.sample)):
        for place, part in enumerate(parts):
            yield f"{kind}[{place}]", part
    for name, condition in plan.condition.items():
        yield f"condition.{name}", condition


def check_sources(plan: Plan, catalog: Catalog) -> None:
    """Refuse a plan whose data this server cannot give.

    Raises
    ------
    ConfigError
        If it names a file, a Datastream that is not there, or one Datastream for both arms.
    UnitError
        If a Datastream is not of the trial's dimension.
    """
    for place, part in sources_of(plan):
        if part.datastream is None:
            raise ConfigError(
                f"{place}.file",
                seen=part.file,
                reason="a server reads no files",
                allowed="datastream = a key; bring a file in by nilometer import, or run the trial beside its files",
            )
        known = catalog.datastream_by_key(part.datastream)
        if known is None:
            keys = [one.key for one in catalog.datastreams()]
            raise ConfigError(f"{place}.datastream", seen=part.datastream, allowed=keys or "none: there are none yet")
        if not place.startswith("condition"):
            try:
                affine(part.unit or known.unit, plan.trial.unit)
            except UnitError as error:
                raise UnitError(f"{place}.datastream = {part.datastream!r}: {error}") from error
    for number, window in enumerate(plan.maintenance):
        if window.file is not None:
            raise ConfigError(
                f"maintenance[{number}].file",
                seen=window.file,
                reason="a server reads no files",
                allowed="start and end; or an event, whose rule flags the rows of its span",
            )
    ours = {one.datastream for one in plan.candidate}
    for number, one in enumerate(plan.reference):
        if one.datastream in ours:
            raise ConfigError(
                f"reference[{number}].datastream",
                seen=one.datastream,
                reason="is the candidate's too: nothing differs from itself",
                allowed="another Datastream",
            )


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round(moment.timestamp() * 1_000_000)
