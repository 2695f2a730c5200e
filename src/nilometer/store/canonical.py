"""One layout in memory for the same rows: no leftovers under nulls, no slices of something larger.

What Arrow writes to the wire follows the buffers: where a row came from would show in the bytes of the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["canonical"]


def canonical(table: pa.Table) -> pa.Table:
    """Return the same rows laid out as any other table of these rows would be."""
    if not table.num_rows:
        return table.schema.empty_table()
    return pa.Table.from_arrays(
        [_column(table[name].combine_chunks()) for name in table.schema.names], schema=table.schema
    )


def _column(column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    if pa.types.is_string(column.type):
        return column.take(pa.array(np.arange(len(column))))
    if pa.types.is_timestamp(column.type):
        return _column(column.cast(pa.int64())).cast(column.type)
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    values = (column.fill_null(0) if column.null_count else column).to_numpy().copy()
    return pa.array(values, column.type, mask=missing)
