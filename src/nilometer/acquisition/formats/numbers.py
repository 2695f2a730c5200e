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

__all__ = ["MISSING", "UNDETECTED", "Numbers", "as_floats", "numbers"]

MISSING = frozenset(
    {"", "null", "nan", "na", "n/a", "#n/a", "#value!", "#div/0!", "none", "nil", "nodata", "no data", "-", "--", "---"}
    | {"inf", "-inf", "+inf", "infinity", "-infinity", "1e+20", "无", "缺测"}
)
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
        words = pc.replace_substring(pc.replace_substring(words, ".", ""), ",", ".")
    censored, strange, example = None, 0, ""
    undetected, limit = 0, float("nan")
    try:
        numeric = words.cast(pa.float64())
    except pa.ArrowInvalid:
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


def _plain(words: Any, *, thousands: bool) -> tuple[Any, NDArray[np.int8]]:  # noqa: ANN401 -- pyarrow has no types
    """Take off what people write around numbers: ``<``, ``>``, ``L``, a plus sign, commas between thousands."""
    words = pc.replace_substring_regex(words, _HJ_LIMIT, r"<\1")
    words = pc.replace_substring_regex(words, _NAMED_LIMIT, r"<\1")
    below = pc.fill_null(pc.match_substring_regex(words, r"^[<＜≤]\s*[\d.]"), False)  # noqa: FBT003 -- Arrow's signature
    above = pc.fill_null(pc.match_substring_regex(words, r"^[>＞≥]\s*[\d.]"), False)  # noqa: FBT003 -- Arrow's signature
    censored = np.asarray(above.cast(pa.int8())) - np.asarray(below.cast(pa.int8()))
    marked = pc.or_(below, above)
    words = pc.if_else(marked, pc.replace_substring_regex(words, r"^[<>＜＞≤≥]\s*", ""), words)
    words = pc.replace_substring_regex(words, r"^\+", "")
    if thousands:
        grouped = pc.fill_null(pc.match_substring_regex(words, r"^-?\d{1,3}(,\d{3})+(\.\d*)?$"), False)  # noqa: FBT003
        words = pc.if_else(grouped, pc.replace_substring(words, ",", ""), words)
    return words, censored.astype(np.int8)


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


def as_floats(words: Sequence[str]) -> list[float]:
    """Return the numbers among words."""
    found = []
    for word in words:
        try:
            found.append(float(word))
        except ValueError:
            continue
    return found
