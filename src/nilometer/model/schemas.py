"""The Arrow schemas: what one row of an Observation is, in the journal, in the lake and on the way out."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["JOURNAL", "OBSERVATION", "REVISION", "ROLLUP", "SETTLEMENT", "TIME"]

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

ROLLUP: pa.Schema = pa.schema(
    [
        pa.field("datastream", pa.int32(), nullable=False),
        pa.field("start", TIME, nullable=False),
        pa.field("end", TIME, nullable=False),  # exclusive
        pa.field("count", pa.int32(), nullable=False),  # rows of the water; by flag:
        *(
            pa.field(name, pa.int32(), nullable=False)
            for name in ("pass", "not_evaluated", "suspect", "fail", "missing")
        ),
        # What enters a mean: values that are there, PASS or NOT_EVALUATED (good), and SUSPECT, apart, so that neither
        # is ever found by taking the other off.
        *(
            pa.field(f"{name}_{which}", kind, nullable=False)
            for which in ("good", "suspect")
            for name, kind in (
                ("n", pa.int32()),
                ("below", pa.int32()),  # of them censored below: the result is the limit
                ("above", pa.int32()),
                ("sum", pa.float64()),
                ("sum_below", pa.float64()),  # the sum of the limits of those below
                # Of the uncertainty of their mean, for an arithmetic one and (weighed by 10^-x) a hydrogen-ion one:
                ("n_u", pa.int32()),  # how many have one
                ("sum_u", pa.float64()),  # the sum of the parts that they have in common
                ("sum_r2", pa.float64()),  # the sum of squares of the parts that each has for itself
            )
        ),
        # The sum of 10^-x for a hydrogen-ion mean, of sine and cosine for a circular one; null for other kinds.
        *(
            pa.field(f"sum_{name}_{which}", pa.float64())
            for which in ("good", "suspect")
            for name in ("h", "sin", "cos")
        ),
        # Of what enters; null where nothing does.
        *(
            pa.field(f"{name}{suffix}", kind)
            for name in ("min", "max", "first", "last")
            for suffix, kind in (("", pa.float64()), ("_time", TIME))
        ),
        # Of every value that is there, whatever its flag.
        *(
            pa.field(f"{name}{suffix}", kind)
            for name in ("lowest", "highest")
            for suffix, kind in (("", pa.float64()), ("_time", TIME))
        ),
    ]
)
"""What the rows of one Datastream in one span come to, so that any mean can be formed of it."""
