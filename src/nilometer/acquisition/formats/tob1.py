"""Campbell Scientific TOB1: five lines of text, then records of fixed size.

::

    "TOB1","station","CR1000","serial","system","program","signature","table"
    "SECONDS","NANOSECONDS","RECORD","WaterT_Avg"      names
    "SECONDS","NANOSECONDS","RN","Deg C"               units
    "","","","Avg"                                     processing
    "ULONG","ULONG","ULONG","FP2"                      types        ← CR LF, then the records
    ┌──────────┬──────────┬──────────┬──────┐
    │ s, 1990  │ ns       │ number   │ FP2  │ … × n
    └──────────┴──────────┴──────────┴──────┘

LoggerNet manual, appendix B: numbers are little-endian, but FP2 and the types that end in B. FP2 is a sign, two
bits of negative decimal exponent and 13 of mantissa, big-endian (CR10X manual, appendix C). FP4 and NSec are refused:
no record of them was at hand to try them on.
"""

from __future__ import annotations

import csv as reader
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.acquisition.formats import campbell, opening
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError
from nilometer.model.batch import NO_TIME

__all__ = ["FORMAT", "fp2", "read"]

_EPOCH_1990 = 631_152_000
_TYPES = {
    "IEEE4": "<f4", "IEEE4L": "<f4", "IEEE4B": ">f4", "IEEE8": "<f8", "IEEE8L": "<f8", "IEEE8B": ">f8",
    "ULONG": "<u4", "UINT4": "<u4", "LONG": "<i4", "INT4": "<i4", "UINT2": "<u2", "INT2": "<i2", "UINT1": "u1",
    "INT1": "i1", "BOOL": "u1", "BOOL2": "<u2", "BOOL4": "<u4", "BOOL8": "u1", "SEC": "<u4", "FP2": ">u2",
}  # fmt: skip
_PAIRS = {"SECNANO": "<u4"}
_MOST_TEXT = 4096


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a TOB1 file.

    Raises
    ------
    ReadError
        If the header is not one, a type is unknown, or there is no record or no time.
    """
    data = opening.contents(path)
    kind = data[:12].lstrip(b'\xef\xbb\xbf"')[:4].decode("latin-1")
    if kind in {"TOB2", "TOB3"}:
        raise ReadError(
            f"this is a {kind} file, as a logger writes it to a card: convert it to TOB1 or TOA5 first "
            "(CardConvert, or camp2ascii)",
            path=path,
            line=1,
            format=FORMAT.name,
        )
    header, start = _header(data, path)
    environment, names, units, processes, types = header
    dtype = _dtype(types, path)
    count, rest = divmod(len(data) - start, dtype.itemsize)
    if count == 0:
        raise ReadError("there is not one whole record under the header", path=path, line=6, format=FORMAT.name)
    records = np.frombuffer(data, dtype, count, start)
    notes = [f"the last {rest} bytes are no whole record and are left out"] if rest else []
    columns: list[Any] = []
    kept: list[tuple[str, str]] = []
    for at, (name, type_name) in enumerate(zip(names, types, strict=True)):
        if name.upper() in {"SECONDS", "NANOSECONDS"}:
            continue
        columns.append(_column(records[f"f{at}"], type_name))
        kept.append((name, units[at] if at < len(units) else ""))
    times = _times(records, names)
    if times is not None:
        columns.insert(0, times)
        kept.insert(0, ("TIMESTAMP", ""))
    methods = campbell.statistics(names, processes)
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=distinct([name for name, _ in kept]),
        columns=columns,
        unit_texts=[unit for _, unit in kept],
        metadata=environment.metadata() | ({"stamps": campbell.stamps(methods)} if methods else {}),
        notes=notes,
        statistics=methods,
        called=campbell.called(names, methods),
    )
    return recording_of(raw, wishes)


def fp2(words: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Return two-byte floats of Campbell loggers as numbers.

    Parameters
    ----------
    words : ndarray of uint16, shape (n,)
        The two bytes, the first the higher.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the words that stand for "not a number" and for infinity.

    References
    ----------
    CR10X manual, appendix C: sign, two bits of negative decimal exponent, 13 bits of mantissa.

    Examples
    --------
    >>> fp2(np.array([0x256B, 0x9FFE, 0x0001], np.uint16)).tolist()
    [138.7, nan, 1.0]
    """
    mantissa = (words & 0x1FFF).astype(np.float64)
    exponent = ((words >> 13) & 3).astype(np.int64)
    # Dividing by a whole power of ten is correctly rounded.
    values: NDArray[np.float64] = mantissa / np.power(10, exponent).astype(np.float64)
    values[(words & 0x8000) != 0] *= -1.0
    values[(exponent == 0) & (mantissa >= 8190)] = np.nan
    return values


_Header = tuple[campbell.Environment, list[str], list[str], list[str], list[str]]


def _header(data: bytes, path: Path) -> tuple[_Header, int]:
    lines, at = [], 0
    for number in range(1, 6):
        end = data.find(b"\n", at, at + 1_000_000)
        if end < 0:
            raise ReadError("the header of five lines is cut off", path=path, line=number, format=FORMAT.name)
        try:
            text = data[at:end].decode("utf-8", "replace").strip("\r\n\ufeff")
            lines.append([cell.strip() for cell in next(reader.reader([text]), [])])
        except reader.Error as error:
            raise ReadError(f"the header is broken: {error}", path=path, line=number, format=FORMAT.name) from error
        at = end + 1
    environment = campbell.environment_of(lines[0])
    if environment.kind != "TOB1":
        raise ReadError('the first line is not "TOB1",…', path=path, line=1, format=FORMAT.name)
    if not lines[1] or len(lines[1]) != len(lines[4]):
        raise ReadError(
            f"{len(lines[1])} names stand over {len(lines[4])} types", path=path, line=5, format=FORMAT.name
        )
    return (environment, lines[1], lines[2], lines[3], lines[4]), at


def _dtype(types: list[str], path: Path) -> np.dtype[Any]:
    fields: list[Any] = []
    for at, name in enumerate(types):
        text = re.fullmatch(r"ASCII\((\d{1,9})\)", name, re.IGNORECASE)
        if text and 0 < int(text[1]) <= _MOST_TEXT:
            fields.append((f"f{at}", f"S{int(text[1])}"))
        elif name.upper() in _PAIRS:
            fields.append((f"f{at}", _PAIRS[name.upper()], (2,)))
        elif name.upper() in _TYPES:
            fields.append((f"f{at}", _TYPES[name.upper()]))
        else:
            known = ", ".join([*_TYPES, "SecNano", f"ASCII(1 to {_MOST_TEXT})"])
            raise ReadError(f"the type {name!r} is not known among {known}", path=path, line=5, format=FORMAT.name)
    return np.dtype(fields)


def _column(values: NDArray[Any], type_name: str) -> Any:  # noqa: ANN401 -- pyarrow has no types
    kind = type_name.upper()
    if kind in _PAIRS:
        return _stamps(values[:, 0], values[:, 1])
    if kind.startswith("ASCII"):
        words = [word.split(b"\0")[0].decode("utf-8", "replace") for word in values.tolist()]
        return pa.array(words, pa.string())
    if kind == "FP2":
        return pa.array(fp2(values.astype(np.uint16)), from_pandas=True)
    if kind == "SEC":
        return _stamps(values, np.zeros(len(values), np.uint32))
    numbers = values.astype(values.dtype.newbyteorder("="))
    if numbers.dtype.kind == "f":
        numbers = _shortest(numbers)
        numbers[np.isinf(numbers)] = np.nan
        return pa.array(numbers, from_pandas=True)
    return pa.array(numbers)


def _shortest(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Widen float32 to the double that its shortest decimal text reads as: 17.91, not 17.9099998."""
    if numbers.dtype == np.float64:
        return numbers.copy()
    widened: NDArray[np.float64] = numbers.astype("U32").astype(np.float64)
    return widened


def _times(records: NDArray[Any], names: list[str]) -> Any | None:  # noqa: ANN401 -- pyarrow has no types
    places = {name.upper(): at for at, name in reversed(list(enumerate(names)))}
    if "SECONDS" not in places or records[f"f{places['SECONDS']}"].ndim != 1:
        return None
    seconds = records[f"f{places['SECONDS']}"]
    nanos = records[f"f{places['NANOSECONDS']}"] if "NANOSECONDS" in places else np.zeros(len(seconds), np.uint32)
    if seconds.dtype.kind not in "iuf" or nanos.dtype.kind not in "iuf" or nanos.ndim != 1:
        return None
    return _stamps(seconds, nanos)


def _stamps(seconds: NDArray[Any], nanos: NDArray[Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    whole = np.nan_to_num(seconds.astype(np.float64), nan=-1.0)
    there = (whole > 0) & (whole < 2**33)
    micro = np.nan_to_num(nanos.astype(np.float64), nan=0.0).clip(0, 1e9) // 1000
    stamps = (np.where(there, whole, 0).astype(np.int64) + _EPOCH_1990) * 1_000_000 + micro.astype(np.int64)
    stamps[~there] = NO_TIME
    return pa.array(stamps, mask=~there).cast(pa.timestamp("us"))


def _sniff(_path: Path, head: bytes) -> float:
    start = head[:12].lstrip(b'\xef\xbb\xbf"')
    # TOB2 and TOB3, the forms of memory cards, are known to be refused by their name.
    return 1.0 if start.startswith((b'TOB1"', b"TOB1,", b'TOB2"', b'TOB3"')) else 0.0


FORMAT = FormatInfo(
    name="tob1", title="Campbell Scientific TOB1 (binary)", suffixes=(".dat", ".tob1"), sniff=_sniff, read=read
)
