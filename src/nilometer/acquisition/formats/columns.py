"""Text whose columns are parted by blanks: YSI reports, archives, tables for print.

Names and units are one word each, as many as a row has; what else stands above is preamble. Rows of another number of
words are left out, and said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.csv import raw_table
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.shape import LINES, shape_of
from nilometer.acquisition.formats.tables import recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read", "tabbed"]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read text in columns of blanks.

    Raises
    ------
    ReadError
        If it is no text, or shows no table of times.
    """
    data, encoding = opening.text_of(path)
    raw = raw_table(tabbed(data), path, FORMAT.name, encoding)
    raw.metadata["delimiter"] = "blanks"
    raw.preamble = [line.replace("\t", " ") for line in raw.preamble]
    return recording_of(raw, wishes)


def tabbed(data: bytes) -> bytes:
    r"""Return text with one tab between its words; the sign of a comment before a header is taken off.

    Examples
    --------
    >>> tabbed(b"# Year Month\n 2001   9\n")
    b'Year\tMonth\n2001\t9\n'
    """
    data = re.sub(rb"[ \t\f]+", b"\t", data)
    return re.sub(rb"(?m)^\t?(?:#\t)?|\t$", b"", data)


def _sniff(path: Path, head: bytes) -> float:
    try:
        data, _ = opening.as_utf8(head, path)
        lines = tabbed(data).decode("utf-8", "replace").split("\n")[:-1][:LINES]
        shape = shape_of(lines, path)
    except ReadError:
        return 0.0
    rows = lines[shape.first_row :]
    return 0.4 if len(shape.names) > 2 and _is_even(rows, len(shape.names)) else 0.0


def _is_even(rows: Sequence[str], width: int) -> bool:
    counts = Counter(len(row.split("\t")) for row in rows if row.strip())
    return counts[width] > 0.8 * sum(counts.values())


FORMAT = FormatInfo(
    name="columns", title="Text in columns of blanks", suffixes=(".txt", ".dat"), sniff=_sniff, read=read
)
