"""Outcomes of tests as Observations keep them: one digit a test, no text at all where everything passed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.qc.flags import ZERO
from nilometer.qc.kernel import pack

__all__ = ["strings"]


def strings(flags: NDArray[np.uint8], spans: NDArray[np.uint8]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return one string a row; null where a span is 0: everything passed, or nothing was asked."""
    n = len(spans)
    total = int(spans.sum(dtype=np.int64))
    if total == 0:
        return pa.nulls(n, pa.string())
    if total >= 1 << 31:
        raise ValueError(
            f"{n} rows have {total} digits of tests, more than one array of strings holds: send fewer rows at once"
        )
    offsets = np.empty(n + 1, np.int32)
    data = np.empty(total, np.uint8)
    valid = np.zeros((n + 7) // 8, np.uint8)
    pack(flags, spans, ZERO, offsets, data, valid)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(data), pa.py_buffer(valid))
