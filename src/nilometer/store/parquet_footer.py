"""The footer of a Parquet file as bytes: where each column chunk is spoken of, so that it can be spoken of elsewhere.

A chunk that is copied to another file is as it was but for where it begins. So a footer is not decoded into objects and
encoded again: a walk over it notes where the description of each chunk lies, and where in that the offsets are; the
description is copied too, with other offsets. Footers are in Thrift's compact protocol (a field is a byte of how far
its number is from the last one's and of its type, then its value; a whole number is a varint, zigzag), their fields are
those of ``parquet.thrift`` of Apache Parquet format 2.12::

    FileMetaData  1 version  2 schema  3 num_rows  4 row_groups ─┐ 6 created_by  7 column_orders
    RowGroup      1 columns ─┐ 2 bytes  3 num_rows  4 sorting_columns  5 file_offset  6 compressed bytes  7 ordinal
    ColumnChunk   2 file_offset  3 meta_data ─┐
    ColumnMetaData  6 bytes  7 compressed bytes  9 data_page_offset  11 dictionary_page_offset

Only what pyarrow writes for us is read: a chunk with an index, a Bloom filter, a key or a file of its own is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

__all__ = ["MAGIC", "Chunk", "Footer", "row_group", "sorting_columns"]

MAGIC: Final = b"PAR1"
_FALSE, _I16, _I32, _I64, _LIST, _STRUCT = 2, 4, 5, 6, 9, 12
_DEEPEST = 32
_ZEROS = 16  # behind a footer: a walk over one that is cut short ends in them
_START, _END, _FOREIGN, _SIZE, _PLAIN_SIZE, _OFFSETS = range(6)
"""Of a chunk: where its description starts and ends, whether it cannot be moved, its bytes as stored and decoded, then
place, end and value of file_offset, data_page_offset and dictionary_page_offset (a place of 0: there is none)."""


def _varint(data: NDArray[np.int64], at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while data[at] & 0x80 and shift < 63:
        value |= (int(data[at]) & 0x7F) << shift
        shift += 7
        at += 1
    return value | (int(data[at]) << shift), at + 1


def _skip(data: NDArray[np.int64], at: int, kind: int) -> int:  # noqa: C901, PLR0912 -- the types of the protocol
    """Return where a value ends; never behind the zeros that follow the footer."""
    last = data.size - _ZEROS
    left, of = np.empty(_DEEPEST, np.int64), np.empty(_DEEPEST, np.int64)
    depth = 0
    while at < last:
        if kind == 8:
            size, at = varint(data, at)
            at = at + size if 0 <= size < last else last
        elif kind == 7:
            at += 8
        elif kind == 3 or (kind <= 2 and depth and left[depth - 1] >= 0):  # a truth in a list is a byte
            at += 1
        elif 4 <= kind <= 6:
            _, at = varint(data, at)
        elif 9 <= kind <= 12:
            if kind == 11 or depth == _DEEPEST:
                return last  # Parquet has no maps
            left[depth] = -1
            if kind < 11:
                left[depth], of[depth] = data[at] >> 4, data[at] & 15
                at += 1
                if left[depth] == 15:
                    left[depth], at = varint(data, at)
            depth += 1
        is_next = False
        while depth and not is_next:
            if at >= last:
                return last
            if left[depth - 1] > 0:
                left[depth - 1] -= 1
                kind, is_next = of[depth - 1], True
            elif left[depth - 1] == 0 or data[at] == 0:
                at += left[depth - 1] < 0
                depth -= 1
            else:
                kind, is_next = data[at] & 15, True
                at += 1
                if data[at - 1] >> 4 == 0:
                    _, at = varint(data, at)
        if not is_next:
            return min(at, last)
    return last


def _field(data: NDArray[np.int64], at: int, number: int) -> tuple[int, int, int]:
    """Return number and type of the field that follows one, and where its value is; a type of 0: the struct ends."""
    head = int(data[at])
    at += 1
    if head >> 4:
        return number + (head >> 4), head & 15, at
    if head == 0:
        return 0, 0, at
    zigzag, at = varint(data, at)
    return (zigzag >> 1) ^ -(zigzag & 1), head & 15, at


def _chunk(data: NDArray[np.int64], at: int, told: NDArray[np.int64]) -> int:  # noqa: C901 -- its fields
    """Note what is said of a column chunk."""
    told[:] = 0
    told[_START] = at
    last = data.size - _ZEROS
    number, kind, inner = 0, 0, False
    while at < last:
        number, kind, at = field(data, at, number)
        if kind == 0:
            if not inner:
                break
            inner, number = False, 3
            continue
        if not inner and number == 3:
            inner, number = True, 0
            continue
        end = skip(data, at, kind)
        if kind == _I64:
            zigzag, _ = varint(data, at)
            value = (zigzag >> 1) ^ -(zigzag & 1)
            if inner and number == 6:
                told[_PLAIN_SIZE] = value
            elif inner and number == 7:
                told[_SIZE] = value
            place = -1
            if not inner and number == 2:
                place = _OFFSETS
            elif inner and number == 9:
                place = _OFFSETS + 3
            elif inner and number == 11:
                place = _OFFSETS + 6
            if place > 0:
                told[place], told[place + 1], told[place + 2] = at, end, value
        if (inner and number in (8, 10, 14, 15)) or (not inner and number != 2):
            told[_FOREIGN] = 1
        at = end
    told[_END] = at
    return at


def _walk(data: NDArray[np.int64], at: int, told: NDArray[np.int64], rows: NDArray[np.int64]) -> int:
    """Note what is said of the chunks of row groups, and how many rows each has; return where all of that ends."""
    last = data.size - _ZEROS
    for group in range(rows.size):
        number, kind = 0, 0
        while at < last:
            number, kind, at = field(data, at, number)
            if kind == 0:
                break
            if number == 1:
                count = int(data[at]) >> 4
                at += 1
                if count == 15:
                    count, at = varint(data, at)
                if count != told.shape[1]:
                    return -1
                for column in range(count):
                    at = chunk(data, at, told[group, column])
            else:
                if number == 3:
                    zigzag, _ = varint(data, at)
                    rows[group] = zigzag >> 1
                at = skip(data, at, kind)
    return at


_DATA = types.Array(types.int64, 1, "C", readonly=True)
_NUMBERS = types.Array(types.int64, 1, "C")
_AT = types.int64
varint = njit(types.UniTuple(_AT, 2)(_DATA, _AT), nogil=True, cache=True)(_varint)
skip = njit(_AT(_DATA, _AT, _AT), nogil=True, cache=True)(_skip)
field = njit(types.UniTuple(_AT, 3)(_DATA, _AT, _AT), nogil=True, cache=True)(_field)
chunk = njit(_AT(_DATA, _AT, _NUMBERS), nogil=True, cache=True)(_chunk)
walk = njit(_AT(_DATA, _AT, types.Array(types.int64, 3, "C"), _NUMBERS), nogil=True, cache=True)(_walk)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column chunk of a file.

    Parameters
    ----------
    start, size : int
        Where its bytes are in the file, and how many.
    plain_size : int
        How many they are decoded.
    told : bytes
        What the footer says of it.
    patches : tuple of (int, int, int)
        Start and end in `told`, and value, of the offsets.
    """

    start: int
    size: int
    plain_size: int
    told: bytes
    patches: tuple[tuple[int, int, int], ...]

    def at(self, start: int) -> bytes:
        """Return what a footer says of it where it begins elsewhere."""
        parts, done = [], 0
        for begin, end, value in self.patches:
            parts += [self.told[done:begin], _whole(value + start - self.start if value else 0)]
            done = end
        return b"".join([*parts, self.told[done:]])


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer of a file says.

    Parameters
    ----------
    fields : dict
        The values of its fields, by number: type, and bytes; without those of the row groups.
    rows : ndarray of int64, shape (g,)
        Rows of each row group.
    told : ndarray of int64, shape (g, c, 15)
        Of each chunk, see `_OFFSETS`.
    data : bytes
        All of it.
    """

    fields: dict[int, tuple[int, bytes]]
    rows: NDArray[np.int64]
    told: NDArray[np.int64]
    data: bytes

    @staticmethod
    def of(data: bytes, groups: int, columns: int) -> Footer | None:
        """Read a footer; None where it is not one of row groups whose chunks can be moved.

        Parameters
        ----------
        data : bytes
            The footer.
        groups, columns : int
            How many row groups and columns it speaks of.
        """
        walked = np.frombuffer(data + bytes(_ZEROS), np.uint8).astype(np.int64)
        fields: dict[int, tuple[int, bytes]] = {}
        rows, told = np.zeros(groups, np.int64), np.zeros((groups, columns, _OFFSETS + 9), np.int64)
        number, at = 0, 0
        while at < len(data):
            number, kind, at = field(walked, at, number)
            if kind == 0:
                break
            end = skip(walked, at, kind)
            if number == 4:
                first = at + 1 if walked[at] >> 4 < 15 else varint(walked, at + 1)[1]
                if walk(walked, first, told, rows) != end:
                    return None
            else:
                fields[number] = (kind, data[at:end])
            at = end
        return None if told[..., _FOREIGN].any() else Footer(fields, rows, told, data)

    def chunk(self, group: int, column: int) -> Chunk:
        """Return one of the chunks."""
        told = self.told[group, column].tolist()
        start = told[_START]
        offsets = [tuple(told[place : place + 3]) for place in range(_OFFSETS, _OFFSETS + 9, 3) if told[place]]
        begins = min(value for _, _, value in offsets if value)
        patches = tuple((begin - start, end - start, value) for begin, end, value in sorted(offsets))
        return Chunk(begins, told[_SIZE], told[_PLAIN_SIZE], self.data[start : told[_END]], patches)

    def with_groups(self, groups: list[bytes], rows: int) -> bytes:
        """Return a footer that says of a file what this does, but for its row groups, and how many rows there are."""
        values = {**self.fields, 3: (_I64, _whole(rows)), 4: (_LIST, _list(groups))}
        return _struct(values)


def row_group(chunks: list[tuple[Chunk, int]], rows: int, sorting: bytes | None, ordinal: int) -> bytes:
    """Return what a footer says of a row group.

    Parameters
    ----------
    chunks : list of (Chunk, int)
        Its chunks, and where each begins.
    rows : int
        How many rows it has.
    sorting : bytes, optional
        Its sorting columns, as another footer says them.
    ordinal : int
        Which of the row groups it is.
    """
    values = {
        1: (_LIST, _list([one.at(start) for one, start in chunks])),
        2: (_I64, _whole(sum(one.plain_size for one, _ in chunks))),
        3: (_I64, _whole(rows)),
        **({} if sorting is None else {4: (_LIST, sorting)}),
        5: (_I64, _whole(chunks[0][1])),
        6: (_I64, _whole(sum(one.size for one, _ in chunks))),
        7: (_I16, _whole(ordinal)),
    }
    return _struct(values)


def sorting_columns(columns: list[int]) -> bytes:
    """Return how a footer says that rows are sorted by columns, ascending, nulls last."""
    return _list([_struct({1: (_I32, _whole(column)), 2: (_FALSE, b""), 3: (_FALSE, b"")}) for column in columns])


def _struct(values: dict[int, tuple[int, bytes]]) -> bytes:
    parts, last = [], 0
    for number in sorted(values):
        kind, value = values[number]
        parts += [bytes([(number - last) << 4 | kind]), value]
        last = number
    return b"".join([*parts, b"\0"])


def _list(structs: list[bytes]) -> bytes:
    n = len(structs)
    head = bytes([n << 4 | _STRUCT]) if n < 15 else bytes([15 << 4 | _STRUCT]) + _unsigned(n)
    return b"".join([head, *structs])


def _whole(value: int) -> bytes:
    return _unsigned(value << 1 if value >= 0 else (-value << 1) - 1)


def _unsigned(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
