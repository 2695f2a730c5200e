"""The nine entity types: their properties with the catalog's columns, and the relations between them.

Observations have no table: their columns are those of `nilometer.model.schemas.OBSERVATION`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Table, select
from sqlalchemy.sql.expression import ColumnElement, FromClause

from nilometer.errors import RequestError, near
from nilometer.store import tables

__all__ = ["OBSERVATION", "SETS", "STREAMS", "TYPES", "EntityType", "Link", "Property", "Relation", "Through"]


@dataclass(frozen=True, slots=True)
class Property:
    """A property as the standard names it.

    `kind` is text, number, time, interval or json; `column` is the catalog's, empty where the value is computed.
    `members` are columns that a filter finds inside a computed JSON value, by path.
    """

    name: str
    kind: str = "text"
    column: str = ""
    members: dict[tuple[str, ...], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A table between two types: its column for the entity one comes from, and for the one it leads to.

    `order` is the column by which it leads to many in an order of their own.
    """

    table: FromClause
    mine: str
    theirs: str
    order: str = ""


@dataclass(frozen=True, slots=True)
class Through:
    """How a relation is kept: a column on this side, a column on the other, or a table between."""

    own: str = ""
    other: str = ""
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation: its name in paths, the type it leads to, to one or to many."""

    name: str
    target: str
    through: Through

    @property
    def many(self) -> bool:
        """Whether it leads to many."""
        return not self.through.own


@dataclass(frozen=True, slots=True)
class EntityType:
    """An entity type, its set, its table in the catalog (None for Observations)."""

    name: str
    plural: str
    table: FromClause | None
    properties: dict[str, Property]
    relations: dict[str, Relation]

    def column(self, name: str) -> ColumnElement[object]:
        """Return a column of its table."""
        if self.table is None:
            raise RequestError(f"{self.plural} have no column {name}")
        return self.table.c[name]

    def unknown(self, name: str, place: str) -> RequestError:
        """Return the error for a name that is neither property nor relation."""
        known = ["id", *self.properties, *self.relations]
        close = near(name, known)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return RequestError(f"{self.name} has no {name[:60]!r}{hint} (known: {', '.join(known)})", place=place)


def _type(name: str, plural: str, table: FromClause | None, *parts: Property | Relation) -> EntityType:
    return EntityType(
        name,
        plural,
        table,
        {part.name: part for part in parts if isinstance(part, Property)},
        {part.name: part for part in parts if isinstance(part, Relation)},
    )


def _there(table: Table) -> FromClause:
    """Return the rows of a table whose entities were not deleted."""
    return select(table).where(table.c.deleted.is_(None)).subquery(table.name)


_SEVERAL = tables.datastreams.c.unit_of_measurements
_OBSERVED = tables.datastreams_observed_properties


def _plain() -> FromClause:
    """Return the rows of Datastreams."""
    own = [column for column in tables.datastreams.c if not column.name.endswith(("measurements", "data_types"))]
    there = select(*own).where(tables.datastreams.c.deleted.is_(None), _SEVERAL.is_(None))
    return there.subquery("datastreams")


def _multi() -> FromClause:
    """Return the rows of MultiDatastreams."""
    there = select(tables.datastreams).where(tables.datastreams.c.deleted.is_(None), _SEVERAL.is_not(None))
    return there.subquery("multi_datastreams")


def _observing() -> FromClause:
    """Return which MultiDatastreams observe a property, each once however often it does."""
    return select(_OBSERVED.c.observed_property, _OBSERVED.c.datastream).distinct().subquery("observing")


def _ours(*columns: str) -> dict[tuple[str, ...], str]:
    return {("nilometer", column): column for column in columns}


_NAME = Property("name", column="name")
_DESCRIPTION = Property("description", column="description")
_ENCODING = Property("encodingType", column="encoding_type")
_PROPERTIES = Property("properties", "json", "properties")

TYPES: dict[str, EntityType] = {
    kind.name: kind
    for kind in (
        _type(
            "Thing",
            "Things",
            _there(tables.things),
            _NAME,
            _DESCRIPTION,
            Property("properties", "json", "properties", _ours("key", "water_body", "target_class", "time_zone")),
            Relation("Locations", "Location", Through(link=Link(tables.things_locations, "thing", "location"))),
            Relation("HistoricalLocations", "HistoricalLocation", Through(other="thing")),
            Relation("Datastreams", "Datastream", Through(other="thing")),
            Relation("MultiDatastreams", "MultiDatastream", Through(other="thing")),
        ),
        _type(
            "Location",
            "Locations",
            tables.locations,
            _NAME,
            _DESCRIPTION,
            _ENCODING,
            Property("location", "json", "location"),
            _PROPERTIES,
            Relation("Things", "Thing", Through(link=Link(tables.things_locations, "location", "thing"))),
            Relation(
                "HistoricalLocations",
                "HistoricalLocation",
                Through(link=Link(tables.historical_locations_locations, "location", "historical_location")),
            ),
        ),
        _type(
            "HistoricalLocation",
            "HistoricalLocations",
            tables.historical_locations,
            Property("time", "time", "time"),
            Relation("Thing", "Thing", Through(own="thing")),
            Relation(
                "Locations",
                "Location",
                Through(link=Link(tables.historical_locations_locations, "historical_location", "location")),
            ),
        ),
        _type(
            "Datastream",
            "Datastreams",
            _plain(),
            _NAME,
            _DESCRIPTION,
            Property(
                "unitOfMeasurement",
                "json",
                members={("name",): "unit_name", ("symbol",): "unit_symbol", ("definition",): "unit_definition"},
            ),
            Property("observationType", column="observation_type"),
            Property("observedArea", "json"),
            Property("phenomenonTime", "interval"),
            Property("resultTime", "interval"),
            Property(
                "properties", "json", "properties", _ours("key", "origin", "profile", "mark_scheme", "identity", "unit")
            ),
            Relation("Thing", "Thing", Through(own="thing")),
            Relation("Sensor", "Sensor", Through(own="sensor")),
            Relation("ObservedProperty", "ObservedProperty", Through(own="observed_property")),
            Relation("Observations", "Observation", Through(other="datastream")),
        ),
        _type(
            "MultiDatastream",
            "MultiDatastreams",
            _multi(),
            _NAME,
            _DESCRIPTION,
            Property("unitOfMeasurements", "json", "unit_of_measurements"),
            Property("observationType", column="observation_type"),
            Property("multiObservationDataTypes", "json", "multi_observation_data_types"),
            Property("observedArea", "json"),
            Property("phenomenonTime", "interval"),
            Property("resultTime", "interval"),
            Property("properties", "json", "properties", _ours("key")),
            Relation("Thing", "Thing", Through(own="thing")),
            Relation("Sensor", "Sensor", Through(own="sensor")),
            Relation(
                "ObservedProperties",
                "ObservedProperty",
                Through(link=Link(_OBSERVED, "datastream", "observed_property", "ordinal")),
            ),
            Relation("Observations", "Observation", Through(other="datastream")),
        ),
        _type(
            "Sensor",
            "Sensors",
            _there(tables.sensors),
            _NAME,
            _DESCRIPTION,
            _ENCODING,
            Property("metadata", "json", "metadata"),
            Property("properties", "json", "properties", _ours("key")),
            Relation("Datastreams", "Datastream", Through(other="sensor")),
            Relation("MultiDatastreams", "MultiDatastream", Through(other="sensor")),
        ),
        _type(
            "ObservedProperty",
            "ObservedProperties",
            _there(tables.observed_properties),
            _NAME,
            Property("definition", column="definition"),
            _DESCRIPTION,
            Property("properties", "json", "properties", _ours("key")),
            Relation("Datastreams", "Datastream", Through(other="observed_property")),
            Relation(
                "MultiDatastreams",
                "MultiDatastream",
                Through(link=Link(_observing(), "observed_property", "datastream")),
            ),
        ),
        _type(
            "Observation",
            "Observations",
            None,
            Property("phenomenonTime", "interval", "phenomenon_time"),
            Property("result", "json", "result"),
            Property("resultTime", "time", "result_time"),
            Property("resultQuality", "json"),
            Property("validTime", "interval"),
            Property("parameters", "json"),
            Relation("Datastream", "Datastream", Through(own="datastream")),
            Relation("MultiDatastream", "MultiDatastream", Through(own="datastream")),
            Relation("FeatureOfInterest", "FeatureOfInterest", Through(own="feature")),
        ),
        _type(
            "FeatureOfInterest",
            "FeaturesOfInterest",
            _there(tables.features_of_interest),
            _NAME,
            _DESCRIPTION,
            _ENCODING,
            Property("feature", "json", "feature"),
            Property("properties", "json", "properties", _ours("sample_kind")),
            Relation("Observations", "Observation", Through(other="feature")),
        ),
    )
}
"""By the name of one."""

SETS: dict[str, EntityType] = {kind.plural: kind for kind in TYPES.values()}
"""By the name of the set."""

OBSERVATION = TYPES["Observation"]

STREAMS = frozenset({"Datastream", "MultiDatastream"})
"""The types that have Observations: of one property, and of several. One of each id is there, of either type."""
