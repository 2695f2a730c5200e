"""The words everyone shares: entities, flags, the columns of an Observation, the observed-property vocabulary."""

from __future__ import annotations

from nilometer.model.batch import NO_TIME, ObservationBatch, Settlements
from nilometer.model.entities import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    MultiDatastream,
    ObservedProperty,
    Origin,
    SampleKind,
    Sensor,
    Thing,
    WaterBody,
)
from nilometer.model.flags import QartodFlag

__all__ = [
    "NO_TIME",
    "Datastream",
    "FeatureOfInterest",
    "HistoricalLocation",
    "Location",
    "MultiDatastream",
    "ObservationBatch",
    "ObservedProperty",
    "Origin",
    "QartodFlag",
    "SampleKind",
    "Sensor",
    "Settlements",
    "Thing",
    "WaterBody",
]
