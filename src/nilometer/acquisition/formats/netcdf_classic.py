"""The classic netCDF formats (CDF-1, CDF-2, CDF-5): a header of lists, then the values, big-endian.

::

    "CDF" version │ records │ dimensions │ attributes │ variables: name, dimensions, attributes, type, size, begin
    ┌──────────── values of each fixed variable ────────────┬─ record 0 of all record variables ─┬─ record 1 …

NetCDF Users Guide, appendix "File Format Specifications". Nothing is read beyond the bytes that are there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Classic", "ClassicError", "parse"]

_TYPES = {1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8", 7: "u1", 8: ">u2", 9: ">u4", 10: ">i8", 11: ">u8"}
_MOST = 100_000
_STREAMING = 0xFFFFFFFF

Parts = tuple[tuple[str, ...], dict[str, Any], NDArray[Any]]


class ClassicError(ValueError):
    """The bytes are no classic netCDF file."""


@dataclass(slots=True)
class Classic:
    """Dimensions, attributes and values of each variable, by name, and the attributes of the file."""

    variables: dict[str, Parts] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Variable:
    name: str
    dimensions: list[int]
    attributes: dict[str, Any]
    dtype: np.dtype[Any]
    begin: int


def parse(data: bytes) -> Classic:
    """Return what a classic netCDF file holds.

    Raises
    ------
    ClassicError
        If the bytes are none, or end too early.
    """
    reader = _Reader(data)
    records = reader.records()
    names, lengths = [], []
    for _ in range(reader.items(10)):
        names.append(reader.name())
        lengths.append(reader.size())
    classic = Classic(attributes=reader.attributes())
    variables = [reader.variable() for _ in range(reader.items(11))]
    if any(at >= len(names) for one in variables for at in one.dimensions):
        raise ClassicError("a variable has a dimension that is not there")
    recorded = [one for one in variables if one.dimensions and lengths[one.dimensions[0]] == 0]
    sizes = {id(one): _row_size(one, lengths) for one in recorded}
    # Rows of several record variables are padded to four bytes; one alone is not.
    stride = sum(-(-size // 4) * 4 for size in sizes.values()) if len(recorded) > 1 else sum(sizes.values())
    if recorded and records == _STREAMING:
        records = (len(data) - min(one.begin for one in recorded)) // max(stride, 1)
    # A dimension of characters alone is the length of words; one that numbers have too counts rows (flags of Argo).
    counted = {names[at] for one in variables if one.dtype != np.dtype("S1") for at in one.dimensions}
    for one in variables:
        shape = [lengths[at] for at in one.dimensions]
        strides = None
        if id(one) in sizes:
            shape[0] = max(records, 0)
            strides = _strides(shape, one.dtype.itemsize, stride)
        values = _array(data, shape, one, strides)
        dimensions = tuple(names[at] for at in one.dimensions)
        if one.dtype == np.dtype("S1") and dimensions and dimensions[-1] not in counted:
            values, dimensions = _words(values), dimensions[:-1]
        classic.variables[one.name] = (dimensions, one.attributes, values)
    return classic


class _Reader:
    def __init__(self, data: bytes) -> None:
        if data[:3] != b"CDF" or data[3:4] not in {b"\x01", b"\x02", b"\x05"}:
            raise ClassicError("it does not begin with CDF and a version")
        self._data, self._at, self._version = data, 4, data[3]

    def _number(self, form: str) -> int:
        end = self._at + struct.calcsize(form)
        if end > len(self._data):
            raise ClassicError(f"the header ends at byte {len(self._data)}")
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at = end
        return int(value)

    def size(self) -> int:
        return self._number(">q" if self._version == 5 else ">i")

    def records(self) -> int:
        return self._number(">q") if self._version == 5 else self._number(">I")

    def items(self, tag: int) -> int:
        seen, count = self._number(">I"), self.size()
        if (seen, count) != (0, 0) and (seen != tag or not 0 <= count <= _MOST):
            raise ClassicError(f"byte {self._at}: a list of kind {tag} is expected, {seen} with {count} items is there")
        return count

    def _bytes(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise ClassicError(f"the header ends at byte {len(self._data)}")
        part = self._data[self._at : end]
        self._at = end + (-count) % 4
        return part

    def name(self) -> str:
        return self._bytes(self.size()).decode("utf-8", "replace")

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self.items(12)):
            name = self.name()
            dtype = self._type()
            values = np.frombuffer(self._bytes(self.size() * dtype.itemsize), dtype)
            if dtype == np.dtype("S1"):
                found[name] = values.tobytes().rstrip(b"\0").decode("utf-8", "replace")
            elif len(values) == 1:
                found[name] = values[0].item()
        return found

    def variable(self) -> _Variable:
        name = self.name()
        count = self.size()
        if not 0 <= count <= 64:
            raise ClassicError(f"variable {name!r} has {count} dimensions")
        dimensions = [self.size() for _ in range(count)]
        if any(at < 0 for at in dimensions):
            raise ClassicError(f"variable {name!r} has a dimension below 0")
        attributes = self.attributes()
        dtype = self._type()
        self.size()
        begin = self._number(">I" if self._version == 1 else ">Q")
        return _Variable(name, dimensions, attributes, dtype, begin)

    def _type(self) -> np.dtype[Any]:
        kind = self._number(">I")
        if kind not in _TYPES:
            raise ClassicError(f"byte {self._at}: type {kind} does not exist")
        return np.dtype(_TYPES[kind])


def _row_size(one: _Variable, lengths: list[int]) -> int:
    size = one.dtype.itemsize
    for at in one.dimensions[1:]:
        size *= max(lengths[at], 0)
    return size


def _strides(shape: list[int], itemsize: int, record: int) -> tuple[int, ...]:
    strides = [itemsize]
    for length in reversed(shape[2:]):
        strides.insert(0, strides[0] * length)
    return (record, *strides[len(strides) - len(shape) + 1 :]) if len(shape) > 1 else (record,)


def _array(data: bytes, shape: list[int], one: _Variable, strides: tuple[int, ...] | None) -> NDArray[Any]:
    if 0 in shape:
        return np.zeros([max(length, 0) for length in shape], one.dtype)
    try:
        return np.ndarray(tuple(shape), one.dtype, data, one.begin, strides)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise ClassicError(f"variable {one.name!r} of shape {tuple(shape)} does not fit in the file") from error


def _words(values: NDArray[Any]) -> NDArray[Any]:
    """Join the last dimension of characters to words."""
    width = values.shape[-1]
    whole = np.ascontiguousarray(values)
    if width == 0 or whole.size == 0:
        return np.zeros(values.shape[:-1], "S1")
    joined: NDArray[Any] = whole.view(f"S{width}").reshape(values.shape[:-1])
    return joined
