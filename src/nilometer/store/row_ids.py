"""Ids of rows of the catalog, as requests name them."""

from __future__ import annotations

__all__ = ["row_id"]

_MOST = 2**31 - 1


def row_id(number: int) -> int:
    """Return an id that a request named as every database can compare it: one beyond any is 0, which no row has."""
    return number if 0 <= number <= _MOST else 0
