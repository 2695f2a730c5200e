"""How a store is, in figures, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StoreStatus"]


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How the store is.

    Parameters
    ----------
    sequence, lake_sequence : int
        The last commit, and the last that is sealed.
    hot_rows : int
        Rows in memory.
    files : int
        Parquet files of current rows.
    damage : tuple of str
        What was stored and is damaged, as found at the start; not empty as long as cut off records are kept aside.
    torn : tuple of str
        Writes that a crash cut short before anybody was told that they are stored.
    journal_bytes : int
        Bytes of the records that the journal holds.
    seal_error : str
        Why the last seal failed; empty when it did not.
    compaction_error : str
        Why the last compaction in the background failed; empty when it did not.
    """

    sequence: int
    lake_sequence: int
    hot_rows: int
    files: int
    damage: tuple[str, ...]
    torn: tuple[str, ...]
    journal_bytes: int
    seal_error: str
    compaction_error: str
