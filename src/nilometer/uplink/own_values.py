"""What an instrument itself said of the water: the only values that leave for an authority.

`OwnValues` can be made by `own_values` alone, which refuses row by row what is not that: values of simulated, replayed,
derived and manual Datastreams, of samples and standards, and what a review corrected, interpolated or moved in time. A
message for an authority is built of `OwnValues` and of nothing else, so nothing can get around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import Datastream, Origin
from nilometer.store import Catalog, Snapshot

__all__ = ["COLUMNS", "OwnValues", "own_values", "raw_unit_of", "read_own_values"]

COLUMNS: Final = (
    "id", "datastream", "feature", "phenomenon_time", "duration", "result", "raw_result", "censored", "mark",
    "provenance", "commit",
)  # fmt: skip
"""What `own_values` has to see of each row."""

_MAKER: Final = object()


@dataclass(frozen=True, slots=True, eq=False)
class OwnValues:
    """Rows as columns, sorted by (datastream, time): the instrument's own value, in its raw unit, and its own mark.

    Parameters
    ----------
    datastream : ndarray of int32, shape (n,)
        Ids.
    time, duration : ndarray of int64, shape (n,)
        µs since 1970 UTC; µs, 0 for an instant.
    value : ndarray of float64, shape (n,)
        The raw result, in the Datastream's raw unit; NaN where the instrument had none.
    scaled : ndarray of float64, shape (n,)
        The result, in the Datastream's unit: for instruments whose raw result is a current or a voltage alone.
    censored : ndarray of int8, shape (n,)
        -1 below, +1 above the measurable, else 0.
    mark : tuple of str or None
        Verbatim.
    id, commit : ndarray of int64, shape (n,)
        Of the rows.

    Raises
    ------
    TypeError
        If anybody but `own_values` makes one.
    """

    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    duration: NDArray[np.int64]
    value: NDArray[np.float64]
    scaled: NDArray[np.float64]
    censored: NDArray[np.int8]
    mark: tuple[str | None, ...]
    id: NDArray[np.int64]
    commit: NDArray[np.int64]
    maker: object = None

    def __post_init__(self) -> None:
        if self.maker is not _MAKER:
            raise TypeError("OwnValues are made by own_values(), which refuses what no instrument said of the water")
        for column in (*self._columns(), self.id, self.commit):
            column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.id)

    def of(self, datastream: int) -> OwnValues:
        """Return those of one Datastream."""
        first, last = np.searchsorted(self.datastream, [datastream, datastream + 1])
        return self.take(np.arange(first, last))

    def take(self, rows: NDArray[np.int64]) -> OwnValues:
        """Return some of them."""
        marks = tuple(self.mark[int(row)] for row in rows)
        return OwnValues(
            self.datastream[rows],
            self.time[rows],
            self.duration[rows],
            self.value[rows],
            self.scaled[rows],
            self.censored[rows],
            marks,
            self.id[rows],
            self.commit[rows],
            _MAKER,
        )

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.datastream, self.time, self.duration, self.value, self.scaled, self.censored


def own_values(table: pa.Table, catalog: Catalog) -> tuple[OwnValues, dict[str, int]]:
    """Return what may go to an authority, and how many rows may not, by reason.

    Parameters
    ----------
    table : pyarrow.Table
        Rows of the store with `COLUMNS`, sorted by (datastream, phenomenon_time).
    catalog : Catalog
        Says of what origin each Datastream is, what each feature is, and what a review did.

    Returns
    -------
    values : OwnValues
        May be empty.
    refused : dict of str to int
        ``sample``, ``simulated``, ``replayed``, ``derived``, ``manual``, ``corrected``: rows, each once.
    """
    datastream = table["datastream"].to_numpy()
    allowed = np.ones(len(datastream), bool)
    refused: dict[str, int] = {}

    def refuse(mask: NDArray[np.bool_], reason: str) -> None:
        now = allowed & mask
        if now.any():
            refused[reason] = refused.get(reason, 0) + int(now.sum())
            allowed[now] = False

    samples = np.array(sorted(catalog.sample_kinds()), np.int64)
    refuse(np.isin(table["feature"].to_numpy(), samples), "sample")
    for number in np.unique(datastream).tolist():
        origin = catalog.datastream(number).origin
        if origin is not Origin.INSTRUMENT:
            refuse(datastream == number, str(origin))
    if len(datastream):
        refuse(catalog.corrected(table["provenance"].to_numpy()), "corrected")
    rows = np.flatnonzero(allowed)
    table = table.take(pa.array(rows))
    result, raw = (table[name].to_numpy().astype(np.float64) for name in ("result", "raw_result"))
    values = OwnValues(
        datastream[rows].astype(np.int32),
        table["phenomenon_time"].cast(pa.int64()).to_numpy().copy(),
        table["duration"].to_numpy().astype(np.int64),
        np.where(np.isnan(raw), result, raw),  # the store leaves a raw result out where it equals the result
        result.copy(),
        np.nan_to_num(table["censored"].to_numpy().astype(np.float64)).astype(np.int8),
        tuple(table["mark"].to_pylist()),
        table["id"].to_numpy().astype(np.int64),
        table["commit"].to_numpy().astype(np.int64),
        _MAKER,
    )
    return values, refused


def read_own_values(
    snapshot: Snapshot, catalog: Catalog, datastreams: Sequence[int], start: int, end: int
) -> tuple[OwnValues, dict[str, int]]:
    """Return what may go to an authority of a time range, start inclusive, end exclusive, µs UTC; see `own_values`."""
    # Samples are asked for too, so that leaving them out is seen and counted here.
    return own_values(snapshot.read(datastreams, start, end, columns=COLUMNS, water_only=False), catalog)


def raw_unit_of(datastream: Datastream) -> str:
    """Return the unit of a Datastream's raw results."""
    ours = datastream.properties.get("nilometer")
    unit = ours.get("raw_unit") if isinstance(ours, Mapping) else None
    return str(unit) if unit else datastream.unit
