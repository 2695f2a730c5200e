"""The pipeline: the only room that knows every stage."""

from __future__ import annotations

from nilometer.pipeline.checking import drivers
from nilometer.pipeline.delivery import IngestOutcome
from nilometer.pipeline.live import LiveRows, Subscription
from nilometer.pipeline.pipeline import Pipeline, wall_clock
from nilometer.pipeline.sources import SourceStatus

__all__ = ["IngestOutcome", "LiveRows", "Pipeline", "SourceStatus", "Subscription", "drivers", "wall_clock"]
