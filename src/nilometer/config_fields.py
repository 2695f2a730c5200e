"""What sections of the configuration are made of: keys, and lengths of time."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from nilometer.model.retention import parse_retention

__all__ = ["KEY_PATTERN", "Key", "Length", "Seconds"]

KEY_PATTERN = r"^[^\W\d_][\w.\-/]*$"
Key = Annotated[str, Field(pattern=KEY_PATTERN, max_length=200)]
"""A letter first, then letters, digits and ``_ . - /``."""


def _is_length(text: str) -> str:
    parse_retention(text)
    return text


Length = Annotated[str, AfterValidator(_is_length)]
"""How long something is kept, as `parse_retention` reads it."""


_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|min|h|d)")
_LONGEST_KEPT_S = 7 * 86_400.0  # so long the Delta log says when a file left


def seconds_of(value: object) -> float:
    """Return a length of time, such as "90 min", in s."""
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    seconds = float(found[1]) * _SECONDS[found[2]] if found else -1.0
    if not 0 <= seconds <= _LONGEST_KEPT_S:
        raise ValueError('a time up to "7 d", such as "90 s", "30 min", "1 h", "2 d"')
    return seconds


Seconds = Annotated[float, BeforeValidator(seconds_of)]
"""A length of time, such as "90 min", in s."""
