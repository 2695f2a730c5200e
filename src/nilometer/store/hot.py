"""The hot tail: what was acknowledged and is not sealed, as columns in memory.

Rows lie in segments in arrival order and never move within one. A row is hidden, not removed: `superseded` holds the
commit that ended it, so that a reader of an earlier sequence still sees it. Settling writes a row's flags in place.
Nothing here is one Python object per row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model import NO_TIME, Settlements
from nilometer.model.schemas import JOURNAL, OBSERVATION, REVISION

__all__ = ["CAPACITY", "LIVE", "HotTail", "Segment"]

CAPACITY = 1 << 17
"""Rows of a segment; a row's location is segment number × CAPACITY + its place."""

FEW = 256
"""Up to so many strings are looked up one by one: Arrow's set-up costs more."""

LIVE = int(np.iinfo(np.int64).max)
"""The `superseded` of a row that nothing has ended."""

_ALWAYS: dict[str, type] = {
    "id": np.int64,
    "datastream": np.int32,
    "feature": np.int32,
    "phenomenon_time": np.int64,
    "result": np.float64,
    "result_quality": np.int8,
    "provenance": np.int32,
    "commit": np.int64,
}
# Made in a segment when the first row needs them; until then every row has the value that means absent.
_SELDOM: dict[str, tuple[type, Any]] = {
    "duration": (np.int64, 0),
    "raw_result": (np.float64, np.nan),
    "result_uncertainty": (np.float32, np.nan),
    "censored": (np.int8, 0),
    "depth": (np.float64, np.nan),
    "latitude": (np.float64, np.nan),
    "longitude": (np.float64, np.nan),
    "result_time": (np.int64, NO_TIME),
    "superseded": (np.int64, LIVE),
}
_WORDS = ("mark", "tests")


class Words:
    """The few distinct strings of a column, as codes; -1 is null."""

    def __init__(self, capacity: int) -> None:
        self.codes = np.full(capacity, -1, np.int32)
        self.words: list[str] = []
        self._known: dict[str, int] = {}

    def encode(self, column: pa.Array) -> NDArray[np.int32]:
        """Return the codes of strings, learning new ones."""
        if len(column) <= FEW:
            return np.array([-1 if word is None else self._code(word) for word in column.to_pylist()], np.int32)
        encoded = column.dictionary_encode() if not pa.types.is_dictionary(column.type) else column
        table = np.empty(len(encoded.dictionary) + 1, np.int32)
        for position, word in enumerate(encoded.dictionary.to_pylist()):
            table[position] = self._code(word)
        table[-1] = -1
        indices = encoded.indices.fill_null(len(table) - 1).to_numpy()
        found: NDArray[np.int32] = table[indices]
        return found

    def _code(self, word: str) -> int:
        code = self._known.get(word)
        if code is None:
            code = self._known[word] = len(self.words)
            self.words.append(word)
        return code

    def decode(self, codes: NDArray[np.int32]) -> pa.Array:
        """Return the strings of codes."""
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, pa.int32(), mask=codes < 0), pa.array(self.words, pa.string())
        ).cast(pa.string())


class Segment:
    """Rows in arrival order; columns are arrays of `CAPACITY` of which the first `n` are rows."""

    def __init__(self, number: int, capacity: int = CAPACITY) -> None:
        self.number, self.capacity, self.n = number, capacity, 0
        self.columns: dict[str, NDArray[Any]] = {name: np.empty(capacity, kind) for name, kind in _ALWAYS.items()}
        self.words: dict[str, Words] = {}
        self.extra: list[tuple[int, pa.Array]] = []
        self.earliest, self.latest = LIVE, NO_TIME

    def append(self, rows: pa.RecordBatch, commit: int) -> None:
        """Copy rows, of any of the columns of schema JOURNAL, behind those that are there."""
        start, stop = self.n, self.n + rows.num_rows
        for position, name in enumerate(rows.schema.names):
            column = rows.column(position)
            if name in _ALWAYS:
                self.columns[name][start:stop] = _plain(name, column)
            elif name in _SELDOM:
                if column.null_count < len(column):
                    self.column(name)[start:stop] = _plain(name, column)
            elif name in _WORDS:
                if column.null_count < len(column):
                    words = self._words(name)
                    words.codes[start:stop] = words.encode(column)
            elif name == "extra" and column.null_count < len(column):
                self.extra.append((start, column))
        if "commit" not in rows.schema.names:
            self.columns["commit"][start:stop] = commit
        if "result" not in rows.schema.names:
            self.columns["result"][start:stop] = np.nan
        time = self.columns["phenomenon_time"][start:stop]
        self.earliest, self.latest = min(self.earliest, int(time.min())), max(self.latest, int(time.max()))
        self.n = stop

    def column(self, name: str) -> NDArray[Any]:
        """Return a column to write to, made on first use."""
        found = self.columns.get(name)
        if found is None:
            kind, absent = _SELDOM[name]
            found = np.full(self.capacity, absent, kind)
            self.columns[name] = found
        return found

    def settle(self, rows: NDArray[np.int64], settled: Settlements, which: NDArray[np.int64]) -> None:
        """Write the flags of settlements `which` to `rows`."""
        self.columns["result_quality"][rows] = settled.result_quality[which]
        words = self._words("tests")
        tests = settled.tests if len(which) == len(settled) else settled.tests.take(pa.array(which))
        words.codes[rows] = words.encode(tests)

    def table(self, rows: NDArray[np.int64], names: Iterable[str]) -> pa.Table:
        """Return columns of rows, as the lake has them; `superseded_commit` is the column `superseded`."""
        wanted = list(names)
        schema = pa.schema([REVISION.field(name) for name in wanted])
        return pa.Table.from_arrays([self._arrow(name, rows) for name in wanted], schema=schema)

    def speaking(self) -> set[str]:
        """Return the columns in which some row may say something."""
        names = {*self.columns, *self.words} | ({"extra"} if self.extra else set())
        return (names - {"superseded"}) | {"duration", "superseded_commit"}

    def live(self, n: int, sequence: int) -> NDArray[np.bool_] | None:
        """Return which of the first n rows nothing had ended at `sequence`; None: all."""
        superseded = self.columns.get("superseded")
        return None if superseded is None else superseded[:n] > sequence

    def _words(self, name: str) -> Words:
        found = self.words.get(name)
        if found is None:
            found = self.words[name] = Words(self.capacity)
        return found

    def _arrow(self, name: str, rows: NDArray[np.int64]) -> pa.Array:
        if name in _WORDS:
            words = self.words.get(name)
            return pa.nulls(len(rows), pa.string()) if words is None else words.decode(words.codes[rows])
        if name == "extra":
            return self._extra(rows)
        kind = REVISION.field(name).type
        column = self.columns.get("superseded" if name == "superseded_commit" else name)
        if column is None:
            if name == "duration":
                return pa.repeat(pa.scalar(0, kind), len(rows))
            return pa.nulls(len(rows), kind)
        return _arrow(name, column[rows], kind)

    def _extra(self, rows: NDArray[np.int64]) -> pa.Array:
        extra = list(self.extra)
        if not extra or not len(rows):
            return pa.nulls(len(rows), pa.string())
        starts = np.array([start for start, _ in extra], np.int64)
        lengths = np.array([len(chunk) for _, chunk in extra], np.int64)
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        chunk = np.searchsorted(starts, rows, "right") - 1
        inside = (chunk >= 0) & (rows < starts[chunk] + lengths[chunk])
        position = np.where(inside, offsets[chunk] + rows - starts[chunk], 0)
        whole = pa.concat_arrays([chunk for _, chunk in extra])
        return whole.take(pa.array(position, mask=~inside))


class HotTail:
    """The segments, in arrival order."""

    def __init__(self) -> None:
        self.segments: dict[int, Segment] = {}
        self._next = 0

    @property
    def rows(self) -> int:
        """How many rows are hot, hidden ones included."""
        return sum(segment.n for segment in self.segments.values())

    def append(self, rows: pa.RecordBatch, commit: int) -> NDArray[np.int64]:
        """Add rows and return their locations."""
        locations = []
        done, n = 0, rows.num_rows
        while done < n:
            segment = self._open()
            count = min(n - done, segment.capacity - segment.n)
            start = segment.number * CAPACITY + segment.n
            segment.append(rows.slice(done, count), commit)
            locations.append(np.arange(start, start + count, dtype=np.int64))
            done += count
        return np.concatenate(locations) if locations else np.empty(0, np.int64)

    def freeze(self) -> list[Segment]:
        """Return all segments and write to none of them again but for flags and ends."""
        frozen = list(self.segments.values())
        for segment in frozen:
            segment.capacity = segment.n
        return frozen

    def parts(self, locations: NDArray[np.int64]) -> Iterator[tuple[Segment, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield each segment named by locations with the rows in it and their places in `locations`."""
        numbers = locations // CAPACITY
        for number in np.unique(numbers[locations >= 0]):
            which = np.flatnonzero(numbers == number)
            yield self.segments[int(number)], locations[which] % CAPACITY, which

    def column(self, name: str, locations: NDArray[np.int64]) -> NDArray[Any]:
        """Return one column of rows by location."""
        kind = _ALWAYS[name] if name in _ALWAYS else _SELDOM[name][0]
        found: NDArray[Any] = np.full(len(locations), _SELDOM[name][1] if name in _SELDOM else 0, kind)
        for segment, rows, which in self.parts(locations):
            column = segment.columns.get(name)
            if column is not None:
                found[which] = column[rows]
        return found

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the locations of all live rows that have one of these ids, in arrival order."""
        wanted = np.unique(ids)
        found = []
        for segment in self.segments.values():
            rows = _rows_of(segment.columns["id"][: segment.n], wanted)
            live = segment.live(segment.n, LIVE - 1)
            if live is not None:
                rows = rows[live[rows]]
            found.append(rows + segment.number * CAPACITY)
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def end(self, locations: NDArray[np.int64], commits: NDArray[np.int64]) -> None:
        """Hide rows from a commit on."""
        for segment, rows, which in self.parts(locations):
            segment.column("superseded")[rows] = commits[which]

    def settle(self, locations: NDArray[np.int64], settled: Settlements) -> None:
        """Write flags to rows; the i-th settlement is of the row at `locations[i]`, or of none when negative."""
        for segment, rows, which in self.parts(locations):
            segment.settle(rows, settled, which)

    @property
    def next_number(self) -> int:
        """The number of the next segment."""
        return self._next

    def exchange(self, gone: Iterable[Segment], kept: HotTail) -> None:
        """Forget segments; those of another tail come before all others, with the next numbers."""
        left = [segment for segment in self.segments.values() if segment not in list(gone)]
        numbered = {self._next + number: segment for number, segment in kept.segments.items()}
        segments = numbered | {segment.number: segment for segment in left}
        for number, segment in numbered.items():
            segment.number = number
        self._next += len(numbered)
        self.segments = segments

    def _open(self) -> Segment:
        if self.segments:
            last = self.segments[next(reversed(self.segments))]
            if last.n < last.capacity:
                return last
        segment = Segment(self._next)
        self._next += 1
        self.segments[segment.number] = segment
        return segment


def journal_table(segments: Iterable[tuple[Segment, NDArray[np.int64]]]) -> pa.RecordBatch:
    """Return rows of segments in schema JOURNAL, as the first of their kind: `supersedes` is false."""
    parts = [segment.table(rows, OBSERVATION.names) for segment, rows in segments if len(rows)]
    table = pa.concat_tables(parts) if parts else OBSERVATION.empty_table()
    table = table.append_column("supersedes", pa.repeat(pa.scalar(value=False), table.num_rows))
    combined = table.cast(JOURNAL).combine_chunks().to_batches()
    return combined[0] if combined else pa.RecordBatch.from_pylist([], schema=JOURNAL)


def _rows_of(column: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(wanted) <= 4:
        hits = [np.flatnonzero(column == value) for value in wanted]
        return np.sort(np.concatenate(hits)) if hits else np.empty(0, np.int64)
    place = np.searchsorted(wanted, column)
    place[place == len(wanted)] = 0
    return np.flatnonzero(wanted[place] == column)


def _plain(name: str, column: pa.Array) -> NDArray[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    if column.null_count and name in {"result_time", "censored", "duration"}:
        column = pc.fill_null(column, _SELDOM[name][1])
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _arrow(name: str, values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if values.dtype.kind == "f":
        return pa.array(values, kind, mask=np.isnan(values))
    if name == "result_time":
        return pa.array(values, pa.int64(), mask=values == NO_TIME).cast(kind)
    if name == "censored":
        return pa.array(values, kind, mask=values == 0)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)
