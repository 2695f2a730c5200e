"""Rows of a server as pandas and polars frames, and as an xarray Dataset that reads when it is used.

The libraries are imported when they are asked for. A Dataset is of one moment: what comes to the server later does not
show in it, whenever its values are read.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import ConfigError, LinkError
from nilometer.netcdf import FLAGS, measured, safe_name

__all__ = ["FrameCalls"]

_COLUMNS: Final = ("result", "result_quality", "result_uncertainty")
_KEPT_CHUNKS: Final = 8
CHUNK_ROWS: Final = 100_000


class FrameCalls:
    """Rows as frames, over the calls of a client."""

    def read(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> pa.Table:  # noqa: ANN401, D102 -- the client's
        raise NotImplementedError

    def datastream(self, name: str | int, **query: str | int) -> dict[str, Any]:  # noqa: D102 -- the client's
        raise NotImplementedError

    def status(self) -> dict[str, Any]:  # noqa: D102 -- the client's
        raise NotImplementedError

    def pandas(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> Any:  # noqa: ANN401 -- a DataFrame
        """Return the rows of a Datastream as a pandas DataFrame, indexed by time.

        Parameters
        ----------
        datastream : str or int
            Key or id.
        start, end : str, optional
            ISO 8601; start inclusive, end exclusive.
        **query
            ``as_of``, ``columns``, ``samples``, ``max_points``.

        Returns
        -------
        pandas.DataFrame
            Its ``attrs`` tell the Datastream, its unit and observed property, and ``as_of``.

        Raises
        ------
        ConfigError
            If pandas is not installed.
        """
        _library("pandas")
        moment = self._moment(query)
        frame = self._rows(datastream, start, end, moment, query).to_pandas().set_index("phenomenon_time")
        frame.attrs = self._told(datastream, moment)
        return frame

    def polars(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> Any:  # noqa: ANN401 -- a DataFrame
        """Return the rows of a Datastream as a polars DataFrame, with ``phenomenon_time`` first; as `pandas`."""
        polars = _library("polars")
        return polars.from_arrow(self._rows(datastream, start, end, self._moment(query), query))

    def xarray(
        self,
        datastreams: str | int | Sequence[str | int],
        start: str | None = None,
        end: str | None = None,
        *,
        as_of: str | None = None,
        chunk_rows: int = CHUNK_ROWS,
    ) -> Any:  # noqa: ANN401 -- a Dataset
        """Return Datastreams as an xarray Dataset; values are read when they are used, some rows at a time.

        Parameters
        ----------
        datastreams : str, int, or sequence of such
            Keys or ids.
        start, end : str, optional
            ISO 8601; start inclusive, end exclusive.
        as_of : str, optional
            A past moment; None: that of the call, in whole seconds.
        chunk_rows : int
            How many rows are read at a time.

        Returns
        -------
        xarray.Dataset
            For each Datastream its result, ``…_qartod_rollup`` and ``…_uncertainty`` over ``…_time``; with dask
            installed ``.chunk()`` makes dask arrays of them. The attribute ``as_of`` is the moment.

        Raises
        ------
        ConfigError
            If xarray is not installed.
        LinkError
            If the server does not answer, now or when values are read.
        """
        xarray = _library("xarray")
        moment = self._moment({"as_of": as_of})
        wanted = [datastreams] if isinstance(datastreams, str | int) else list(datastreams)
        variables: dict[str, Any] = {}
        for one in wanted:
            variables |= self._lazy(xarray, one, start, end, moment, chunk_rows)
        return xarray.Dataset(variables, attrs={"as_of": moment, "source": "nilometer"})

    def _lazy(
        self,
        xarray: Any,  # noqa: ANN401 -- a module
        datastream: str | int,
        start: str | None,
        end: str | None,
        moment: str,
        chunk_rows: int,
    ) -> dict[str, Any]:
        about = self.datastream(datastream)
        name = safe_name(about["key"])
        times = self.read(datastream, start, end, as_of=moment, columns="phenomenon_time")["phenomenon_time"]
        moments: NDArray[np.int64] = times.cast(pa.int64()).to_numpy()
        read = partial(self.read, datastream, as_of=moment, columns=",".join(_COLUMNS))
        chunks = _Chunks(read, moments, chunk_rows)
        dim = f"{name}_time"
        empty = np.zeros(0)
        values = measured(name, empty, about["unit"], about["property"]).attributes
        beside = {"ancillary_variables": f"{name}_qartod_rollup {name}_uncertainty"}
        spread = {"long_name": "combined standard uncertainty (k = 1)", "units": values["units"]}
        flags = {"standard_name": "aggregate_quality_flag", **FLAGS}
        made = {dim: (dim, moments.view("datetime64[us]").astype("datetime64[ns]"), {"standard_name": "time"})}
        for column, shown, kind, attributes in (
            ("result", name, np.float64, {key: value for key, value in values.items() if value is not None} | beside),
            ("result_quality", f"{name}_qartod_rollup", np.int8, flags),
            ("result_uncertainty", f"{name}_uncertainty", np.float32, spread),
        ):
            lazy = _lazy_array(xarray, chunks, column, np.dtype(kind))
            made[shown] = xarray.Variable((dim,), lazy, attributes)
        return made

    def _rows(
        self, datastream: str | int, start: str | None, end: str | None, moment: str, query: Mapping[str, Any]
    ) -> pa.Table:
        columns = "phenomenon_time," + str(query.get("columns", ",".join(_COLUMNS)))
        return self.read(datastream, start, end, **{**query, "columns": columns, "as_of": moment})

    def _moment(self, query: Mapping[str, Any]) -> str:
        """Return the moment that was asked for, or the present of the server."""
        if query.get("as_of") is not None:
            return str(query["as_of"])
        now = datetime.fromtimestamp(self.status()["now"] / 1000, UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _told(self, datastream: str | int, moment: str) -> dict[str, Any]:
        about = self.datastream(datastream)
        told = {"datastream": about["key"], "unit": about["unit"], "observed_property": about["property"]}
        return told | {"as_of": moment}


class _Chunks:
    """The rows of a Datastream, some at a time; the last few are kept.

    A chunk begins where a time begins: it can be asked for by its times.
    """

    def __init__(self, read: Any, moments: NDArray[np.int64], rows: int) -> None:  # noqa: ANN401 -- the client's read
        self._read, self._moments = read, moments
        places = np.arange(0, len(moments), max(1, rows))
        self._edges = np.append(np.unique(np.searchsorted(moments, moments[places])), len(moments))
        self._kept: dict[int, pa.Table] = {}

    def __len__(self) -> int:
        return len(self._moments)

    def take(self, column: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return a column of some rows."""
        owner = np.searchsorted(self._edges, rows, "right") - 1
        parts = np.empty(len(rows))
        for chunk in np.unique(owner).tolist():
            mine = owner == chunk
            values = self._chunk(chunk)[column].to_numpy(zero_copy_only=False)
            parts[mine] = values[rows[mine] - self._edges[chunk]]
        return parts

    def _chunk(self, number: int) -> pa.Table:
        known = self._kept.pop(number, None)
        if known is None:
            first, last = self._moments[self._edges[number]], self._moments[self._edges[number + 1] - 1]
            known = self._read(_iso(first), _iso(last + 1))
            expected = self._edges[number + 1] - self._edges[number]
            if len(known) != expected:
                raise LinkError(f"{len(known)} rows came where {expected} were: the server's past has changed")
        self._kept[number] = known
        if len(self._kept) > _KEPT_CHUNKS:
            del self._kept[next(iter(self._kept))]
        return known


def _iso(moment: Any) -> str:  # noqa: ANN401 -- an integer of NumPy
    return str(np.datetime_as_string(np.datetime64(int(moment), "us"), unit="us", timezone="UTC"))


def _lazy_array(xarray: Any, chunks: _Chunks, column: str, kind: np.dtype[Any]) -> Any:  # noqa: ANN401 -- xarray has no types here
    """Return a column as what xarray reads from when it has to."""
    indexing = importlib.import_module("xarray.core.indexing")

    class Lazy(xarray.backends.BackendArray):  # type: ignore[misc]
        def __init__(self) -> None:
            self.shape, self.dtype = (len(chunks),), kind

        def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 -- an indexer
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._get)

        def _get(self, key: tuple[Any, ...]) -> Any:  # noqa: ANN401 -- an array or a number
            rows = np.arange(len(chunks))[key[0]]
            values = chunks.take(column, np.atleast_1d(rows)).astype(kind)
            return values if np.ndim(rows) else values[0]

    return indexing.LazilyIndexedArray(Lazy())


def _library(name: str) -> Any:  # noqa: ANN401 -- a module
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(name, reason="is not installed", allowed="pip install nilometer[dataframes]") from error
