"""The bytes of a file: decompressed, and as UTF-8 text whatever they were written in."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from nilometer.errors import ReadError

__all__ = ["as_utf8", "bare_suffix", "contents", "head", "text_of"]

HEAD = 65536
_BINARY = (
    (b"PAR1", "a Parquet file"),
    (b"\x89HDF", "an HDF5 or netCDF-4 file"),
    (b"CDF\x01", "a netCDF file"),
    (b"CDF\x02", "a netCDF file"),
    (b"PK\x03\x04", "a zip archive, or an Excel workbook of another kind"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (save the sheet as CSV)"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF"),
)
_COMPRESSED: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)
_BROKEN = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, OSError)


def bare_suffix(path: Path) -> str:
    """Return the suffix of a file without that of its compression, in lower case: ``.csv`` of ``a.CSV.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in {".gz", ".bz2", ".xz"}:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def head(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed.

    Raises
    ------
    ReadError
        If the file cannot be opened or is empty.
    """
    with _open(path) as stream:
        try:
            data = stream.read(HEAD)
        except _BROKEN as error:
            raise _cut_off(path, error) from error
    if not data:
        raise ReadError("the file is empty", path=path)
    return data


def contents(path: Path) -> bytes:
    """Return all bytes of a file, decompressed.

    Raises
    ------
    ReadError
        If the file cannot be opened, is empty, or its compression is cut off or damaged.
    """
    with _open(path) as stream:
        try:
            data = stream.read()
        except _BROKEN as error:
            raise _cut_off(path, error) from error
    if not data.strip(b"\0\r\n\t "):
        raise ReadError("the file is empty", path=path)
    return data


def text_of(path: Path) -> tuple[bytes, str]:
    """Return all of a file as UTF-8 text with LF line ends, and the name of the encoding it was in.

    Raises
    ------
    ReadError
        As `contents` and `as_utf8`.
    """
    return as_utf8(contents(path), path)


def as_utf8(data: bytes, path: Path) -> tuple[bytes, str]:
    """Return text as UTF-8 with LF line ends, and the name of the encoding it was in.

    UTF-8 and UTF-16 are known by their marks or their pattern; else GB 18030 where every high byte is part of a Chinese
    character of GB 2312, else Windows-1252.

    Raises
    ------
    ReadError
        If the bytes are no text.
    """
    for signature, what in _BINARY:
        if data.startswith(signature):
            raise ReadError(f"this is {what}, not text", path=path)
    encoding = _encoding(data)
    if encoding != "utf-8":
        text = data.decode(encoding, errors="replace").lstrip("\ufeff")
        data = text.encode()
    # A logger that lost power leaves a tail of NUL bytes.
    data = data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\0\x1a")
    if _is_binary(data[:4096]):
        at = data.find(b"\0")
        line = data.count(b"\n", 0, max(at, 0)) + 1
        raise ReadError("this is binary, not text; what instrument or program wrote it?", path=path, line=line)
    data = data.replace(b"\0", b"")
    if b"\r" in data:
        data = data.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data, encoding


@contextlib.contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise ReadError(f"cannot be opened: {error.strerror}", path=path) from error
    with raw:
        magic = raw.read(6)
        raw.seek(0)
        for signature, opened in _COMPRESSED:
            if magic.startswith(signature):
                with opened(raw) as stream:
                    yield stream
                return
        yield raw


def _cut_off(path: Path, error: Exception) -> ReadError:
    return ReadError(f"the compressed file is cut off or damaged ({error}); fetch it again", path=path)


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = data[:2000]
    if len(start) >= 8 and start[1::2].count(0) > 0.7 * len(start[1::2]):
        return "utf-16-le"
    if len(start) >= 8 and start[0::2].count(0) > 0.7 * len(start[0::2]):
        return "utf-16-be"
    try:
        data.decode()
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    try:
        data.decode("gb2312")
    except UnicodeDecodeError:
        return "cp1252"
    return "gb18030"


def _is_binary(start: bytes) -> bool:
    strange = len(re.findall(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]", start))
    # Loggers pad names with NUL; a NUL among other control characters is a number.
    return strange > 0.02 * len(start) + 1 or (strange > 0 and b"\0" in start) or start.count(b"\0") > 0.1 * len(start)
