"""Columns of text to numbers, at the speed of Arrow; what is no number is counted, never invented."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["MISSING", "UNDETECTED", "Numbers", "as_floats", "numbers", "odd_one", "unit_in_cells"]

MISSING = frozenset(
    {"", "null", "nan", "na", "n/a", "#n/a", "#value!", "#div/0!", "none", "nil", "nodata", "no data", "-", "--", "---"}
    | {"////", "///", "//", "/", "*", "**", "***", "----", "-----", ".", "..", "?", "n.a.", "missing", "null value"}
    | {"—", "——", "－", "＊", "err", "error", "#ref!", "#num!", "暂无", "暂无数据", "未监测", "未测", "无数据"}
    | {"inf", "-inf", "+inf", "infinity", "-infinity", "1e+20", "无", "缺测"}
)
_NINES = re.compile(r"[-+]?9{2,5}(\.9{1,3})?|[-+]?8{3,5}(\.8+)?|-[1-9]000?0?|-9")
_SENTINELS = (-9999.0, -99999.0, -999999.0, -9999999.0, -1e10, 1e20)
# Words for "not detected" that name no limit.
UNDETECTED = frozenset(
    {
        "未检出",
        "低于检出限",
        "nd",
        "n.d.",
        "n.d",
        "bdl",
        "not detected",
        "below detection",
        "below detection limit",
        "<lod",
    }
    | {"<loq", "<dl", "<mdl", "<rl", "<"}
)
# HJ 91 and the GB methods write a result below the limit of detection as the limit with an L behind it.
_HJ_LIMIT = r"^(\d+\.?\d*|\.\d+)\s*L$"
_NAMED_LIMIT = r"(?i)^(?:未检出|nd|n\.d\.?|bdl)\s*[(（]\s*[<＜]?\s*(\d+\.?\d*)\s*[)）]$"
# 1.3×10^4, as counts of bacteria are written.
_POWER = r"^([<>]?\s*\d+\.?\d*)\s*[×xX*]\s*10\^?([+-]?\d{1,2})$"
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_COMMA = r"^([+-]?)(\d{1,3}(?:\.\d{3})+|\d*),(\d*)([eE][+-]?\d+)?$"
_GROUPED = r"^[+-]?\d{1,3}(\.\d{3})+$"
# Minus signs of word processors.
_MINUS = r"^[−–](\s*[\d.])"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column as numbers: `strange` texts were neither numbers nor words for a missing value.

    `undetected` words say "not detected" and no limit; `limit` is the one limit of the column that they took, NaN where
    it names none or several.
    """

    values: NDArray[np.float64]
    censored: NDArray[np.int8] | None
    strange: int
    sentinels: int
    example: str = ""
    undetected: int = 0
    limit: float = float("nan")


def numbers(column: Any, *, decimal: str = ".", missing: Sequence[str] = ()) -> Numbers | None:  # noqa: ANN401
    """Return a column of text as numbers, or None where fewer than half of its words are numbers.

    Parameters
    ----------
    column : pyarrow string array
        The words.
    decimal : str
        ``.`` or ``,``.
    missing : sequence of str
        Words for no value beside the usual ones; numbers among them count as sentinels.

    Returns
    -------
    Numbers or None
        NaN where there is no number; ``<0.05`` and ``0.05L`` (HJ: below the limit of detection) are 0.05, censored
        below; ``未检出`` and ``ND`` are the limit that the rest of the column names, censored below.
    """
    words = pc.utf8_trim_whitespace(_whole(column))
    unsaid = pa.array(sorted({*MISSING, *(word.casefold() for word in missing)}))
    words = pc.if_else(pc.is_in(pc.utf8_lower(words), unsaid), None, words)
    said = len(words) - words.null_count
    if decimal == ",":
        words = _pointed(words)
    censored, strange, example = None, 0, ""
    undetected, limit = 0, float("nan")
    try:
        numeric = words.cast(pa.float64())
    except pa.ArrowInvalid:
        if decimal == "." and _has_commas(words):
            words = _pointed(words)
        words, censored = _plain(words, thousands=decimal == ".")
        words, undetected, limit = _limited(words, censored)
        censored = censored if censored.any() else None
        fits = pc.fill_null(pc.match_substring_regex(words, _NUMBER), False)  # noqa: FBT003 -- Arrow's signature
        said = len(words) - words.null_count
        strange = said - (pc.sum(fits).as_py() or 0)
        if said == 0 or strange > said / 2:
            return None
        if strange:
            example = words.filter(pc.and_(pc.invert(fits), pc.is_valid(words)))[0].as_py()
        numeric = pc.if_else(fits, words, None).cast(pa.float64())
    values = np.asarray(pc.fill_null(numeric, float("nan")).to_numpy(zero_copy_only=False), np.float64).copy()
    sentinels = [*_SENTINELS, *as_floats(missing)]
    fill = np.isin(values, sentinels)
    values[fill] = np.nan
    values[np.isinf(values)] = np.nan
    return Numbers(values, censored, strange, int(fill.sum()), example, undetected, limit)


def _pointed(words: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return decimal commas as points; points part thousands where a comma stands, or where all numbers have groups."""
    marks = r"^([<>＜＞≤≥]?=?\s*)"
    said = pc.replace_substring_regex(words, marks, "")
    has_comma = pc.fill_null(pc.match_substring_regex(said, _COMMA), False)  # noqa: FBT003 -- Arrow's signature
    has_point = pc.fill_null(pc.match_substring(said, "."), False)  # noqa: FBT003 -- Arrow's signature
    grouped = pc.fill_null(pc.match_substring_regex(said, _GROUPED), False)  # noqa: FBT003 -- Arrow's signature
    some, pointed = pc.sum(has_comma).as_py() or 0, pc.and_(has_point, pc.invert(has_comma))
    # Beside commas a lone 1.234 has thousands; a column without one comma has points unless all of it is grouped.
    thousands = pc.and_(pointed, grouped)
    if not some and (pc.sum(pointed).as_py() or 0) > (pc.sum(thousands).as_py() or 0):
        thousands = pc.and_(thousands, False)  # noqa: FBT003 -- a plain false for all
    bare = pc.replace_substring(pc.replace_substring(words, ".", ""), ",", ".")
    return pc.if_else(pc.or_(has_comma, thousands), bare, words)


def _has_commas(words: Any) -> bool:  # noqa: ANN401 -- pyarrow has no types
    """Say whether a column among points has decimal commas: no number has a point, and one is not in thousands."""
    commas = pc.match_substring_regex(words, r"^[+-]?\d*,\d+$")
    groups = pc.match_substring_regex(words, r"^[+-]?\d{1,3}(,\d{3})+$")
    points = pc.match_substring_regex(words, r"^[+-]?\d[\d,]*\.\d+$")
    counts = [pc.sum(seen).as_py() or 0 for seen in (commas, groups, points)]
    return counts[0] > counts[1] and not counts[2]


def _plain(words: Any, *, thousands: bool) -> tuple[Any, NDArray[np.int8]]:  # noqa: ANN401 -- pyarrow has no types
    """Take off what people write around numbers: ``<``, ``>``, ``L``, a plus sign, commas between thousands."""
    words = pc.replace_substring_regex(words, _HJ_LIMIT, r"<\1")
    words = pc.replace_substring_regex(words, _MINUS, r"-\1")
    words = _scaled(words)
    words = pc.replace_substring_regex(words, _NAMED_LIMIT, r"<\1")
    below = pc.fill_null(pc.match_substring_regex(words, r"^[<＜≤]=?\s*[\d.]"), False)  # noqa: FBT003 -- Arrow's signature
    above = pc.fill_null(pc.match_substring_regex(words, r"^[>＞≥]=?\s*[\d.]"), False)  # noqa: FBT003 -- Arrow's signature
    censored = np.asarray(above.cast(pa.int8())) - np.asarray(below.cast(pa.int8()))
    marked = pc.or_(below, above)
    words = pc.if_else(marked, pc.replace_substring_regex(words, r"^[<>＜＞≤≥]=?\s*", ""), words)
    words = pc.replace_substring_regex(words, r"^\+", "")
    if thousands:
        grouped = pc.fill_null(pc.match_substring_regex(words, r"^-?\d{1,3}(,\d{3})+(\.\d*)?$"), False)  # noqa: FBT003
        words = pc.if_else(grouped, pc.replace_substring(words, ",", ""), words)
    return words, censored.astype(np.int8)


def _scaled(words: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    if not (pc.sum(pc.match_substring_regex(words, r"[×xX*]\s*10")).as_py() or 0):
        return words
    plain = [word if word is None else word.translate(_SUPERSCRIPT) for word in words.to_pylist()]
    return pc.replace_substring_regex(pa.array(plain, pa.string()), _POWER, r"\1e\2")


def _limited(words: Any, censored: NDArray[np.int8]) -> tuple[Any, int, float]:  # noqa: ANN401 -- pyarrow has no types
    """Give "not detected" the one limit that the rest of the column names, and mark it as below, in place."""
    said = pc.is_in(pc.utf8_lower(words), pa.array(sorted(UNDETECTED)))
    unsaid = np.asarray(pc.fill_null(said, False).to_numpy(zero_copy_only=False), bool)  # noqa: FBT003 -- Arrow's signature
    if not unsaid.any():
        return words, 0, float("nan")
    limits = {word for word in words.filter(pa.array(censored == -1)).unique().to_pylist() if word}
    limit = next(iter(limits)) if len(limits) == 1 else None
    censored[unsaid] = -1
    named = float(limit) if limit is not None and re.fullmatch(r"\d+\.?\d*|\.\d+", limit) else float("nan")
    words = pc.if_else(pa.array(unsaid), pa.scalar(None if math.isnan(named) else limit, pa.string()), words)
    return words, int(unsaid.sum()), named


def _whole(column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def odd_one(values: NDArray[np.float64]) -> tuple[float, int] | None:
    """Return a number that looks like one for no value, such as -999 or 9999, and how often it stands; else None.

    It stands at least twice, at an end of the values, and farther from the next one than all others are apart.

    Examples
    --------
    >>> odd_one(np.array([7.1, -999.0, 7.3, -999.0]))
    (-999.0, 2)
    """
    said = values[np.isfinite(values)]
    for one in (said.min(), said.max()) if len(said) > 3 or len(np.unique(said)) > 2 else ():
        rest = said[said != one]
        if not _NINES.fullmatch(f"{one:g}") or len(said) - len(rest) < 2 or len(rest) < 2:
            continue
        if np.abs(rest - one).min() > 2 * (rest.max() - rest.min()):
            return float(one), len(said) - len(rest)
    return None


def unit_in_cells(column: Any) -> tuple[Any, str] | None:  # noqa: ANN401 -- pyarrow has no types
    """Return a column whose every number has the same unit behind it without it, and the unit; None where it is not so.

    Examples
    --------
    >>> unit_in_cells(pa.array(["20.5 °C", "", "21 °C"]))[1]
    '°C'
    """
    words = pc.utf8_trim_whitespace(_whole(column))
    parts = pc.extract_regex(words, r"^(?P<number>[<>]?\s*[+-]?\d+\.?\d*)\s*(?P<unit>[^\d\s.,:;<>/-][^\d:;<>]{0,20})$")
    said = pc.sum(pc.not_equal(words, "")).as_py() or 0
    if parts.null_count == len(parts) or len(parts) - parts.null_count < 0.5 * said:
        return None
    units = {unit for unit in pc.unique(pc.struct_field(parts, "unit")).to_pylist() if unit}
    if len(units) != 1:
        return None
    there = pc.is_valid(parts)
    return pc.if_else(there, pc.fill_null(pc.struct_field(parts, "number"), ""), words), units.pop()


def as_floats(words: Sequence[str]) -> list[float]:
    """Return the numbers among words."""
    found = []
    for word in words:
        try:
            found.append(float(word))
        except ValueError:
            continue
    return found
