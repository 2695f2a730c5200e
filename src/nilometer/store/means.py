"""Any mean that a standard asks for, formed of rollups; the flow-weighted one is in `flow_means`.

Doubt is not deletion: SUSPECT enters unless it is left out, FAIL and MISSING never do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.model.schemas import ROLLUP
from nilometer.periods import means
from nilometer.periods.means import BELOW, MEANS, Below, Mean

__all__ = ["BELOW", "MEANS", "Below", "Mean", "mean", "mean_uncertainty", "total"]


def mean(
    rollups: pa.Table, kind: Mean = "arithmetic", *, below: Below = "half", without_suspect: bool = False
) -> NDArray[np.float64]:
    """Return the mean of each span of rollups.

    Parameters
    ----------
    rollups : pyarrow.Table
        Columns of ROLLUP, made for this kind of mean.
    kind : {"arithmetic", "hydrogen_ion", "circular"}
        −log10 of the mean of 10^−x for pH; the direction of the mean vector, 0 ≤ d < 360, for degrees.
    below : {"half", "limit", "zero"}
        What stands for a value below the detection limit in an arithmetic mean. In the other two the limit does: half
        a pH or half a direction has no meaning.
    without_suspect : bool
        Leave SUSPECT out.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where nothing enters, and where directions cancel.

    Raises
    ------
    ConfigError
        If the rollups were made for another kind of mean.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from nilometer.store.rollups import roll_up
    >>> rows = pa.table(
    ...     {
    ...         "phenomenon_time": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
    ...         "result": [4.0, 6.0, 2.0],
    ...         "result_quality": pa.array([1, 3, 1], pa.int8()),
    ...         "censored": pa.array([None, None, -1], pa.int8()),
    ...     }
    ... )
    >>> hours = roll_up(1, rows, np.array([0, 3_600_000_000]))
    >>> [mean(hours, below=one).item() for one in ("half", "zero")], mean(hours, without_suspect=True).item()
    ([3.6666666666666665, 3.3333333333333335], 2.5)
    """
    n = _sum(rollups, "n", without_suspect)
    if kind == "arithmetic":
        limits = _sum(rollups, "sum_below", without_suspect)
        return means.arithmetic(_sum(rollups, "sum", without_suspect), limits, n, below)
    if kind == "hydrogen_ion":
        return means.hydrogen_ion(_of_kind(rollups, "sum_h", kind, without_suspect), n)
    sines, cosines = (_of_kind(rollups, name, kind, without_suspect) for name in ("sum_sin", "sum_cos"))
    return means.circular(sines, cosines, n)


def mean_uncertainty(
    rollups: pa.Table, kind: Mean = "arithmetic", *, without_suspect: bool = False
) -> NDArray[np.float64]:
    """Return the standard uncertainty (k = 1) of the mean of each span.

    What the rows of a Datastream have in common, their calibration above all, does not get less by averaging: it is
    taken as fully correlated. What each has for itself does. Noise of the water is no uncertainty of its mean.

    Parameters
    ----------
    rollups : pyarrow.Table
        Columns of ROLLUP, made for this kind of mean.
    kind : {"arithmetic", "hydrogen_ion", "circular"}
        As in `mean`.
    without_suspect : bool
        Leave SUSPECT out.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN (not known) where it is not of every row that enters, or one of them is censored, and for a direction.

    References
    ----------
    JCGM 100:2008, eq. 16: u² = (Σ wᵢ u_common,ᵢ)² + Σ wᵢ² u_own,ᵢ², with wᵢ = 1/n, and for pH hᵢ/Σh, h = 10^−pH.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from nilometer.store.rollups import roll_up
    >>> rows = pa.table(
    ...     {
    ...         "phenomenon_time": pa.array([0, 1], pa.timestamp("us", "UTC")),
    ...         "result": [4.0, 6.0],
    ...         "result_quality": pa.array([1, 1], pa.int8()),
    ...         "censored": pa.array([None, None], pa.int8()),
    ...         "result_uncertainty": pa.array([0.5, 0.5], pa.float32()),
    ...         "provenance": pa.array([1, 1], pa.int32()),
    ...     }
    ... )
    >>> hour = np.array([0, 3_600_000_000])
    >>> [round(mean_uncertainty(roll_up(1, rows, hour, own=own)).item(), 3) for own in (None, lambda way: 0.4)]
    [0.5, 0.412]
    """
    n, known = (_sum(rollups, name, without_suspect) for name in ("n", "n_u"))
    if kind == "circular":
        return np.full(len(n), np.nan)
    weight = n if kind == "arithmetic" else _of_kind(rollups, "sum_h", kind, without_suspect)
    common, own = (_sum(rollups, name, without_suspect) for name in ("sum_u", "sum_r2"))
    return means.uncertainty(n, known, weight, common, own)


def total(rollups: pa.Table) -> pa.Table:
    """Return several spans of one Datastream as one, from the start of the first to the end of the last.

    Parameters
    ----------
    rollups : pyarrow.Table
        Columns of ROLLUP, in order of time: the hours of a day, the days of a month.

    Returns
    -------
    pyarrow.Table
        One row; none when there was none.
    """
    if not rollups.num_rows:
        return rollups
    one: dict[str, Any] = {
        "datastream": rollups["datastream"][0],
        "start": rollups["start"][0],
        "end": rollups["end"][-1],
    }
    for name in ROLLUP.names:
        if name not in one and not name.startswith(_ENDS):
            one[name] = pc.sum(rollups[name])
    for name, place in _ends(rollups).items():
        for column in (name, f"{name}_time"):
            one[column] = pa.scalar(None, ROLLUP.field(column).type) if place is None else rollups[column][place]
    arrays = [pa.array([one[field.name].as_py()], field.type) for field in ROLLUP]
    return pa.Table.from_arrays(arrays, schema=ROLLUP)


_ENDS = ("min", "max", "first", "last", "lowest", "highest")


def _ends(rollups: pa.Table) -> dict[str, int | None]:
    """Return in which span each extreme and end lies, of equal ones in the first."""
    found: dict[str, int | None] = {}
    for name in _ENDS:
        there = np.flatnonzero(rollups[name].is_valid().to_numpy())
        values = rollups[name].to_numpy()[there]
        if not len(there):
            found[name] = None
        elif name in {"min", "lowest"}:
            found[name] = int(there[np.argmin(values)])
        elif name in {"max", "highest"}:
            found[name] = int(there[np.argmax(values)])
        else:
            found[name] = int(there[0 if name == "first" else -1])
    return found


def _sum(rollups: pa.Table, name: str, without_suspect: bool) -> NDArray[np.float64]:  # noqa: FBT001 -- ours alone
    found: NDArray[np.float64] = rollups[f"{name}_good"].to_numpy().astype(np.float64)
    if not without_suspect:
        found = found + rollups[f"{name}_suspect"].to_numpy()
    return found


def _of_kind(rollups: pa.Table, name: str, kind: str, without_suspect: bool) -> NDArray[np.float64]:  # noqa: FBT001
    if rollups.num_rows and rollups[f"{name}_good"].null_count:
        raise ConfigError("mean", seen=kind, reason=f"these rollups have no {name}; make them with mean={kind!r}")
    return _sum(rollups, name, without_suspect)
