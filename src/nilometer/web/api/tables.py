"""Rows of Observations as JSON columns, CSV, an Arrow stream or Parquet, each with what its flags rest on."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, SampleKind
from nilometer.model.outcomes import SEPARATOR
from nilometer.model.schemas import OBSERVATION
from nilometer.store.review_ledger import levels
from nilometer.web.sensorthings.quality import Evidence
from nilometer.web.times import format_times

__all__ = [
    "EXPORTED",
    "FORMATS",
    "JSON_COLUMNS",
    "PROFILES",
    "SERVED",
    "json_columns",
    "milliseconds",
    "parted_digits",
    "review_levels",
    "shown_uncertainty",
    "to_bytes",
    "to_csv_table",
    "with_evidence",
    "words",
]

FORMATS: dict[str, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
"""Media type by the name of the format."""


PROFILES = b"nilometer_profiles"
"""Key of a table's metadata: the profile versions that judged its rows, by id, as JSON."""


_WORDS = pa.dictionary(pa.int32(), pa.string())
_EVIDENCE = (
    pa.field("test_names", _WORDS),
    pa.field("profile", _WORDS),
    pa.field("profile_version", _WORDS),
    pa.field("profile_id", pa.int32()),
    pa.field("review_level", _WORDS),
)
_JUDGED = frozenset({"tests", "test_names", "profile", "profile_version", "profile_id"})
_AT = OBSERVATION.get_field_index("tests") + 1
JSON_COLUMNS = (
    *("id", "time", "result", "raw_result", "uncertainty", "quality", "tests", "profile", "mark", "censored", "sample"),
    "review_level",
)
"""The columns of rows as JSON has them."""

SERVED: pa.Schema = pa.schema([*list(OBSERVATION)[:_AT], *_EVIDENCE, *list(OBSERVATION)[_AT:]])
"""The columns of rows as they are served and exported: those of the store, and after `tests` what they rest on."""


def milliseconds(moments: NDArray[np.int64]) -> list[int] | list[float]:
    """Return µs as ms: whole numbers, or fractions where some are below the millisecond."""
    if np.any(moments % 1000):
        fractions: list[float] = (moments / 1000).tolist()
        return fractions
    whole: list[int] = (moments // 1000).tolist()
    return whole


def shown_uncertainty(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float32 uncertainties without the digits that float64 would add to them."""
    known = np.isfinite(values) & (values > 0)
    digits = 5 - np.floor(np.log10(np.where(known, values, 1.0)))
    scale = 10.0**digits
    rounded: NDArray[np.float64] = np.where(known, np.rint(values * scale) / scale, values)
    return rounded


def json_columns(
    rows: ObservationBatch,
    sample_kinds: Mapping[int, SampleKind],
    evidence: Evidence,
    names: Collection[str] | None = None,
) -> dict[str, list[Any]]:
    """Return the columns of the native API; NaN becomes null when they are encoded.

    Parameters
    ----------
    rows : ObservationBatch
        Finished rows.
    sample_kinds : mapping of int to SampleKind
        The FeaturesOfInterest that are not water.
    evidence : Evidence
        What says which profile version judged; `Evidence.profiles` names its tests.
    names : collection of str, optional
        Which of `JSON_COLUMNS`; None: all that rest on the rows alone.
    """
    n = len(rows)
    none = [None] * n
    makers: dict[str, Callable[[], list[Any]]] = {
        "id": lambda: [] if rows.id is None else rows.id.tolist(),
        "time": lambda: milliseconds(rows.phenomenon_time),
        "result": lambda: _result(rows).tolist(),
        "raw_result": lambda: _raw_result(rows).tolist(),
        "uncertainty": lambda: (
            none
            if rows.result_uncertainty is None
            else shown_uncertainty(rows.result_uncertainty.astype(np.float64)).tolist()
        ),
        "quality": lambda: [] if rows.result_quality is None else rows.result_quality.tolist(),
        "tests": lambda: none if rows.tests is None else words(rows.tests),
        "profile": lambda: none if rows.provenance is None else _profile_ids(rows.provenance, evidence),
        "mark": lambda: none if rows.mark is None else words(rows.mark),
        "censored": lambda: [0] * n if rows.censored is None else rows.censored.tolist(),
        "sample": lambda: _samples(rows.feature, n, sample_kinds),
    }
    return {name: make() for name, make in makers.items() if names is None or name in names}


def _result(rows: ObservationBatch) -> NDArray[np.float64]:
    return np.full(len(rows), np.nan) if rows.result is None else rows.result


def _raw_result(rows: ObservationBatch) -> NDArray[np.float64]:
    result = _result(rows)
    raw: NDArray[np.float64] = np.where(
        (rows.raw_result == result) | np.isnan(rows.raw_result), np.nan, rows.raw_result
    )
    return raw


def _profile_ids(provenance: NDArray[np.int32], evidence: Evidence) -> list[int | None]:
    numbers, places = np.unique(provenance, return_inverse=True)
    ids = np.array([evidence.provenance(int(number)).profile_version for number in numbers], object)
    made: list[int | None] = ids[places].tolist()
    return made


def with_evidence(rows: pa.Table, evidence: Evidence, names: Sequence[str] | None = None) -> pa.Table:
    """Return rows with what their flags rest on, each row for itself.

    Parameters
    ----------
    rows : pyarrow.Table
        All columns of OBSERVATION.
    evidence : Evidence
        What says which profile version judged, as of when the rows were read.
    names : sequence of str, optional
        Which columns of SERVED; None: all.

    Returns
    -------
    pyarrow.Table
        `tests` written out wherever a profile judged, and after it ``test_names`` (what the digits stand for, parted
        by semicolons), ``profile``, ``profile_version``, ``profile_id`` and ``review_level`` (null: nobody signed).
        The metadata have the profile versions.
    """
    wanted = SERVED.names if names is None else names
    plain = {name: rows[name] for name in wanted if name in OBSERVATION.names and name != "tests"}
    judged, told = _judged(rows, evidence) if any(name in _JUDGED for name in wanted) else ({}, {})
    columns = plain | judged
    if "review_level" in wanted:
        columns["review_level"] = review_levels(rows, evidence)
    schema = pa.schema([SERVED.field(name) for name in wanted], metadata=told)
    return pa.Table.from_arrays([columns[name] for name in wanted], schema=schema)


def _judged(rows: pa.Table, evidence: Evidence) -> tuple[dict[str, Any], dict[bytes, bytes]]:
    """Return the columns that rest on which profile version judged, and the profile versions for the metadata."""
    known = pa.array(rows["provenance"].to_numpy()).dictionary_encode()  # hashed: half the time of sorting them
    numbers, places = known.dictionary.to_numpy(), known.indices.to_numpy()
    made = [evidence.provenance(int(number)) for number in numbers]
    names = [None if one.profile is None else SEPARATOR.join(one.tests) for one in made]
    columns: dict[str, Any] = {
        "test_names": _coded(names, places),
        "profile": _coded([one.profile for one in made], places),
        "profile_version": _coded([one.version for one in made], places),
        "profile_id": pa.array([one.profile_version for one in made], pa.int32()).take(pa.array(places)),
    }
    if "tests" in rows.schema.names:
        passed = pa.array([None if one.profile is None else "1" * len(one.tests) for one in made], pa.string())
        columns["tests"] = pc.coalesce(rows["tests"], passed.take(pa.array(places)))
    return columns, {PROFILES: json.dumps(evidence.profiles(numbers.tolist()), ensure_ascii=False).encode()}


def _coded(words: list[str | None], places: NDArray[np.intp]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return a word for each row, as a dictionary column."""
    known = sorted({word for word in words if word is not None})
    codes = np.array([known.index(word) if word is not None else -1 for word in words], np.int32)[places]
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(known, pa.string()))


def review_levels(rows: pa.Table, evidence: Evidence) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return the level of the review that each row has reached, null where nobody signed."""
    signatures = evidence.signed(pc.unique(rows["datastream"]).to_pylist())
    if not signatures:
        return pa.DictionaryArray.from_arrays(pa.nulls(len(rows), pa.int32()), pa.array([], pa.string()))
    owners = rows["datastream"].to_numpy()
    rank = np.zeros(len(rows), np.int64)
    keys: dict[int, str] = {}
    for number, signed in signatures.items():
        mine = np.flatnonzero(owners == number)
        part = rows.take(pa.array(mine))
        rank[mine] = levels(signed, part["phenomenon_time"].cast(pa.int64()).to_numpy(), part["commit"].to_numpy())
        keys |= {int(step.parameters["rank"]): str(step.parameters["level"]) for step in signed}
    ranks, places = np.unique(rank, return_inverse=True)
    return _coded([keys.get(int(one)) for one in ranks], places)


def words(column: Any) -> list[str | None]:  # noqa: ANN401 -- pyarrow has no types
    """Return a column of few different words as a list: each word is made once, and not for each row."""
    if column.null_count == len(column):
        return [None] * len(column)
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    known = np.array([*coded.dictionary.to_pylist(), None], object)
    listed: list[str | None] = known[coded.indices.fill_null(len(known) - 1).to_numpy()].tolist()
    return listed


def _samples(feature: NDArray[np.int32] | None, n: int, sample_kinds: Mapping[int, SampleKind]) -> list[int]:
    if feature is None or not sample_kinds:
        return [0] * n
    known = np.fromiter(sample_kinds, np.int64, len(sample_kinds))
    is_sample = np.isin(feature, known)
    if not is_sample.any():
        return [0] * n
    return [int(sample_kinds[int(number)]) if mark else 0 for number, mark in zip(feature, is_sample, strict=True)]


def to_csv_table(rows: pa.Table, keys: Mapping[int, str]) -> pa.Table:
    """Return rows of `with_evidence` as people read them: keys, ISO 8601 times, flags; for CSV and Parquet."""
    there = rows.schema.names
    columns: dict[str, Any] = {}
    if "datastream" in there:
        unique, codes = np.unique(rows["datastream"].to_numpy(), return_inverse=True)
        names = pa.array([keys.get(int(number), str(number)) for number in unique], pa.string())
        columns["datastream"] = names.take(pa.array(codes))
    if "phenomenon_time" in there:
        times = format_times(rows["phenomenon_time"].cast(pa.int64()).to_numpy())
        columns["phenomenon_time"] = pa.array(times.astype(object), pa.string())
    return pa.table({**columns, **{name: rows[name] for name in EXPORTED if name in there}})


def parted_digits(rows: pa.Table) -> pa.Table:
    """Return rows for CSV: the digits of `tests` parted as their names are, for digits alone read as a number."""
    at = rows.schema.get_field_index("tests")
    if at < 0:
        return rows
    coded = rows["tests"].combine_chunks().dictionary_encode()  # few different ones: each is parted once
    known = pc.utf8_rtrim(pc.replace_substring_regex(coded.dictionary, r"(\d)", rf"\1{SEPARATOR}"), SEPARATOR)
    return rows.set_column(at, "tests", known.take(coded.indices))


EXPORTED = (
    "result",
    "raw_result",
    "result_uncertainty",
    "result_quality",
    "tests",
    "test_names",
    "profile",
    "profile_version",
    "profile_id",
    "review_level",
    "mark",
    "censored",
    "duration",
)
"""The columns of rows for people, after `datastream` and `phenomenon_time`."""


def to_bytes(rows: pa.Table, format_name: str) -> bytes:
    """Return a table as CSV, an Arrow stream or Parquet."""
    sink = pa.BufferOutputStream()
    if format_name == "csv":
        pyarrow.csv.write_csv(parted_digits(rows), sink, pyarrow.csv.WriteOptions(quoting_style="needed"))
    elif format_name == "arrow":
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    else:
        pyarrow.parquet.write_table(rows, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data
