"""Times that are numbers without a colon: days as spreadsheets count them, and hours and minutes run together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME

__all__ = ["clock_of_digits", "serials", "with_colons"]

# 30 December 1899 is day 0: with it every day since March 1900 has the number that spreadsheets give it.
_EPOCH_DAYS = -25569
_DAY_US = 86_400_000_000
_CLOCK_NAMES = re.compile(r"^(time|hhmm|hh:?mm|hour.?min(ute)?s?|clock|时间|时分)$", re.IGNORECASE)
_DIGITS = re.compile(r"^\s*\d{1,4}\s*$")


def serials(values: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return the day numbers of spreadsheets as µs since 1970 by the local clock, to the millisecond.

    None where the numbers are not of the years 1980 to 2079; NaN becomes `NO_TIME`.

    Examples
    --------
    >>> serials(np.array([45413.25])).astype("datetime64[us]").astype(str).tolist()
    ['2024-05-01T06:00:00.000000']
    """
    said = values[~np.isnan(values)]
    if not len(said) or said.min() < 29221 or said.max() > 65745:
        return None
    # A float of days tells no microseconds.
    whole = np.round((np.where(np.isnan(values), 0.0, values) + _EPOCH_DAYS) * 86_400_000).astype(np.int64) * 1000
    return np.where(np.isnan(values), NO_TIME, whole)


def clock_of_digits(name: str, words: Sequence[str]) -> bool:
    """Say whether a column is of hours and minutes without a colon, such as 30 and 1545.

    Examples
    --------
    >>> clock_of_digits("Time", ["0030", "1545"]), clock_of_digits("time", ["30", "1575"])
    (True, False)
    """
    said = [word for word in words if word.strip()]
    if not said or not _CLOCK_NAMES.match(name.strip()) or not all(_DIGITS.match(word) for word in said):
        return False
    numbers = [int(word) for word in said]
    return max(numbers) <= 2400 and all(number % 100 < 60 for number in numbers)


def with_colons(column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return hours and minutes that were run together with a colon between them; other words as they are."""
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    digits = pc.match_substring_regex(text, r"^\d{1,4}$")
    padded = pc.replace_substring_regex(pc.utf8_lpad(text, 4, "0"), r"^(\d\d)(\d\d)$", r"\1:\2")
    return pc.if_else(digits, padded, text)
