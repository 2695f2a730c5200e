"""The Arrow schemas: what one row of an Observation is, in the journal, in the lake and on the way out."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["JOURNAL", "OBSERVATION", "REVISION", "SETTLEMENT", "TIME"]

TIME = pa.timestamp("us", tz="UTC")

OBSERVATION: pa.Schema = pa.schema(
    [
        # datastream × 2³² + n, the n-th row of its Datastream: exact in JavaScript, findable by Datastream.
        pa.field("id", pa.int64(), nullable=False),
        pa.field("datastream", pa.int32(), nullable=False),
        pa.field("feature", pa.int32(), nullable=False),
        pa.field("phenomenon_time", TIME, nullable=False),
        pa.field("duration", pa.int64(), nullable=False),  # µs, 0 = instant
        pa.field("result", pa.float64()),
        pa.field("raw_result", pa.float64()),  # null when equal to result
        pa.field("result_uncertainty", pa.float32()),  # combined standard uncertainty, k = 1
        pa.field("censored", pa.int8()),  # -1 below, +1 above the measurable: the limit is the result
        pa.field("mark", pa.string()),  # what the instrument said of its value, verbatim
        pa.field("result_quality", pa.int8(), nullable=False),  # QartodFlag, rolled up
        pa.field("tests", pa.string()),  # one QARTOD digit per test of the profile version; null when all passed
        pa.field("depth", pa.float64()),  # m; with latitude and longitude null unless they vary
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("result_time", TIME),
        pa.field("provenance", pa.int32(), nullable=False),
        pa.field("commit", pa.int64(), nullable=False),  # journal sequence
        pa.field("extra", pa.string()),  # JSON
    ]
)
"""One current Observation. No unsigned types (Delta has none), never NaN: missing is null."""

REVISION: pa.Schema = OBSERVATION.append(pa.field("superseded_commit", pa.int64(), nullable=False))
"""One Observation as it was until `superseded_commit`."""

JOURNAL: pa.Schema = OBSERVATION.append(pa.field("supersedes", pa.bool_(), nullable=False))
"""One journaled row; `supersedes` is true for a revision of a row that was there before."""

SETTLEMENT: pa.Schema = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("result_quality", pa.int8(), nullable=False),
        pa.field("tests", pa.string()),
    ]
)
"""The last word of a test that judges the point before (QARTOD's spike): new flags of a row, not a revision."""
