"""What a file holds: one time axis, value columns with their units and properties, and what stands beside them.

A format module gives a `Recording` and a ``FORMAT`` constant of type `FormatInfo`. A recording is as the file has it:
in its order, in its units, with its gaps; nothing is judged or converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.model.schemas import TIME

__all__ = ["SITES", "FormatInfo", "Recording", "RecordingColumn", "Wishes"]


# Names of columns, in lower case, that say where a row is from.
SITES = frozenset(
    {
        "site",
        "site_id",
        "siteid",
        "site name",
        "station",
        "station name",
        "station_id",
        "stationcode",
        "location",
        "depth",
    }
    | {"断面", "断面名称", "站点", "站点名称", "测站", "站名"}
    | {"monitoringlocationidentifier", "location_identifier", "site_no"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the caller says of a file, where its own words do not do.

    Parameters
    ----------
    time : str or sequence of str, optional
        The column that holds the times, or the two that hold date and time of day.
    time_zone : str, optional
        IANA name or offset (``+08:00``) of times that carry none; None: what the file says, else UTC.
    day_first : bool, optional
        Whether 03/04 is 3 April; None: what the rows themselves show.
    columns : sequence of str, optional
        Exactly these columns are values; None: every numeric column but qualifiers, corrections and record numbers.
    missing : sequence of str
        Words that stand for no value, beside the usual ones.
    date : str, optional
        The day (ISO 8601) of a log whose clock has no date.
    database : str, optional
        The database (a DBC file) of the bus whose frames the file holds.
    """

    time: str | Sequence[str] | None = None
    time_zone: str | None = None
    day_first: bool | None = None
    columns: Sequence[str] | None = None
    missing: Sequence[str] = ()
    date: str | None = None
    database: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatInfo:
    """One family of files.

    Parameters
    ----------
    name, title : str
        For ``--format`` and for lists.
    suffixes : tuple of str
        Of files that are probably of it, such as ``.csv``; a compression suffix may follow.
    sniff : callable
        Takes path and the first bytes, decompressed; returns 0 (certainly not) to 1 (certainly).
    read : callable
        Takes path and wishes, returns the recording, or raises `ReadError`.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path, bytes], float]
    read: Callable[[Path, Wishes], Recording]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingColumn:
    """One column of values.

    Parameters
    ----------
    name : str
        As the file has it, without its unit where that stood in it.
    values : ndarray of float64, shape (n,)
        NaN where there is no value.
    unit : str
        CF text.
    unit_from : str
        Where the unit comes from: ``name``, ``units row``, ``layout`` (a known file layout), ``file`` or ``assumed``.
    observed_property : str, optional
        Vocabulary key; None where the name tells none.
    censored : ndarray of int8, shape (n,), optional
        -1 where the file says ``<``, +1 where it says ``>``; the limit is the value.
    statistic : str
        What the logger made of its samples before it stored them, as a CF cell method: ``point``, ``mean``,
        ``minimum``, ``maximum``, ``sum``, ``median``, ``standard_deviation``; empty where the file does not say.
    """

    name: str
    values: NDArray[np.float64]
    unit: str
    unit_from: str = "assumed"
    observed_property: str | None = None
    censored: NDArray[np.int8] | None = None
    statistic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The content of one file.

    Parameters
    ----------
    path : Path
        The file.
    format : str
        The format it was read as.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC, in the file's order.
    columns : dict of str to RecordingColumn
        The values.
    aside : dict of str to pyarrow array of shape (n,)
        Text and number columns that are not values of an instrument: qualifiers, corrections, sites, positions.
    qualifies : dict of str to str
        Which columns of `aside` speak of which value column.
    metadata : dict of str to str
        What stood before the table, and what was found out. Always ``time column``, ``time zone`` (with what was
        assumed) and ``stamps`` (whether a time is an instant, or the start or the end of an interval); where the file
        tells them ``model``, ``serial number`` and ``station``.
    notes : tuple of str
        What a reader should know: what was assumed, left out or repaired.
    """

    path: Path
    format: str
    times: NDArray[np.int64]
    columns: dict[str, RecordingColumn]
    aside: dict[str, Any] = field(default_factory=dict)
    qualifies: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, name: str) -> RecordingColumn:
        """Return a value column by its name or its observed property.

        Raises
        ------
        ConfigError
            If there is none; the message has the near names.
        """
        if name in self.columns:
            return self.columns[name]
        for column in self.columns.values():
            if column.observed_property == name:
                return column
        raise ConfigError("column", seen=name, allowed=self.columns, file=self.path)

    @property
    def units(self) -> Mapping[str, str]:
        """CF units of the value columns by name."""
        return {name: column.unit for name, column in self.columns.items()}

    @property
    def properties(self) -> Mapping[str, str]:
        """Vocabulary keys of the value columns whose names told one."""
        return {name: c.observed_property for name, c in self.columns.items() if c.observed_property is not None}

    def only(self, name: str, value: str) -> Recording:
        """Return the rows whose column of `aside` holds a value: one site of a file of several.

        Raises
        ------
        ConfigError
            If there is no such column, or no such value in it.
        """
        if name not in self.aside:
            raise ConfigError("column", seen=name, allowed=self.aside, file=self.path)
        words = self.aside[name].cast(pa.string())
        kept = np.array([word == value for word in words.to_pylist()], bool)
        if not kept.any():
            raise ConfigError(name, seen=value, allowed=sorted({w for w in words.to_pylist() if w}), file=self.path)
        return self.taken(np.flatnonzero(kept))

    def taken(self, rows: NDArray[np.intp]) -> Recording:
        """Return the rows of the given positions, in that order."""
        columns = {
            name: replace(c, values=c.values[rows], censored=None if c.censored is None else c.censored[rows])
            for name, c in self.columns.items()
        }
        aside = {name: column.take(pa.array(rows)) for name, column in self.aside.items()}
        return replace(self, times=self.times[rows], columns=columns, aside=aside)

    def frame(self, *, by: str = "name") -> dict[str, NDArray[Any]]:
        """Return the values as a mapping of arrays, with ``time`` (datetime64[us], UTC) first.

        Parameters
        ----------
        by : str
            ``name``, or ``property``: columns whose property is known bear its key, and the others are left out.
        """
        arrays: dict[str, NDArray[Any]] = {"time": self.times.astype("datetime64[us]")}
        for name, column in self.columns.items():
            key = name if by == "name" else column.observed_property
            if key is not None and key not in arrays:
                arrays[key] = column.values
        return arrays

    def to_arrow(self, *, aside: bool = False) -> pa.Table:
        """Return a table: ``time``, the values, and with `aside` what stands beside them.

        With `aside`, ``X_censored`` says ``<`` or ``>`` where the value of X is a limit.

        Fields carry ``unit`` and ``observed_property`` as metadata, those of `qualifies` the column they speak of;
        NaN is null.
        """
        fields = [pa.field("time", TIME)]
        arrays: list[Any] = [pa.array(self.times).cast(TIME)]
        for name, column in self.columns.items():
            told = {"unit": column.unit}
            if column.observed_property is not None:
                told["observed_property"] = column.observed_property
            if column.statistic:
                told["cell_method"] = column.statistic
            fields.append(pa.field(name, pa.float64(), metadata=told))
            arrays.append(pa.array(column.values, from_pandas=True))
        for name, told in self.censoring().items() if aside else ():
            fields.append(pa.field(name, pa.string(), metadata={"qualifies": name.removesuffix("_censored")}))
            arrays.append(told)
        for name, column in self.aside.items() if aside else ():
            owner = self.qualifies.get(name)
            fields.append(pa.field(name, column.type, metadata=None if owner is None else {"qualifies": owner}))
            arrays.append(column)
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def censoring(self) -> dict[str, Any]:
        """Return ``X_censored`` for each column with limits among its values: ``<``, ``>`` or empty, of shape (n,)."""
        words = np.array(["<", "", ">"], object)
        return {
            f"{name}_censored": pa.array(words[column.censored.astype(np.intp) + 1], pa.string())
            for name, column in self.columns.items()
            if column.censored is not None and f"{name}_censored" not in self.aside
        }

    def sites(self) -> list[str]:
        """Return the columns of `aside` that part the rows by place: those of sites, where there is more than one."""
        return [
            name
            for name, column in self.aside.items()
            if name.casefold() in SITES and len({word for word in column.cast(pa.string()).to_pylist() if word}) > 1
        ]

    def to_table(self) -> pa.Table:
        """Return `to_arrow()`: the name by which a table is asked for elsewhere."""
        return self.to_arrow()

    def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas has no types here
        """Return a pandas DataFrame with a UTC DatetimeIndex; units and properties stand in its ``attrs``.

        Raises
        ------
        ConfigError
            If pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 -- an optional dependency
        except ImportError as error:
            raise ConfigError(
                "to_pandas", reason="pandas is not installed", allowed="pip install nilometer[dataframes]"
            ) from error
        index = pd.DatetimeIndex(self.times.astype("datetime64[us]"), name="time").tz_localize("UTC")
        frame = pd.DataFrame({name: c.values for name, c in self.columns.items()}, index=index)
        frame.attrs = {"units": dict(self.units), "properties": dict(self.properties)}
        return frame
