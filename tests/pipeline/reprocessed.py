"""A river with a pH that is reprocessed, and what is compared of it."""

from __future__ import annotations

import asyncio

import numpy as np

from nilometer.model import ObservationBatch
from nilometer.pipeline.reprocess_order import ReprocessOrder
from tests.pipeline.conftest import RIVER

__all__ = ["FIRST", "QC", "SECOND", "config", "content", "raw", "reprocess", "same", "water"]

FIRST = {"kind": "polynomial", "coefficients": [0.0, 1.0], "residual_uncertainty": 0.1, "certificate": "A"}
SECOND = {
    "kind": "polynomial",
    "coefficients": [0.5, 1.02],
    "residual_uncertainty": 0.05,
    "certificate": "B",
    "valid_from": "2024-05-01T12:30:00Z",
}
QC = {"tests": {"spike": {"suspect": 1.0, "fail": 3.0}, "flat_line": {"suspect": "5 min", "fail": "20 min"}}}


def config(*calibrations, qc=None, more=()):
    ph = {"key": "river/ph", "thing": "river", "property": "ph", "profile": "river/ph", "qc": QC}
    ph |= {"calibrations": list(calibrations)} | ({} if qc is None else {"qc": qc})
    return {"thing": [RIVER], "datastream": [ph, *more]}


def water(n=240, seed=4):
    values = np.round(7 + np.cumsum(np.random.default_rng(seed).normal(0, 0.03, n)), 2)
    values[[40, 100]] += 4.0
    values[60:90] = values[60]
    values[[130, 131]] = np.nan
    return values


async def reprocess(pipeline, **order):
    return await asyncio.to_thread(pipeline.reprocessing.run, ReprocessOrder(**order))


def content(pipeline, *, as_of=None, versions=False):
    """All rows but their ids and commits, with what their provenance says."""
    catalog = pipeline.store.catalog
    table = pipeline.store.snapshot(as_of).read(water_only=False)
    calibrations = {row.id: row.document for one in catalog.datastreams() for row in catalog.calibrations(one.id)}
    ways = {}
    for number in table["provenance"].unique().to_pylist():
        way = catalog.provenance_row(number)
        profile = None if way.profile_version is None else catalog.profile_version_row(way.profile_version)
        ways[number] = (calibrations.get(way.calibration), None if profile is None else profile.digest, way.source)
    said = [ways[number] for number in table["provenance"].to_pylist()]
    return table.drop_columns(["id", "commit", "provenance"]), said


def raw(pipeline):
    batch = ObservationBatch.from_arrow(pipeline.store.snapshot().read(water_only=False))
    return batch.id.tolist(), batch.phenomenon_time.tolist(), batch.raw_result.tobytes()


def same(one, other):
    assert one[0].equals(other[0]), [
        (name, *pair)
        for name in one[0].schema.names
        for pair in zip(one[0][name].to_pylist(), other[0][name].to_pylist(), strict=True)
        if pair[0] != pair[1]
    ][:5]
    assert one[1] == other[1]
