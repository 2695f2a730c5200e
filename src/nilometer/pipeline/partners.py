"""Whom the tests of several Datastreams compare a Datastream with."""

from __future__ import annotations

from nilometer import units
from nilometer.model import Datastream
from nilometer.pipeline.log import Log
from nilometer.qc.joint import Partner
from nilometer.qc.profile import Profile
from nilometer.store import Catalog

__all__ = ["Partners"]

_log = Log(__name__)


class Partners:
    """Finds the other Datastreams that profiles name.

    Parameters
    ----------
    catalog : Catalog
        The Datastreams.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lacking: set[int] = set()

    def of(self, datastream: Datastream, profile: Profile | None) -> dict[str, Partner]:
        """Return the others by the tests' names; a test whose other is not there, or does not fit, has none."""
        self._lacking.discard(datastream.id)
        found: dict[str, Partner] = {}
        for test in profile.tests if profile is not None else ():
            name = test.parameters.get("other")
            if name is None:
                continue
            other = self._find(datastream, str(name))
            if other is None:
                self._lacking.add(datastream.id)
                continue
            is_difference = test.kind == "neighbor" and "n_dev" not in test.parameters
            partner = _compared(datastream, other) if is_difference else Partner(other.id)
            if partner is not None:
                found[test.name] = partner
        return found

    def lacking(self) -> list[int]:
        """Return the Datastreams of which a test waits for one that is not there yet."""
        return sorted(self._lacking)

    def _find(self, datastream: Datastream, name: str) -> Datastream | None:
        known = self._catalog.datastream_by_key(name)
        if known is not None:
            return known
        observed = self._catalog.observed_property_by_key(name)
        if observed is None:
            return None
        same = (
            other
            for other in self._catalog.datastreams()
            if (other.thing, other.observed_property) == (datastream.thing, observed.id) and other.id != datastream.id
        )
        return next(same, None)


def _compared(datastream: Datastream, other: Datastream) -> Partner | None:
    """Return a partner whose values are brought to the unit of the judged Datastream; None where that cannot be."""
    if units.UNKNOWN in {other.unit, datastream.unit}:
        return None
    if other.unit == datastream.unit:
        return Partner(other.id)
    if not units.same_dimension(other.unit, datastream.unit):
        _log.warning("the neighbor has another dimension; not compared", datastream=datastream.key, neighbor=other.key)
        return None
    scale, offset = units.affine(other.unit, datastream.unit)
    return Partner(other.id, scale, offset)
