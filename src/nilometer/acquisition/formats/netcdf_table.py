"""Tables of read files as netCDF by the CF conventions: values, units, and what stands beside them.

It writes what `Recording.to_arrow` gives; it opens no netCDF file, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nilometer.errors import ConfigError
from nilometer.netcdf import FLAGS, CfFile, Variable, measured, safe_name

__all__ = ["write_table"]


def write_table(table: pa.Table, path: Path | str, attributes: Mapping[str, Any] | None = None) -> None:
    """Write a table of read values.

    Parameters
    ----------
    table : pyarrow.Table
        ``time`` first; fields carry ``unit`` and ``observed_property``, and columns that speak of another one
        ``qualifies``, in their metadata. Of these, QARTOD flags also carry ``flag_scheme``.
    path : path
        ``OUT.nc``.
    attributes : mapping, optional
        Global attributes.

    Raises
    ------
    ConfigError
        If the extra ``netcdf`` is not installed, or two columns would have one name.
    """
    fields = [field for field in table.schema if field.name != "time"]
    named: dict[str, str] = {}
    for field in fields:
        safe = safe_name(field.name)
        if safe in named:
            raise ConfigError("column", seen=field.name, reason=f"in netCDF it would be {safe}, as {named[safe]} is")
        named[safe] = field.name
    about: dict[str, list[str]] = {}
    for field in fields:
        if "qualifies" in _told(field):
            about.setdefault(_told(field)["qualifies"], []).append(safe_name(field.name))
    with CfFile(path, attributes) as file:
        times = table["time"].cast(pa.int64()).to_numpy()
        file.part(times, [_variable(field, table[field.name], tuple(about.get(field.name, ()))) for field in fields])


def _variable(field: Any, column: Any, about: tuple[str, ...]) -> Variable:  # noqa: ANN401 -- pyarrow has no types
    told = _told(field)
    if "flag_scheme" in told:
        scheme = told["flag_scheme"]
        attributes = {"standard_name": "quality_flag", "long_name": f"QARTOD flag, from {scheme}", **FLAGS}
        values = column.fill_null(2).to_numpy().astype(np.int8)
        return Variable(name=safe_name(field.name), values=values, attributes=attributes | {"flag_scheme": scheme})
    if "unit" in told:
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return measured(field.name, values, told["unit"], told.get("observed_property"), about=about)
    attributes = {"long_name": f"what the file says of {told['qualifies']}"} if "qualifies" in told else {}
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    else:
        values = np.array(column.cast(pa.string()).to_pylist(), object)
    return Variable(name=safe_name(field.name), values=values, attributes=attributes)


def _told(field: Any) -> dict[str, str]:  # noqa: ANN401 -- pyarrow has no types
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
