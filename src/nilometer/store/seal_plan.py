"""What a seal leaves behind, as the journal keeps it: the rows that stay hot, and what is hidden in the lake.

The records that hid rows of the lake may leave the journal before the compactor has taken those rows out. So each plan
carries all masks and tombstones that are still owed, whole; after a crash they hide what they hid::

    ┌────────────────────┬──────────────────────────────┬──────────────────────────────────────────────────────┐
    │ rows, as a journal │ masks                        │ tombstones                                           │
    │ record has them    │ n u32 │ n ids i64 │ n        │ n u32, then each: commit i64 │ bytes u32 │ body, as  │
    │                    │       │           │ commits  │                              │           │ a record  │
    └────────────────────┴──────────────────────────────┴──────────────────────────────────────────────────────┘

All little-endian. A plan of folder version 2 ends with its rows: nothing was owed.
"""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import Settlements
from nilometer.store.masks import Masks
from nilometer.store.record import compact, decode_rows, decode_tombstone, encode_rows, encode_tombstone
from nilometer.store.tombstones import Tombstones

__all__ = ["decode_plan", "encode_plan"]

_ROWS = struct.Struct("<12xI")
_COUNT = struct.Struct("<I")
_TOMBSTONE = struct.Struct("<qI")


def encode_plan(carried: pa.RecordBatch, masks: Masks, tombstones: Tombstones) -> bytes:
    """Return a plan as bytes.

    Parameters
    ----------
    carried : pyarrow.RecordBatch
        The rows that stay hot, of schema JOURNAL.
    masks, tombstones :
        What the lake still holds and nobody is to see.
    """
    parts = [encode_rows(compact(carried, keep_commit=True), Settlements.none()), _COUNT.pack(len(masks))]
    parts += [masks.ids.astype("<i8").tobytes(), masks.commits.astype("<i8").tobytes(), _COUNT.pack(len(tombstones))]
    for item in tombstones:
        body = encode_tombstone(item.datastreams, item.start, item.end, item.told.encode(), item.ids)
        parts += [_TOMBSTONE.pack(item.commit, len(body)), body]
    return b"".join(parts)


def decode_plan(body: bytes) -> tuple[pa.RecordBatch, Masks, Tombstones]:
    """Return the rows that stayed hot, and what was hidden in the lake."""
    rows, _ = decode_rows(body)
    at = _ROWS.size + _ROWS.unpack_from(body)[0]
    if at >= len(body):
        return rows, Masks(), Tombstones()
    (n,) = _COUNT.unpack_from(body, at)
    at += _COUNT.size
    masks = Masks(_numbers(body, at, n), _numbers(body, at + 8 * n, n))
    at += 16 * n
    (count,) = _COUNT.unpack_from(body, at)
    at += _COUNT.size
    items = []
    for _ in range(count):
        commit, length = _TOMBSTONE.unpack_from(body, at)
        at += _TOMBSTONE.size
        items.append(decode_tombstone(body[at : at + length], commit))
        at += length
    return rows, masks, Tombstones(items)


def _numbers(body: bytes, at: int, n: int) -> NDArray[np.int64]:
    return np.frombuffer(body, "<i8", n, at).astype(np.int64)
