"""``resultQuality`` of many rows as JSON text: what many rows share is written once.

Flag, tests, profile, calibration, mark, censoring and uncertainty (of two digits) repeat from row to row; a raw result
is the row's own. Rows that a person signed, and those whose client gave a quality, are written one by one, by
`Evidence.document`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.web.sensorthings.answers.texts import filled, join, json_text, number_texts, patched
from nilometer.web.sensorthings.quality import Evidence

__all__ = ["COLUMNS", "flag_texts", "quality_texts"]

_SHARED: Final = ("provenance", "tests", "result_quality", "mark", "censored", "result_uncertainty")
_NUMBERED: Final = frozenset({"provenance", "result_uncertainty"})
_OWN: Final = ("datastream", "phenomenon_time", "commit", "raw_result")
_MOST_KINDS: Final = 2**62
COLUMNS: Final = (*_SHARED, *_OWN, "extra")
"""What has to be read for it."""


def quality_texts(rows: pa.Table, evidence: Evidence, api: str, supplied: Mapping[int, Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return the ``resultQuality`` of rows.

    Parameters
    ----------
    rows : pyarrow.Table
        With the columns `COLUMNS`.
    evidence : Evidence
        What provenance says.
    api : str
        Root of the native API, for links.
    supplied : mapping
        What clients gave as resultQuality, by row.
    """
    if not len(rows):
        return pa.array([], pa.string())
    first, code = _alike(rows)
    bases = [_base(row, evidence, api) for row in rows.select(_SHARED).take(pa.array(first)).to_pylist()]
    base = pa.array(bases, pa.string()).take(pa.array(code))
    raw = rows["raw_result"].to_numpy()
    own = filled(join(',"rawResult":', number_texts(raw), "}"), "}") if np.isfinite(raw).any() else "}"
    text = join(base, own)
    signed = evidence.signed(np.unique(rows["datastream"].to_numpy()).tolist())
    alone = set(supplied)
    if signed:
        alone |= set(np.flatnonzero(np.isin(rows["datastream"].to_numpy(), list(signed))).tolist())
    if not alone:
        return text
    places = sorted(alone)
    each = rows.select([*_SHARED, *_OWN]).take(pa.array(places)).to_pylist()
    documents = (evidence.document(row, supplied.get(at), api, signed) for at, row in zip(places, each, strict=True))
    return patched(text, {at: json_text(document) for at, document in zip(places, documents, strict=True)})


def flag_texts(rows: pa.Table, supplied: Mapping[int, Any], evidence: Evidence) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return the flags of rows; where a client's quality is the whole of it, the flag that it says, if it says one."""
    text = number_texts(rows["result_quality"].cast(pa.int64()).to_numpy())
    said: dict[int, str | None] = {}
    for at, quality in supplied.items():
        if evidence.provenance(rows["provenance"][at].as_py()).profile is None:
            flag = quality.get("flag") if isinstance(quality, dict) else None
            said[at] = None if flag is None else json_text(flag)
    return patched(text, said)


def _alike(rows: pa.Table) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first row of each kind, and which kind each row is of."""
    code, kinds = np.zeros(len(rows), np.int64), 1
    for name in _SHARED:
        column = rows[name].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
        if pa.types.is_string(column.type):
            coded = column.dictionary_encode()
            values, n = coded.indices.fill_null(len(coded.dictionary)).to_numpy(), len(coded.dictionary) + 1
        elif name in _NUMBERED:
            different, values = np.unique(column.to_numpy(zero_copy_only=False), return_inverse=True)
            n = len(different)
        else:
            values, n = column.cast(pa.int64()).fill_null(-2).to_numpy() + 2, 16
        if kinds * n > _MOST_KINDS:
            # There are never more kinds than rows.
            _, code = np.unique(code, return_inverse=True)
            code, kinds = code.reshape(-1), len(rows)
        code, kinds = code * n + values, kinds * n
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1)


def _base(row: dict[str, Any], evidence: Evidence, api: str) -> str:
    """Return what rows of one kind share, without the last brace."""
    row["raw_result"] = None
    return json_text(evidence.document(row, None, api))[:-1]
