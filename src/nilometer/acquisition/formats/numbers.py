"""Columns of text to numbers, at the speed of Arrow; what is no number is counted, never invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["MISSING", "Numbers", "as_floats", "numbers"]

MISSING = frozenset(
    {"", "null", "nan", "na", "n/a", "#n/a", "#value!", "#div/0!", "none", "nil", "nodata", "no data", "-", "--", "---"}
    | {"inf", "-inf", "+inf", "infinity", "-infinity", "1e+20", "无", "缺测"}
)
_SENTINELS = (-9999.0, -99999.0, -999999.0, -9999999.0, -1e10, 1e20)
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column as numbers: `strange` texts were neither numbers nor words for a missing value."""

    values: NDArray[np.float64]
    censored: NDArray[np.int8] | None
    strange: int
    sentinels: int
    example: str = ""


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
        NaN where there is no number; ``<0.05`` is 0.05, censored below.
    """
    words = pc.utf8_trim_whitespace(_whole(column))
    unsaid = pa.array(sorted({*MISSING, *(word.casefold() for word in missing)}))
    words = pc.if_else(pc.is_in(pc.utf8_lower(words), unsaid), None, words)
    said = len(words) - words.null_count
    if decimal == ",":
        words = pc.replace_substring(pc.replace_substring(words, ".", ""), ",", ".")
    censored, strange, example = None, 0, ""
    try:
        numeric = words.cast(pa.float64())
    except pa.ArrowInvalid:
        words, censored = _plain(words, thousands=decimal == ".")
        fits = pc.fill_null(pc.match_substring_regex(words, _NUMBER), False)  # noqa: FBT003 -- Arrow's signature
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
    return Numbers(values, censored, strange, int(fill.sum()), example)


def _plain(words: Any, *, thousands: bool) -> tuple[Any, NDArray[np.int8] | None]:  # noqa: ANN401 -- pyarrow has no types
    """Take off what people write around numbers: ``<``, ``>``, a plus sign, commas between thousands."""
    below = pc.fill_null(pc.match_substring_regex(words, r"^[<＜]\s*[\d.]"), False)  # noqa: FBT003 -- Arrow's signature
    above = pc.fill_null(pc.match_substring_regex(words, r"^[>＞]\s*[\d.]"), False)  # noqa: FBT003 -- Arrow's signature
    censored = np.asarray(above.cast(pa.int8())) - np.asarray(below.cast(pa.int8()))
    marked = pc.or_(below, above)
    words = pc.if_else(marked, pc.replace_substring_regex(words, r"^[<>＜＞]\s*", ""), words)
    words = pc.replace_substring_regex(words, r"^\+", "")
    if thousands:
        grouped = pc.fill_null(pc.match_substring_regex(words, r"^-?\d{1,3}(,\d{3})+(\.\d*)?$"), False)  # noqa: FBT003
        words = pc.if_else(grouped, pc.replace_substring(words, ",", ""), words)
    return words, censored.astype(np.int8) if censored.any() else None


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
