"""The shape of a table in text: what separates its cells, where its names and units stand, where its rows begin.

Looks at the first lines only and reads no value; the heavy lifting is Arrow's.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nilometer.acquisition.formats.instants import TIME_OF_DAY, kind_of
from nilometer.acquisition.formats.numbers import MISSING
from nilometer.errors import ReadError, UnitError
from nilometer.units import canonical

__all__ = ["Shape", "shape_of"]

LINES = 400
# Spectra have hundreds; beyond it a table is no log, and each column costs.
MOST_COLUMNS = 10_000
_DELIMITERS = ("\t", ";", "|", ",")
_FORMAT_WORDS = re.compile(r"^([MDYHSmdyhsT]+([/:\-. ][MDYHSmdyhsTAPap]+)+|[MDYHS]{6,8})$")
_UNITS_BESIDE = frozenset(
    {"ppt", "psi a", "psig", "inches hg", "‰", "rn", "ts", "its-90", "ipts-68", "pss-78", "dbars", "us/cm", "ms/cm"}
)
_RULE = re.compile(r"^[\s&,;|=_-]*$")
_NUMBER = re.compile(r"^[<>]?\s*[+-]?(\d{1,3}(,\d{3})+|\d+)?[.,]?\d*([eE][+-]?\d+)?$")


@dataclass(frozen=True, slots=True)
class Shape:
    """Where things stand; lines are counted from 0."""

    delimiter: str
    quote: str
    decimal: str
    names: tuple[str, ...]
    units: tuple[str, ...] | None
    preamble: tuple[str, ...]
    first_row: int


def shape_of(lines: Sequence[str], path: Path) -> Shape:
    """Return the shape of a table.

    Parameters
    ----------
    lines : sequence of str
        The first lines of the file, without line ends; `LINES` of them are looked at.
    path : Path
        For messages.

    Raises
    ------
    ReadError
        If no table of at least two columns with a row of values can be seen.
    """
    lines = lines[:LINES]
    said = re.fullmatch(r'"?sep=(.)"?', lines[0].strip()) if lines else None
    start = 1 if said else 0
    quote = "'" if sum(line.lstrip().startswith("'") for line in lines) > len(lines) / 2 else '"'
    delimiter, rows, width, first = _table_in(lines, start, said[1] if said else None, quote)
    if delimiter is None:
        raise ReadError(
            f"no table is seen: in the first {len(lines)} lines nothing separates cells (comma, semicolon, tab or bar)",
            path=path,
            line=1,
        )
    if first is None:
        raise ReadError(
            f"no row of values is seen in the first {len(lines)} lines (cells are separated by {delimiter!r})",
            path=path,
            line=len(lines),
        )
    if width > MOST_COLUMNS:
        raise ReadError(f"a row has {width} cells: more than {MOST_COLUMNS} are not read", path=path, line=first + 1)
    names_at, units_at = _header(rows, start, first)
    names, units = _named(rows, names_at, units_at, width)
    before = [line for at, line in enumerate(lines[:first]) if line.strip() and at not in {names_at, units_at}]
    decimal = _decimal(rows[first : first + 100], delimiter)
    return Shape(delimiter, quote, decimal, names, units, tuple(before), first)


def _table_in(
    lines: Sequence[str], start: int, told: str | None, quote: str
) -> tuple[str | None, list[list[str]], int, int | None]:
    """Return delimiter, cells, width and first row: as most lines show, else as the last ones do.

    A header may be longer than the rows under it.
    """
    solid = [line for line in lines[start:] if line.strip()]
    seen: tuple[str | None, list[list[str]], int, int | None] = (None, [], 0, None)
    for later in (lines[start:][len(lines[start:]) // 3 :], solid[-12:], solid[-4:], solid[-2:]):
        delimiter = told or _delimiter([line for line in later if line.strip()] or solid, quote)
        if delimiter is None:
            continue
        rows = _rows(lines, delimiter, quote)
        width = _width(_rows(later, delimiter, quote))
        first = next((at for at in range(start, len(rows)) if width and _begins(rows, at, width)), None)
        if first is not None and width > 1:
            return delimiter, rows, width, first
        if seen[0] is None:
            seen = delimiter, rows, width, None
    return seen


def _rows(lines: Sequence[str], delimiter: str, quote: str) -> list[list[str]]:
    rows = []
    for line in lines:
        try:
            row = next(csv.reader([line], delimiter=delimiter, quotechar=quote, skipinitialspace=True), [])
        except csv.Error:
            row = line.split(delimiter)
        rows.append([cell.strip() for cell in row])
    return rows


def _delimiter(later: Sequence[str], quote: str) -> str | None:
    best: tuple[float, str] | None = None
    for delimiter in _DELIMITERS:
        counts = Counter(len(row) for row in _rows(later, delimiter, quote))
        if not counts:
            continue
        width, often = counts.most_common(1)[0]
        share = often / len(later)
        if width >= 2 and share > 0.9:
            return delimiter
        if width >= 2 and (best is None or share > best[0]):
            best = share, delimiter
    return best[1] if best is not None else None


def _width(rows: Sequence[Sequence[str]]) -> int:
    return Counter([len(row) for row in rows if any(row)] or [0]).most_common(1)[0][0]


def _is_number(cell: str) -> bool:
    return bool(cell) and any(c.isdigit() for c in cell) and bool(_NUMBER.match(cell))


def _is_row(row: Sequence[str], width: int) -> bool:
    said = [cell for cell in row if cell]
    if not said or abs(len(row) - width) > 1:
        return False
    if _is_pair(row, width):
        return False
    times = [kind for cell in said if (kind := kind_of([cell])) is not None]
    if any(kind != TIME_OF_DAY for kind in times):
        return True  # a header names no day, and rows of agencies are mostly words
    values = sum(_is_number(cell) or cell.casefold() in MISSING for cell in said) + len(times)
    solid = bool(times) or any(_is_number(cell) for cell in said)
    return solid and values >= 0.3 * len(said)


def _is_pair(row: Sequence[str], width: int) -> bool:
    """Say whether a row is a key and its value, which a spreadsheet filled up with empty cells."""
    alone = width > 2 and sum(map(bool, row)) == 2 and all(row[:2])
    return alone and not _is_number(row[0]) and kind_of([row[0]]) is None


def _begins(rows: Sequence[Sequence[str]], at: int, width: int) -> bool:
    following = [row for row in rows[at : at + 12] if any(row)]
    if not following or not any(rows[at]) or not _is_row(rows[at], width):
        return False
    # The header may come again, and remarks may stand between the rows.
    above = [row for row in rows[max(at - 4, 0) : at] if sum(map(bool, row)) > 1]
    following = [row for row in following if row not in above and not _is_remark(row, width)][:4]
    return all(_is_row(row, width) for row in following)


def _is_remark(row: Sequence[str], width: int) -> bool:
    if _is_pair(row, width):
        return True
    return width > 1 and (sum(map(bool, row)) == 1 or "".join(row[:1]).startswith(("#", "//", "!", "%")))


def _header(rows: Sequence[Sequence[str]], start: int, first: int) -> tuple[int | None, int | None]:
    if rows[0][:1] == ["TOA5"] and first >= 4:
        return 1, 2  # Campbell: environment, names, units, kind of processing
    above = [at for at in range(start, first) if any(rows[at]) and not all(_RULE.match(cell) for cell in rows[at])]
    # A line about the instrument may stand between the names and the rows.
    while len(above) > 1 and _is_prose(rows, above[-1], first):
        above.pop()
    if not above:
        return None, None
    last = above[-1]
    if len(above) > 1 and _is_units(rows[last]) and abs(len(rows[above[-2]]) - len(rows[last])) <= 1:
        return above[-2], last
    return (last, None) if sum(map(bool, rows[last])) >= 1 and not _is_prose(rows, last, first) else (None, None)


def _is_prose(rows: Sequence[Sequence[str]], at: int, first: int) -> bool:
    # One cell above many: a title, not a header.
    return sum(map(bool, rows[at])) == 1 and len(rows[first]) > 2


@lru_cache(maxsize=4096)
def _is_unit(word: str) -> bool:
    try:
        canonical("%" if word.casefold() == "%sat" else word)
    except UnitError:
        return False
    return True


def _is_units(row: Sequence[str]) -> bool:
    known = strange = 0
    for cell in row:
        word = _bare(cell)
        if word.casefold() in {"", "&", "n/a", "none"} or _FORMAT_WORDS.match(word):
            continue
        if not _is_unit(word):
            strange += word.casefold() not in _UNITS_BESIDE
            known += word.casefold() in _UNITS_BESIDE
            continue
        known += 1
    return known > 0 and strange <= known / 3


def _named(
    rows: Sequence[Sequence[str]], names_at: int | None, units_at: int | None, width: int
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    header = list(rows[names_at]) if names_at is not None else []
    header = [re.sub(r"^#\s*(?=\w)", "", cell) for cell in header]
    while len(header) > width and not header[-1]:
        header.pop()
    header += [""] * (width - len(header))
    names: list[str] = []
    counts: Counter[str] = Counter()
    for at, cell in enumerate(header[:width]):
        name = " ".join(cell.split()) or ("" if names_at is not None else f"column {at + 1}")
        counts[name] += 1
        names.append(f"{name} ({counts[name]})" if name and counts[name] > 1 else name)
    if units_at is None:
        return tuple(names), None
    units = ["" if cell.casefold() in {"n/a", "none"} else _bare(cell) for cell in rows[units_at][:width]]
    return tuple(names), tuple(units + [""] * (width - len(units)))


def _bare(cell: str) -> str:
    word = cell.lstrip("# ")
    return word[1:-1].strip() if word[:1] + word[-1:] in {"()", "[]"} else word


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """Return the sign of decimals that most numbers have; beside commas that part cells, three digits are thousands."""
    cells = [cell for row in rows for cell in row if cell]
    commas = [cell for cell in cells if re.fullmatch(r"[<>]?\s*[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+", cell)]
    if delimiter == ",":
        commas = [cell for cell in commas if not re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", cell)]
    points = sum(bool(re.fullmatch(r"[<>]?\s*[+-]?(\d{1,3}(,\d{3})+|\d*)\.\d+", cell)) for cell in cells)
    return "," if len(commas) > points else "."
