"""Merge files of a year that have piled up into few, large, sorted ones; no row comes or goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence

import numpy as np
import pyarrow as pa

from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import DENSE, LakeFile
from nilometer.store.lake_writer import FILE_ROWS, YearWriter, sort_rows
from nilometer.store.refusal import refusal

__all__ = ["LEVEL", "merge", "piles", "still_years"]

PILE = 8
"""Files of one size that are merged: each row is written again about log8 of its year's files times."""

LEVEL = 15
"""How hard zstd tries where a file is to stay."""

_CHUNK_ROWS = 500_000


def piles(files: Sequence[LakeFile], *, still: Container[str] = ()) -> list[list[LakeFile]]:
    """Return the files to merge: `PILE` of one year and about one size, or all of a year that is still.

    Parameters
    ----------
    files : sequence of LakeFile
        Of one table.
    still : container of str
        Months into which nothing comes any more, as far as can be seen.

    Returns
    -------
    list of list of LakeFile
        Each of one year.
    """
    found: dict[tuple[str, int], list[LakeFile]] = defaultdict(list)
    for file in files:
        if file.rows < FILE_ROWS // 2:
            size = -1 if file.year in still else int(np.log2(max(file.rows, 1024)) // np.log2(PILE))
            found[file.year, size].append(file)
    return [
        pile
        for (_, size), pile in found.items()
        if len(pile) >= (PILE if size >= 0 else 2) or (size < 0 and not pile[0].is_dense)
    ]


def still_years(files: Sequence[LakeFile], touched: Container[str]) -> set[str]:
    """Return the years, but for the last one, into which the last seal brought nothing."""
    years = sorted({file.year for file in files})
    return {year for year in years[:-1] if year not in touched}


def merge(
    table: LakeTable,
    pile: Sequence[LakeFile],
    *,
    pause: Callable[[], None],
    told: Callable[[int], None],
    year: str | None = None,
) -> list[LakeFile]:
    """Write files that hold the rows of files of one year, sorted; nothing is committed.

    Parameters
    ----------
    table : LakeTable
        To which the new files will belong.
    pile : sequence of LakeFile
        Of one year.
    pause : callable
        Called between two chunks; whoever has to go first goes then.
    told : callable
        Told how many rows were written.
    year : str, optional
        That year; None: as the files say.

    Raises
    ------
    StoreError
        If the disk refuses; nothing is left of it.
    """
    writer = YearWriter(table.place, year or pile[0].year, table.schema, level=LEVEL, prefix=DENSE)
    try:
        for rows in _merged(table, pile):
            pause()
            writer.write(rows)
            told(rows.num_rows)
        return writer.close()
    except BaseException as error:
        writer.abandon()
        if isinstance(error, OSError):
            raise refusal(error, "merge files", path=str(table.place)) from error
        raise


def _merged(table: LakeTable, pile: Sequence[LakeFile]) -> Iterator[pa.Table]:
    """Yield the rows of all files in order, in chunks of bounded size."""
    names = table.schema.names
    readers = [_Reader(file, names) for file in pile]
    while any([reader.fill() for reader in readers]):  # noqa: C419 -- every one reads on
        # Nothing that is still unread comes before the least of the last rows read: up to there all can go out.
        bound = min(reader.bound() for reader in readers)
        parts = [part for reader in readers if (part := reader.take(bound)).num_rows]
        yield sort_rows(pa.concat_tables(parts))


class _Reader:
    """One file, read some row groups at a time."""

    def __init__(self, file: LakeFile, names: Sequence[str]) -> None:
        self._file, self._names, self._next = file, names, 0
        self._groups = len(file.blocks.rows)
        self._step = max(1, int(_CHUNK_ROWS // 8 // max(file.blocks.rows.max(), 1)))
        self._rows = table_of(file, names)

    def fill(self) -> bool:
        """Read on when nothing is at hand; return whether anything is left."""
        if not self._rows.num_rows and self._next < self._groups:
            stop = min(self._next + self._step, self._groups)
            self._rows = self._file.read(np.arange(self._next, stop), self._names)
            self._next = stop
        return bool(self._rows.num_rows)

    def bound(self) -> tuple[int, int, int]:
        """Return the last key at hand, or one beyond all when the file is at its end."""
        if self._next >= self._groups:
            return (1 << 62, 0, 0)
        row = self._rows.slice(self._rows.num_rows - 1, 1)
        time = row["phenomenon_time"].cast(pa.int64())[0].as_py()
        return (row["datastream"][0].as_py(), time, row["id"][0].as_py())

    def take(self, bound: tuple[int, int, int]) -> pa.Table:
        """Return the rows up to a key and keep the rest."""
        if not self._rows.num_rows:
            return self._rows
        datastream = self._rows["datastream"].to_numpy()
        time = self._rows["phenomenon_time"].cast(pa.int64()).to_numpy()
        low, high = np.searchsorted(datastream, bound[0]), np.searchsorted(datastream, bound[0], "right")
        first, last = (
            low + np.searchsorted(time[low:high], bound[1]),
            low + np.searchsorted(time[low:high], bound[1], "right"),
        )
        cut = int(first + np.searchsorted(self._rows["id"].to_numpy()[first:last], bound[2], "right"))
        taken, self._rows = self._rows.slice(0, cut), self._rows.slice(cut)
        return taken


def table_of(file: LakeFile, names: Sequence[str]) -> pa.Table:
    """Return no rows, in the columns of a file."""
    return file.read(np.empty(0, np.int64), names)
