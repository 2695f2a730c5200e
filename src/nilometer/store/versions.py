"""Every version of rows: the current ones and all that were superseded, each with the commit that ended it.

The lake holds the current rows and, in another table, those that ended before the last seal; the hot tail holds what
came since, and hides rows of the lake behind masks and tombstones. Nothing is found twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model.schemas import REVISION
from nilometer.store.hot import LIVE
from nilometer.store.lake_file import LakeFile
from nilometer.store.masks import REPLACED
from nilometer.store.query import Query
from nilometer.store.view import View

__all__ = ["versions"]

_NEEDED = ("id", "datastream", "phenomenon_time", "commit", "superseded_commit")


def versions(view: View, wanted: Query, columns: Sequence[str], ids: NDArray[np.int64] | None) -> pa.Table:
    """Return all versions of the rows that are meant, sorted by (id, commit), the last of one commit last.

    Parameters
    ----------
    view : View
        What is seen; as of an earlier commit a version ends only where it had ended.
    wanted : Query
        Datastreams and a time range; a version counts by the time that it says.
    columns : sequence of str
        Of REVISION; `superseded_commit` is the largest int64 for the current version.
    ids : ndarray of int64, ascending, optional
        Only versions of these rows.

    Raises
    ------
    StoreError
        If a file of the lake cannot be read.
    """
    names, commit = list(dict.fromkeys((*_NEEDED, *columns))), view.commit
    parts = [part for part in _parts(view, wanted, names, ids) if part.num_rows]
    schema = pa.schema([REVISION.field(name) for name in names])
    table = pa.concat_tables([part.select(names) for part in parts]) if parts else schema.empty_table()
    if commit is not None:
        ended = table["superseded_commit"].to_numpy()
        known = np.where(ended > commit, LIVE, ended)
        place = table.schema.get_field_index("superseded_commit")
        table = table.set_column(place, REVISION.field("superseded_commit"), pa.array(known))
        table = table.filter(pa.array(table["commit"].to_numpy() <= commit))
    order = np.lexsort((table["superseded_commit"].to_numpy(), table["commit"].to_numpy(), table["id"].to_numpy()))
    return table.take(pa.array(order)).select(list(columns))


def _parts(view: View, wanted: Query, names: list[str], ids: NDArray[np.int64] | None) -> Iterator[pa.Table]:
    for file in view.revisions:
        if file.may_hold(wanted):
            table = _of(file, wanted, names, ids)
            # What ended after the lake's sequence is still found in the hot tail or behind a mask.
            yield table.filter(pa.array(table["superseded_commit"].to_numpy() <= view.lake_sequence))
    for file in view.files:
        if file.may_hold(wanted):
            current = [name for name in names if name != "superseded_commit"]
            yield _with_ends(view, _of(file, wanted, current, ids))
    for segment, n in view.segments.values():
        mask = wanted.mask(segment.columns["datastream"][:n], segment.columns["phenomenon_time"][:n])
        if ids is not None:
            mask &= np.isin(segment.columns["id"][:n], ids)
        table = segment.table(np.flatnonzero(mask), names)
        place = table.schema.get_field_index("superseded_commit")
        ended = pc.fill_null(table["superseded_commit"], LIVE)
        yield table.set_column(place, REVISION.field("superseded_commit"), ended)


def _of(file: LakeFile, wanted: Query, names: list[str], ids: NDArray[np.int64] | None) -> pa.Table:
    groups = file.groups(wanted)
    if ids is not None:
        low = np.searchsorted(ids, file.blocks.lowest_id[groups])
        high = np.searchsorted(ids, file.blocks.highest_id[groups], "right")
        groups = groups[high > low]
    table = file.read(groups, names)
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    mask = wanted.mask(table["datastream"].to_numpy(), time)
    if ids is not None:
        mask &= np.isin(table["id"].to_numpy(), ids)
    return table if mask.all() else table.filter(pa.array(mask))


def _with_ends(view: View, table: pa.Table) -> pa.Table:
    """Add the commit that hid each row of the lake; rows that live on in the hot tail are left out."""
    ended = view.masks.ended(table["id"].to_numpy(), LIVE)
    stays = ended != REPLACED
    datastream = table["datastream"].to_numpy()
    time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
    ended = view.tombstones.ended(datastream, time, table["commit"].to_numpy(), table["id"].to_numpy(), ended)
    table = table.append_column(REVISION.field("superseded_commit"), pa.array(ended))
    return table if stays.all() else table.filter(pa.array(stays))
