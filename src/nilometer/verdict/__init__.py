"""From flagged Observations to a class: which standard, which items, which one limits, and how sure.

``assess`` takes tables, ``assess_series`` and ``assess_means`` take what a pipeline already has. A standard is never
asked of water it was not made for, and nothing here changes an Observation.
"""

from __future__ import annotations

from nilometer.verdict.assessing import assess
from nilometer.verdict.assessment import assess_means, assess_periods, assess_series
from nilometer.verdict.findings import ItemVerdict, Verdict
from nilometer.verdict.observations import DatastreamOf, series_of_observations
from nilometer.verdict.periods import WINDOWS, days, window_start
from nilometer.verdict.standard import Standard, find_standard, not_applicable, standard_for
from nilometer.verdict.statistics import ItemSeries, ItemStatistics, reduce

__all__ = [
    "WINDOWS",
    "DatastreamOf",
    "ItemSeries",
    "ItemStatistics",
    "ItemVerdict",
    "Standard",
    "Verdict",
    "assess",
    "assess_means",
    "assess_periods",
    "assess_series",
    "days",
    "find_standard",
    "not_applicable",
    "reduce",
    "series_of_observations",
    "standard_for",
    "window_start",
]
