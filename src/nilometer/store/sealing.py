"""Sealing: settled rows leave the journal for the lake, exactly once."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SealReport"]


@dataclass(frozen=True, slots=True)
class SealReport:
    """What a seal did."""

    sequence: int
    rows: int
    revisions: int
    held: int
    files: int
    seconds: float
