"""What a netCDF file holds, whichever of its two formats it is in: variables with dimensions and attributes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.acquisition.formats.netcdf_classic import ClassicError, parse
from nilometer.errors import ConfigError, ReadError

__all__ = ["Content", "NcVariable", "content_of"]

# Packed data of a few megabytes can stand for any size; a year of one second of fifty quantities is below it.
MOST_BYTES = 4_000_000_000


@dataclass(frozen=True, slots=True)
class NcVariable:
    """One variable: its dimensions by name, its attributes as text or numbers, its values unscaled."""

    name: str
    dimensions: tuple[str, ...]
    attributes: dict[str, Any]
    values: NDArray[Any]

    def text(self, name: str) -> str:
        """Return an attribute as text; empty where there is none."""
        return str(self.attributes.get(name, "")).strip()


@dataclass(slots=True)
class Content:
    """All variables by name, and the attributes of the file."""

    variables: dict[str, NcVariable] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


def content_of(data: bytes, path: Path) -> Content:
    """Return what a netCDF file holds.

    Raises
    ------
    ReadError
        If it is none, or damaged.
    ConfigError
        If it is in HDF5 and the extra ``netcdf`` is not installed.
    """
    if data.startswith(b"CDF"):
        try:
            classic = parse(data)
        except ClassicError as error:
            raise ReadError(f"the netCDF file is damaged: {error}", path=path, format="netcdf") from error
        variables = {name: NcVariable(name, *parts) for name, parts in classic.variables.items()}
        return Content(variables, classic.attributes)
    return _of_hdf5(data, path)


def _of_hdf5(data: bytes, path: Path) -> Content:
    try:
        import h5py  # type: ignore[import-untyped]  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise ConfigError(
            "format", seen="netcdf", reason="h5py is not installed", allowed="pip install nilometer[netcdf]"
        ) from error
    content = Content()
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            content.attributes = _attributes(file)
            for name, item in file.items():
                if isinstance(item, h5py.Dataset) and item.dtype.kind in "iufSO" and item.ndim <= 3:
                    content.variables[name] = _dataset(name, item, path)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ReadError(f"the netCDF file is damaged: {error}", path=path, format="netcdf") from error
    return content


def _dataset(name: str, item: Any, path: Path) -> NcVariable:  # noqa: ANN401 -- h5py has no types
    size = int(item.size or 0) * item.dtype.itemsize
    if size > MOST_BYTES:
        raise ReadError(f"{name} unpacks to {size} bytes: more than {MOST_BYTES}", path=path, format="netcdf")
    dimensions = []
    for at in range(item.ndim):
        scales = item.dims[at]
        own = "CLASS" in item.attrs and item.ndim == 1
        dimensions.append(
            name if own else (scales[0].name or f"{name} {at}").rpartition("/")[2] if len(scales) else f"{name} {at}"
        )
    values: NDArray[Any] = item[()] if item.ndim else np.asarray(item[()])
    return NcVariable(name, tuple(dimensions), _attributes(item), np.asarray(values))


def _attributes(item: Any) -> dict[str, Any]:  # noqa: ANN401 -- h5py has no types
    found = {}
    for name in item.attrs:
        try:
            value = item.attrs[name]
        except (OSError, TypeError, ValueError):
            continue
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(value, str | int | float | np.generic):
            found[str(name)] = value
    return found
