"""Which of our units the unitOfMeasurement of a stranger is; none where its parts say nothing, or not the same."""

from __future__ import annotations

from collections.abc import Mapping

from nilometer import units
from nilometer.errors import UnitError

__all__ = ["understood"]

_UCUM = "ucum:"


def understood(given: Mapping[str, str | None]) -> str:
    """Return the unit that a unitOfMeasurement means.

    Its definition counts where it is UCUM text, its symbol where the registry knows it; where both are understood they
    have to be one unit: what contradicts itself is not guessed. Its name, which often says less (microsiemens of
    µS/cm), counts where neither is.

    Parameters
    ----------
    given : mapping
        With any of name, symbol, definition.

    Returns
    -------
    str
        CF text, or `nilometer.units.UNKNOWN`.

    Examples
    --------
    >>> understood({"name": "Degree Celsius", "symbol": "°C", "definition": "http://example.org/c"})
    'degree_Celsius'
    >>> understood({"name": "metre", "symbol": "kg", "definition": "ucum:m"})
    'unknown'
    """
    definition = given.get("definition") or ""
    ucum = definition[len(_UCUM) :] if definition.lower().startswith(_UCUM) else ""
    found = [unit for text in (ucum, given.get("symbol")) if (unit := _canonical(text))]
    if not found:
        return _canonical(given.get("name")) or units.UNKNOWN
    return found[0] if all(_same(found[0], other) for other in found) else units.UNKNOWN


def _canonical(text: str | None) -> str:
    """Return a text as a unit; empty: it is none."""
    if text is None or not text.strip():
        return ""
    try:
        return units.canonical(text)
    except UnitError:
        return ""


def _same(one: str, other: str) -> bool:
    return units.same_dimension(one, other) and units.affine(one, other) == (1.0, 0.0)
