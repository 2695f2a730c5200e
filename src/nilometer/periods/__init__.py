"""Periods of time and what rows in them come to: one arithmetic for the store's rollups and a notebook's statistics."""

from __future__ import annotations
