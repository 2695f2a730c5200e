"""One Parquet file of the lake: found by its statistics, read by row groups, its footer read once."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nilometer.errors import StoreError
from nilometer.model.schemas import REVISION
from nilometer.store.lake_place import LakePlace
from nilometer.store.query import Query
from nilometer.store.refusal import is_far, refusal
from nilometer.store.values import Ranges

__all__ = ["DENSE", "Blocks", "Cuts", "LakeFile"]


DENSE = "m-"
"""What the names of files begin with that a merge or a rewrite wrote."""

_SEAL = re.compile(r"s(\d+)-")


class Blocks(NamedTuple):
    """Statistics of the row groups of a file, one array a figure."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    earliest: NDArray[np.int64]
    latest: NDArray[np.int64]
    lowest_id: NDArray[np.int64]
    highest_id: NDArray[np.int64]
    rows: NDArray[np.int64]
    lowest_commit: NDArray[np.int64]
    highest_commit: NDArray[np.int64]


class Cuts(NamedTuple):
    """Which Datastreams a row group has, ascending, and the first row of each, with the number of rows at the end."""

    datastreams: NDArray[np.int64]
    starts: NDArray[np.int64]

    def start(self, datastream: int) -> int:
        """Return the first row of a Datastream, or of the one behind it."""
        return int(self.starts[np.searchsorted(self.datastreams, datastream)])

    def stop(self, datastream: int) -> int:
        """Return the row behind the last of a Datastream."""
        return int(self.starts[np.searchsorted(self.datastreams, datastream, "right")])

    def count(self, datastreams: NDArray[np.int32]) -> int:
        """Return how many rows some Datastreams, ascending, have."""
        return int(np.diff(self.starts)[np.isin(self.datastreams, datastreams)].sum())


@dataclass(slots=True, eq=False)
class LakeFile:
    """A file sorted by (datastream, phenomenon_time, id).

    Parameters
    ----------
    place : LakePlace
        Where the files of the table lie.
    path : str
        Of the file in the table, as the Delta log has it.
    year : str
        The partition, such as ``2026-11``.
    size, rows : int
        Bytes and rows.
    first, last : int
        Least and greatest Datastream.
    earliest, latest : int
        Least and greatest phenomenon_time, µs UTC.
    absent : frozenset of str
        Columns that are null in every row: never read.
    constant : dict
        Columns that have one value in every row: never read.
    """

    place: LakePlace
    path: str
    year: str
    size: int
    rows: int
    first: int
    last: int
    earliest: int
    latest: int
    absent: frozenset[str]
    constant: dict[str, int]
    _footer: Any = None
    _blocks: Blocks | None = None
    _ranges: Ranges | None = None
    _cuts: dict[int, Cuts] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seal(self) -> int:
        """The seal that brought it, where its name says so: it counts once `observations` has reached that."""
        match = _SEAL.match(PurePosixPath(self.path).name)
        return int(match[1]) if match else 0

    @property
    def is_dense(self) -> bool:
        """Whether it was written to stay, as its name says: what a seal writes in haste is written again."""
        return PurePosixPath(self.path).name.startswith(DENSE)

    @property
    def blocks(self) -> Blocks:
        """The statistics of its row groups."""
        if self._blocks is None:
            with self._lock:
                if self._blocks is None:
                    self._load()
        blocks = self._blocks
        assert blocks is not None  # noqa: S101 -- _load has just made them
        return blocks

    @property
    def ranges(self) -> Ranges:
        """What the values of its row groups reach from and to; looked up when somebody asks of values."""
        if self._ranges is None:
            self._ranges = self._load_ranges()
        return self._ranges

    def may_hold(self, wanted: Query) -> bool:
        """Return whether the file may hold rows that are meant, by its own statistics alone."""
        if self.latest < wanted.start or self.earliest >= wanted.end:
            return False
        if wanted.datastreams is None:
            return True
        lower, upper = np.searchsorted(wanted.datastreams, (self.first, self.last + 1))
        return bool(upper > lower)

    def groups(self, wanted: Query) -> NDArray[np.int64]:
        """Return the row groups that may hold rows that are meant."""
        groups = np.flatnonzero(wanted.overlaps(*self.blocks[:4]))
        return groups if wanted.values is None else groups[wanted.values.may_hold(self.ranges, groups)]

    def cuts(self, group: int) -> Cuts:
        """Return where each Datastream lies in a row group; it is looked up once.

        Raises
        ------
        StoreError
            If the file is missing or damaged.
        """
        known = self._cuts.get(group)
        if known is None:
            blocks = self.blocks
            if blocks.first[group] == blocks.last[group]:
                known = Cuts(blocks.first[[group]], np.array([0, blocks.rows[group]]))
            else:
                known = _cuts_of(self.read([group], ["datastream"])["datastream"].to_numpy())
            self._cuts[group] = known
        return known

    def read(self, groups: Sequence[int] | NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of row groups, in the file's order.

        Raises
        ------
        StoreError
            If the file is missing or damaged.
        """
        count = int(self.blocks.rows[np.asarray(groups, np.int64)].sum()) if len(groups) else 0
        return self._filled(self._stored(groups, columns), count, columns)

    def _stored(self, groups: Sequence[int] | NDArray[np.int64], columns: Sequence[str]) -> pa.Table | None:
        """Return those of the columns that are not the same in every row; None: all are, or there is no row group."""
        stored = [name for name in columns if name not in self.absent and name not in self.constant]
        if not stored or not len(groups):
            return None
        try:
            with (
                self.place.reading(self.path, self.size) as source,
                # What is far is fetched in few, large pieces; what is near is mapped into memory.
                pq.ParquetFile(source, metadata=self._footer, memory_map=True, pre_buffer=self.place.is_remote) as file,
            ):
                return file.read_row_groups([int(group) for group in groups], columns=stored, use_threads=True)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def _filled(self, stored: pa.Table | None, count: int, columns: Sequence[str]) -> pa.Table:
        """Return so many rows with all columns."""
        arrays = []
        for name in columns:
            kind = REVISION.field(name).type
            if stored is not None and name in stored.schema.names:
                arrays.append(stored[name])
            else:
                arrays.append(_same(self.constant.get(name), kind, count))
        return pa.Table.from_arrays(arrays, schema=pa.schema([REVISION.field(name) for name in columns]))

    def select(self, groups: NDArray[np.int64], wanted: Query, columns: Sequence[str]) -> pa.Table:
        """Return columns of those rows of row groups, in ascending order, that are meant.

        `datastream` and `phenomenon_time` are always among the columns.
        """
        names = list(dict.fromkeys(("datastream", "phenomenon_time", *columns)))
        if wanted.single is not None:
            return self._select_one(groups, wanted, wanted.single, names)
        table = self.read(groups, names)
        if not table.num_rows:
            return table
        time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
        mask = wanted.mask(table["datastream"].to_numpy(), time)
        return table if mask.all() else table.filter(pa.array(mask))

    def _select_one(self, groups: NDArray[np.int64], wanted: Query, datastream: int, names: list[str]) -> pa.Table:
        """Return the rows of one Datastream: they lie together and in order of time."""
        if not len(groups):
            return self._filled(None, 0, names)
        plain = [name for name in names if name != "datastream"]
        # What is the same in every row is made for the rows that are meant only, and not for whole row groups.
        stored = self._stored_with_cuts(groups, plain)
        # Between the first and the last of its row groups all rows are of this Datastream.
        first, last = self.cuts(int(groups[0])), self.cuts(int(groups[-1]))
        low, high = first.start(datastream), int(self.blocks.rows[groups[:-1]].sum()) + last.stop(datastream)
        if stored is not None and "phenomenon_time" in stored.schema.names:
            inner = stored["phenomenon_time"].slice(low, high - low).cast(pa.int64()).to_numpy()
            start, stop = np.searchsorted(inner, (wanted.start, wanted.end))
            low, high = low + int(start), low + int(stop)
        owner = pa.repeat(pa.scalar(datastream, pa.int32()), high - low)
        stored = None if stored is None or not stored.num_columns else stored.slice(low, high - low)
        stored = pa.table({"datastream": owner}) if stored is None else stored.append_column("datastream", owner)
        return self._filled(stored, high - low, names)

    def _stored_with_cuts(self, groups: NDArray[np.int64], columns: Sequence[str]) -> pa.Table | None:
        """Return stored columns, and look at Datastreams on the way where a row group at an end was never looked at."""
        blocks = self.blocks
        ends = {0, len(groups) - 1}
        unknown = [
            at for at in ends if groups[at] not in self._cuts and blocks.first[groups[at]] < blocks.last[groups[at]]
        ]
        if not unknown:
            return self._stored(groups, columns)
        stored = self._stored(groups, [*columns, "datastream"])
        assert stored is not None  # noqa: S101 -- a row group of several Datastreams stores them
        offsets = np.concatenate(([0], np.cumsum(blocks.rows[groups])))
        for at in unknown:
            owners = stored["datastream"].slice(offsets[at], offsets[at + 1] - offsets[at]).to_numpy()
            self._cuts[int(groups[at])] = _cuts_of(owners)
        return stored.drop_columns(["datastream"])

    def discard(self) -> None:
        """Remove it, of which no table speaks; one that cannot be removed now is swept after the next start."""
        with suppress(OSError):
            self.place.remove(self.path)

    def _unreadable(self, error: Exception) -> StoreError:
        path = self.place.at(self.path)
        if isinstance(error, OSError) and (error.errno not in {None, errno.ENOENT} or is_far(error)):
            return refusal(error, "read", path=path)
        # pyarrow calls a page that does not decode an OSError without a number.
        what = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged ({' '.join(str(error).split())})"
        whose = f"Datastream {self.first}" if self.first == self.last else f"Datastreams {self.first} to {self.last}"
        return StoreError(
            f"{path} {what}: {self.rows} rows of {whose}; put it back from a backup "
            "(nilometer doctor --deep says what else is not as it was written)"
        )

    def _load(self) -> None:
        try:
            with self.place.reading(self.path, self.size) as source:
                footer = pq.read_metadata(source)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        names = {footer.schema.column(position).name: position for position in range(footer.num_columns)}
        figures: list[list[int]] = [[] for _ in Blocks._fields]
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            for place, name in ((0, "datastream"), (2, "phenomenon_time"), (4, "id")):
                statistics = group.column(names[name]).statistics
                figures[place].append(_whole(statistics.min_raw))
                figures[place + 1].append(_whole(statistics.max_raw))
            figures[6].append(group.num_rows)
            commits = group.column(names["commit"]).statistics
            # Files of the first release say nothing of commits.
            figures[7].append(_whole(commits.min_raw) if commits is not None and commits.has_min_max else 0)
            figures[8].append(_whole(commits.max_raw) if commits is not None and commits.has_min_max else _LATE)
        self._footer = footer
        self._blocks = Blocks(*(np.array(column, np.int64) for column in figures))

    def _load_ranges(self) -> Ranges:
        rows = self.blocks.rows
        footer = self._footer
        names = {footer.schema.column(position).name: position for position in range(footer.num_columns)}
        figures: dict[str, list[tuple[Any, Any, int]]] = {name: [] for name in _UNKNOWN}
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            for name, unknown in _UNKNOWN.items():
                statistics = group.column(names[name]).statistics
                known = statistics is not None and statistics.has_min_max
                least, greatest = (statistics.min, statistics.max) if known else unknown
                # Files of the first release say nothing of values, but which are the same throughout.
                if not known and name in self.constant:
                    least = greatest = self.constant[name]
                nulls = statistics.null_count if statistics is not None and statistics.has_null_count else -1
                if name in self.absent or nulls == rows[number]:
                    least, greatest, nulls = np.inf, -np.inf, int(rows[number])
                figures[name].append((least, greatest, nulls))
        result, flag, feature = (list(zip(*figures[name], strict=True)) for name in _UNKNOWN)
        return Ranges(
            np.array(result[0], np.float64),
            np.array(result[1], np.float64),
            np.array(result[2], np.int64),
            *(np.array(column, np.int64) for column in (*flag[:2], *feature[:2])),
        )


def _same(value: int | None, kind: pa.DataType, count: int) -> pa.Array:
    """Return one value so many times: a view of an array that is there already, where it is long enough."""
    if _FEW < count <= _KEPT:
        return _kept(value, kind).slice(0, count)
    return _repeated(value, kind, count)


@lru_cache(32)
def _kept(value: int | None, kind: pa.DataType) -> pa.Array:
    return _repeated(value, kind, _KEPT)


def _repeated(value: int | None, kind: pa.DataType, count: int) -> pa.Array:
    return pa.nulls(count, kind) if value is None else pa.repeat(pa.scalar(value, pa.int64()).cast(kind), count)


def _cuts_of(datastream: NDArray[np.int32]) -> Cuts:
    starts = np.concatenate(([0], np.flatnonzero(np.diff(datastream)) + 1))
    return Cuts(datastream[starts].astype(np.int64), np.append(starts, len(datastream)))


_FEW, _KEPT = 1024, 1 << 16
_LATE = int(np.iinfo(np.int64).max)
_UNKNOWN: dict[str, tuple[float, float]] = {
    "result": (-np.inf, np.inf),
    "result_quality": (-128, 127),
    "feature": (0, _LATE),
}
"""The columns that `Ranges` are of, and from where to where one may reach of which nothing is known."""


def _whole(value: Any) -> int:  # noqa: ANN401 -- pyarrow has no types
    return int(value)
