"""Whether the files of the lake are all there and whole; only read, never mended.

What a look at names and sizes finds is found before a store is opened; footers and, when asked, every value are looked
at by the doctor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError
from numpy.typing import NDArray

from nilometer.errors import StoreError
from nilometer.model import QartodFlag
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.folder import Folder
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_home import LakeHome
from nilometer.store.refusal import refusal

__all__ = ["check_lake", "deep_faults", "footer_fault", "presence_faults", "tables_of"]

_NAMED = 5
_FLAGS = np.array([int(flag) for flag in QartodFlag])
_KEYS = ("datastream", "phenomenon_time", "id")


def tables_of(home: LakeHome) -> tuple[LakeTable, LakeTable] | None:
    """Open both tables of a lake that is there; None when there is none yet.

    Raises
    ------
    StoreError
        If one of them is missing where the other holds data, or cannot be read.
    """
    places = (home.observations, home.revisions)
    try:
        there = [place.has_table() for place in places]
    except (DeltaError, OSError) as error:
        raise refusal(error, "read the lake", path=str(home.observations)) from error
    if not any(there):
        return None
    if not all(there):
        missing = places[there.index(False)]
        other = LakeTable(home.revisions, REVISION) if there[1] else LakeTable(home.observations, OBSERVATION)
        if other.files or other.sequence:
            raise StoreError(
                f"{missing} is missing, where {other.place.name} holds {sum(file.rows for file in other.files)} rows: "
                "put it back from a backup; nothing was changed"
            )
        return None
    return home.tables()


def check_lake(folder: Folder, home: LakeHome) -> int:
    """Return the journal sequence that the lake has reached; refuse one that lacks a file, before anything is changed.

    Raises
    ------
    StoreError
        With the first file, and how many more there are.
    """
    tables = tables_of(home)
    if tables is None:
        if (folder.state / "index.state").exists():
            raise StoreError(
                f"the lake {home.observations} is missing, and rows were sealed: put it back from a backup; "
                "nothing was changed"
            )
        return 0
    faults = [fault for table in tables for fault in presence_faults(table).values()]
    if faults:
        more = f"; {len(faults) - 1} more are not as they were written" if len(faults) > 1 else ""
        raise StoreError(f"{faults[0]}{more}; nothing was changed (nilometer doctor --data {folder.path} names all)")
    return tables[0].sequence


def presence_faults(table: LakeTable, names: Mapping[int, str] | None = None) -> dict[LakeFile, str]:
    """Say which files of a table are missing or have another size.

    Raises
    ------
    StoreError
        If what lies there cannot be listed.
    """
    try:
        lying = table.place.files()
    except (DeltaError, OSError) as error:
        raise refusal(error, "list the files of the lake", path=str(table.place)) from error
    faults = {}
    for file in table.files:
        path = table.place.at(file.path)
        if file.path not in lying:
            faults[file] = f"{path} is missing: {holds(file, names)}; put it back from a backup"
        elif lying[file.path].size != file.size:
            faults[file] = (
                f"{path} is damaged, {lying[file.path].size} bytes in place of {file.size}: {holds(file, names)}; "
                "put it back from a backup"
            )
    return faults


def footer_fault(file: LakeFile, names: Mapping[int, str] | None = None) -> str | None:
    """Say what is wrong with a file's footer: its rows, their order; None when all is well."""
    path = file.place.at(file.path)
    try:
        with file.place.reading(file.path, file.size) as source:
            pq.read_metadata(source)
        blocks = file.blocks
    except (StoreError, OSError, pa.ArrowException, AttributeError, KeyError) as error:
        return f"{path} is damaged, its footer cannot be read ({_line(error)}): {holds(file, names)}; {_MEND}"
    if int(blocks.rows.sum()) != file.rows:
        return f"{path} has {int(blocks.rows.sum())} rows in place of {file.rows}: {holds(file, names)}; {_MEND}"
    stray = (blocks.first[0], blocks.last[-1]) != (file.first, file.last)
    if stray or (np.diff(blocks.first) < 0).any() or (blocks.lowest_id >> 32 < file.first).any():
        return f"{path} is not in order of its Datastreams: {holds(file, names)}; {_MEND}"
    return None


def deep_faults(
    table: LakeTable, names: Mapping[int, str] | None = None, told: Callable[[int], None] = lambda _rows: None
) -> Iterator[str]:
    """Decode every value of a table, and say of each file what is wrong with it.

    Parameters
    ----------
    table : LakeTable
        Whose files are there.
    names : mapping of int to str, optional
        Keys of Datastreams.
    told : callable
        Told how many rows were read.
    """
    seen: dict[int, NDArray[np.bool_]] = {}
    is_current = table.schema.names == OBSERVATION.names
    for file in table.files:
        fault = _decode(file, table.schema.names, seen if is_current else None, told)
        if fault is not None:
            yield f"{file.place.at(file.path)} is damaged: {fault}; it holds {holds(file, names)}; {_MEND}"


_MEND = "put it back from a backup"


def _decode(
    file: LakeFile, columns: Sequence[str], seen: dict[int, NDArray[np.bool_]] | None, told: Callable[[int], None]
) -> str | None:
    last: tuple[int, ...] | None = None
    try:
        with (
            file.place.reading(file.path, file.size) as source,
            pq.ParquetFile(source, page_checksum_verification=True) as opened,
        ):
            for group in range(opened.num_row_groups):
                opened.read_row_group(group)
                rows = file.read([group], list(columns))
                fault = _wrong(rows, last, seen)
                if fault is not None:
                    return f"in row group {group} {fault}"
                last = tuple(int(rows[name].cast(pa.int64())[-1].as_py()) for name in _KEYS)
                told(rows.num_rows)
    except (StoreError, OSError, pa.ArrowException) as error:
        return _line(error)
    return None


def _wrong(rows: pa.Table, last: tuple[int, ...] | None, seen: dict[int, NDArray[np.bool_]] | None) -> str | None:
    datastream, time, number = (rows[name].cast(pa.int64()).to_numpy() for name in _KEYS)
    order = np.lexsort((number, time, datastream))
    if (np.diff(order) < 0).any() or (last is not None and last > (datastream[0], time[0], number[0])):
        return "rows are not in order of Datastream, time and id"
    if (number >> 32 != datastream).any():
        return "an id is not one of its Datastream"
    if not np.isin(rows["result_quality"].to_numpy(), _FLAGS).all():
        return "a flag is none of QARTOD's"
    if "superseded_commit" in rows.schema.names:
        ended = rows["superseded_commit"].to_numpy() <= rows["commit"].to_numpy()
        return "a row ended before it began" if ended.any() else None
    return _doubled(datastream, number & 0xFFFFFFFF, seen) if seen is not None else None


def _doubled(
    datastream: NDArray[np.int64], number: NDArray[np.int64], seen: dict[int, NDArray[np.bool_]]
) -> str | None:
    """Say that an id comes twice; a byte an id is remembered."""
    for one in np.unique(datastream):
        mine = number[datastream == one]
        known = seen.get(int(one), np.zeros(0, np.bool_))
        if int(mine.max()) >= len(known):
            known = np.concatenate((known, np.zeros(int(mine.max()) * 2 + 1 - len(known), np.bool_)))
            seen[int(one)] = known
        if known[mine].any() or len(np.unique(mine)) != len(mine):
            return f"an id of Datastream {one} comes a second time"
        known[mine] = True
    return None


def holds(file: LakeFile, names: Mapping[int, str] | None) -> str:
    """Say what a file holds: how many rows of which Datastreams, from when to when."""
    start, end = (np.datetime64(moment, "us").astype("datetime64[m]") for moment in (file.earliest, file.latest))
    return f"{file.rows} rows of {_named(file, names)}, {start}Z to {end}Z"


def _named(file: LakeFile, names: Mapping[int, str] | None) -> str:
    if file.first == file.last:
        return f"Datastream {(names or {}).get(file.first, file.first)}"
    inside = [names[number] for number in sorted(names) if file.first <= number <= file.last] if names else []
    if not inside:
        return f"Datastreams {file.first} to {file.last}"
    rest = f" and {len(inside) - _NAMED} more" if len(inside) > _NAMED else ""
    return f"Datastreams {', '.join(inside[:_NAMED])}{rest}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
