"""The one type through which values leave for an authority: what it refuses, whatever rows it is given."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.model import Datastream, ObservedProperty, Origin, SampleKind, Sensor, Thing
from nilometer.store import Store
from nilometer.uplink.own_values import COLUMNS, OwnValues, own_values


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    store = Store.open(tmp_path_factory.mktemp("own"))
    catalog = store.catalog
    thing = catalog.add_thing(Thing(key="mill", name="Mill")).id
    sensor = catalog.add_sensor(Sensor(key="probe", name="Probe")).id
    observed = catalog.add_observed_property(ObservedProperty(key="ph", name="pH", definition="")).id
    for origin in Origin:
        catalog.add_datastream(
            Datastream(
                key=f"mill/{origin}", name="", thing=thing, sensor=sensor, observed_property=observed, origin=origin
            )
        )
    for kind in SampleKind:
        catalog.sample_feature(catalog.datastreams()[0].id, kind)
    catalog.provenance(None, None, "wire", "0")
    yield catalog
    store.close()


def test_nobody_else_makes_one():
    empty = np.zeros(0)
    with pytest.raises(TypeError, match="own_values"):
        OwnValues(empty, empty, empty, empty, empty, empty, (), empty, empty)


ROW = st.tuples(st.integers(0, 4), st.integers(0, 6), st.booleans(), st.one_of(st.none(), st.floats(0, 9)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, max_size=20))
def test_only_what_an_instrument_said_of_the_water_is_taken(catalog, rows):
    datastreams = catalog.datastreams()
    features = {kind: catalog.sample_feature(datastreams[0].id, kind) for kind in SampleKind}
    rows = sorted(rows, key=lambda row: row[0])
    n = len(rows)
    corrected = np.array([row[2] for row in rows], bool)
    columns = {
        "id": np.arange(n), "datastream": np.array([datastreams[row[0]].id for row in rows], np.int32),
        "feature": np.array([features[SampleKind(row[1])] for row in rows], np.int32),
        "phenomenon_time": np.arange(n), "duration": np.zeros(n, np.int64), "result": np.full(n, 1.5),
        "raw_result": pa.array([row[3] for row in rows], pa.float64()), "censored": pa.nulls(n, pa.int8()),
        "mark": pa.nulls(n, pa.string()), "commit": np.ones(n),
        "provenance": np.where(corrected, 2, 1).astype(np.int32),
    }  # fmt: skip
    table = pa.table({name: pa.array(columns[name]) for name in COLUMNS})
    was = type(catalog).corrected
    try:
        # What a review did is the ledger's word; which steps correct is tested there.
        type(catalog).corrected = lambda _self, provenance: provenance == 2
        values, refused = own_values(table, catalog)
    finally:
        type(catalog).corrected = was
    allowed = [
        at
        for at, row in enumerate(rows)
        if datastreams[row[0]].origin is Origin.INSTRUMENT and row[1] == 0 and not row[2]
    ]
    assert values.id.tolist() == allowed
    assert values.value.tolist() == [1.5 if rows[at][3] is None else rows[at][3] for at in allowed]
    assert sum(refused.values()) == n - len(allowed)
    assert set(refused) <= {"sample", "simulated", "replayed", "derived", "manual", "corrected"}
    with pytest.raises(ValueError, match="read-only"):
        values.value[:] = 0.0
