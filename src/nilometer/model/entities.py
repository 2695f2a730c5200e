"""The SensorThings entities as nilometer keeps them; Observations never appear here one by one, only as columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from nilometer.units import UNKNOWN

__all__ = [
    "Datastream",
    "FeatureOfInterest",
    "HistoricalLocation",
    "Location",
    "MultiDatastream",
    "ObservedProperty",
    "Origin",
    "SampleKind",
    "Sensor",
    "Thing",
    "WaterBody",
]

OM_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
OM_COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"
GEOJSON = "application/geo+json"


class WaterBody(StrEnum):
    """What kind of water a Thing watches; a Standard names the kinds it applies to."""

    RIVER = "river"
    LAKE = "lake"
    RESERVOIR = "reservoir"
    SEA = "sea"
    ESTUARY = "estuary"
    GROUNDWATER = "groundwater"
    DRINKING_WATER = "drinking_water"
    WASTE_WATER = "waste_water"
    TANK = "tank"
    OTHER = "other"


class Origin(StrEnum):
    """Where a Datastream's values come from; simulated and replayed values never leave through an uplink."""

    INSTRUMENT = "instrument"
    DERIVED = "derived"
    MANUAL = "manual"
    SIMULATED = "simulated"
    REPLAYED = "replayed"


class SampleKind(IntEnum):
    """What was measured: the water itself, or a standard or sample that must never count as water."""

    WATER = 0
    ZERO = 1
    SPAN = 2
    CHECK = 3
    SPIKE = 4
    BLANK = 5
    PARALLEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A station, a buoy, a discharge, a tank.

    `time_zone` is an IANA name: days and months of this Thing are counted in it. `target_class` is the class its
    water has to meet, as the standard writes it (``III``).
    """

    id: int = 0
    key: str
    name: str
    description: str = ""
    water_body: WaterBody = WaterBody.OTHER
    target_class: str | None = None
    time_zone: str = "UTC"
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a Thing stands; `location` is kept exactly as it was given."""

    id: int = 0
    name: str
    description: str = ""
    encoding_type: str = GEOJSON
    location: Any = None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoricalLocation:
    """Where a Thing stood from `time` (µs since 1970, UTC) on."""

    id: int = 0
    thing: int
    time: int
    locations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """The instrument, its maker, model and serial number in `properties`."""

    id: int = 0
    key: str
    name: str
    description: str = ""
    encoding_type: str = "application/json"
    metadata: Any = ""
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedProperty:
    """A quantity; `key` is its vocabulary key, or its own where the vocabulary lacks it."""

    id: int = 0
    key: str
    name: str
    definition: str
    description: str = ""
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureOfInterest:
    """The water, or the sample or standard, that an Observation speaks of."""

    id: int = 0
    name: str
    description: str = ""
    encoding_type: str = GEOJSON
    feature: Any = None
    sample_kind: SampleKind = SampleKind.WATER
    thing: int | None = None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datastream:
    """One observed property of one Thing by one Sensor.

    `key` is unique text, a letter first (default ``thing/property``); `unit` is CF text; `profile` names a QC profile
    (None: not judged); `mark_scheme` names the table that judges the instrument's own marks (``hj212-2017``);
    `identity` is ``time`` (repeats are recognised) or ``always_new`` (SensorThings creates).
    """

    id: int = 0
    key: str
    name: str
    description: str = ""
    thing: int
    sensor: int
    observed_property: int
    unit: str = "1"
    unit_name: str | None = None
    unit_symbol: str | None = None
    unit_definition: str | None = None
    observation_type: str = OM_MEASUREMENT
    origin: Origin = Origin.INSTRUMENT
    profile: str | None = None
    mark_scheme: str | None = None
    identity: str = "time"
    clock_resolution_us: int = 1000
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiDatastream(Datastream):
    """Several observed properties of one Thing by one Sensor, measured together: a result is an array of them.

    It is a Datastream to whoever looks after rows, with an id of the same count. It is none to whoever looks after
    one quantity: it has no unit, is not calibrated and not judged. `unit_of_measurements` and
    `multi_observation_data_types` have a member for each member of a result; `observed_property` is the first of as
    many ObservedProperties, which the catalog keeps in their order.
    """

    unit: str = UNKNOWN
    observation_type: str = OM_COMPLEX
    unit_of_measurements: list[dict[str, Any]]
    multi_observation_data_types: list[str]

    @property
    def width(self) -> int:
        """How many members a result has."""
        return len(self.unit_of_measurements)
