"""A run of the definitions over all that is stored, to hold what was derived live against."""

from __future__ import annotations

import numpy as np

from nilometer.pipeline import Pipeline
from nilometer.pipeline.derived_inputs import EVER, stored_rows
from nilometer.pipeline.derived_rows import Rows, batch_of, rows_of


def all_stored(pipeline: Pipeline, datastream: int, *, is_derived: bool) -> Rows:
    return stored_rows(pipeline.store, pipeline.store.snapshot(), datastream, -EVER, EVER, is_derived)


def same_as_one_run(pipeline: Pipeline) -> dict[int, int]:
    """Check that every derived Datastream is, to the bit, what `rows_of` gives of all stored rows of its inputs.

    Each level is computed from the stored rows of the level below, which are so checked before. Returns how many rows
    each has.
    """
    definitions = pipeline._deriving.definitions()
    made = {one.datastream for one in definitions}
    counts = {}
    for definition in definitions:
        inputs = {number: all_stored(pipeline, number, is_derived=number in made) for number in definition.datastreams}
        expected = rows_of(definition, inputs)
        served = all_stored(pipeline, definition.datastream, is_derived=True)
        spread = batch_of(definition, expected).result_uncertainty
        assert spread is not None
        assert len(served) == len(expected)
        assert len(np.unique(served.id)) == len(served)
        assert served.time.tobytes() == expected.time.tobytes()
        assert served.result.tobytes() == expected.result.tobytes()
        assert served.uncertainty.tobytes() == spread.astype(np.float32).astype(float).tobytes()
        assert served.said.tobytes() == expected.said.tobytes()
        counts[definition.datastream] = len(served)
    return counts
