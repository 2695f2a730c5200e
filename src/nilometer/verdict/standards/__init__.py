"""Standards as data files: one per edition, found by scanning; no list to edit."""

from __future__ import annotations
