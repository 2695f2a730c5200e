"""One file of the lake while reprocessing goes through it: few rows that differ wait, many have it written anew."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import OBSERVATION
from nilometer.pipeline.reprocess_judging import Judged
from nilometer.pipeline.reprocess_report import Differences, Moved
from nilometer.store import Store
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_rewriter import Exchange
from nilometer.store.rewriting import FileRewriter

__all__ = ["FEW", "FileRewriter", "Work"]

FEW = 0.03
"""Up to this share of a file's rows go through the journal."""


@dataclass(slots=True)
class Work:
    """A file being gone through: rows that differ, until it is known whether they are many; then the file anew.

    Parameters
    ----------
    store : Store
        Whose file it is.
    file : LakeFile
        The file.
    sequence : int
        The commit that its changed rows will bear.
    kept, changed : dict
        By Datastream, what is counted of rows that stay, and of those that change if the file is exchanged.
    writer : FileRewriter or None
        Writes the file anew; None: few rows differ so far.
    """

    store: Store
    file: LakeFile
    sequence: int
    kept: dict[int, Moved] = field(default_factory=dict)
    changed: dict[int, Moved] = field(default_factory=dict)
    writer: FileRewriter | None = None
    _buffered: list[tuple[NDArray[np.int64], NDArray[np.int64], Judged | None]] = field(default_factory=list)
    _count: int = 0

    def keep(self, groups: NDArray[np.int64], table: pa.Table) -> None:
        """Take row groups that stay as they are."""
        if self.writer is not None:
            self.writer.keep(groups, table)
        else:
            self._buffered.append((groups, np.empty(0, np.int64), None))

    def take(
        self,
        groups: NDArray[np.int64],
        table: pa.Table,
        judged: Judged,
        found: Differences,
        rows: NDArray[np.int64],
        places: NDArray[np.int64] | None,
    ) -> None:
        """Take row groups of which some rows change.

        Parameters
        ----------
        groups : ndarray of int64
            The row groups.
        table : pyarrow.Table
            What is in them.
        judged : Judged
            Rows of them as they are today.
        found : Differences
            What differs of them.
        rows : ndarray of int64
            Those of the judged rows that change.
        places : ndarray of int64, optional
            Where in the table the judged rows are; None: they are all that there are.
        """
        if not len(rows):
            self.keep(groups, table)
            return
        self._count += len(rows)
        if self.writer is None and self._count > FEW * self.file.rows:
            self.writer = self.store.rewriting.rewrite(self.file, self.sequence)
            for before, which, few in self._buffered:
                again = self.file.read(before, OBSERVATION.names).combine_chunks()
                if few is None:
                    self.writer.keep(before, again)
                else:
                    _change(self.writer, before, again, few, None, np.arange(len(few)), which)
            self._buffered = []
        if self.writer is None:
            self._buffered.append((groups, rows if places is None else places[rows], judged.take(rows)))
        else:
            _change(self.writer, groups, table, judged, found, rows, places)

    def few(self) -> list[Judged]:
        """Return the rows that differ, where they are few."""
        return [judged for _, _, judged in self._buffered if judged is not None]

    def close(self) -> Exchange:
        """Make the new file durable."""
        assert self.writer is not None  # noqa: S101 -- many rows differ
        return self.writer.close()

    def abandon(self) -> None:
        """Remove what was written."""
        if self.writer is not None:
            self.writer.abandon()


def _change(
    writer: FileRewriter,
    groups: NDArray[np.int64],
    table: pa.Table,
    judged: Judged,
    found: Differences | None,
    rows: NDArray[np.int64],
    places: NDArray[np.int64] | None,
) -> None:
    """Write row groups of which some rows change; see `Work.take`."""
    columns = _columns(judged, found, table if places is None else None)
    if places is not None:
        into = np.full(table.num_rows, -1)
        into[places] = np.arange(len(places))
        which = pa.array(into, mask=into < 0)
        columns, rows = {name: column.take(which) for name, column in columns.items()}, places[rows]
    writer.change(groups, table, rows, columns)


def _columns(judged: Judged, found: Differences | None, table: pa.Table | None) -> dict[str, pa.Array]:
    """Return what calibration, derivation and qc wrote, as it is stored; without columns that came out as they were."""
    old, new = judged.old, judged.new
    assert new.result is not None  # noqa: S101 -- finished rows
    assert new.result_uncertainty is not None  # noqa: S101
    columns = {}
    if found is None or found.result.any():
        raw = new.raw_result
        columns["result"] = _known(new.result, np.isnan(new.result))
        untold = (new.result == raw) | np.isnan(raw)  # one that is equal is not stored
        if raw is not old.raw_result or table is None or untold.any() or table["raw_result"].null_count:
            columns["raw_result"] = _known(raw, untold)
    if found is None or found.uncertainty.any():
        spread = new.result_uncertainty.astype(np.float32)
        columns["result_uncertainty"] = _known(spread, np.isnan(spread))
    if found is None or found.flag.any():
        columns["result_quality"] = pa.array(new.result_quality, pa.int8())
    if found is None or found.tests.any():
        columns["tests"] = new.tests
    if found is None or not pa.array(old.provenance).equals(pa.array(new.provenance)):
        columns["provenance"] = pa.array(new.provenance, pa.int32())
    return columns


def _known(values: NDArray[np.floating], unknown: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=unknown) if unknown.any() else pa.array(values)
