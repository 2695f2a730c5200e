"""Write netCDF-4 files by the CF conventions: time axes, variables on them, flags beside the values they speak of.

It knows no stage: whoever has values and flags gives them as arrays. Values are never changed, joined or resampled;
series with other times get an axis of their own.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nilometer import __version__
from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag
from nilometer.model.properties import vocabulary

__all__ = ["CONVENTIONS", "FLAGS", "CfFile", "Variable", "measured", "safe_name"]

CONVENTIONS: Final = "CF-1.11, ACDD-1.3"
EPOCH: Final = "since 1970-01-01T00:00:00Z"
FLAGS: Final[Mapping[str, Any]] = {
    "flag_values": np.array([int(flag) for flag in QartodFlag], np.int8),
    "flag_meanings": " ".join(flag.name for flag in QartodFlag),
    "valid_min": np.int8(min(QartodFlag)),
    "valid_max": np.int8(max(QartodFlag)),
    "coverage_content_type": "qualityInformation",
}
"""Attributes of every variable of QARTOD flags."""

_NOT_UDUNITS = {"NTU": "1", "FNU": "1", "RFU": "1", "QSU": "1", "PCU": "1", "cell mL-1": "mL-1"}
_TEMPERATURES = {"degree_Celsius", "degree_Fahrenheit", "K"}
_NERC = re.compile(r"https?://vocab\.nerc\.ac\.uk/collection/(?P<collection>\w+)/current/(?P<term>\w+)/?")
_STEPS = (("seconds", 1_000_000), ("milliseconds", 1_000), ("microseconds", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of a file.

    Parameters
    ----------
    name : str
        As in the file; see `safe_name`.
    values : ndarray, shape (n,) or ()
        Numbers (NaN is missing), texts, or flags as int8.
    attributes : mapping
        CF attributes; None leaves one out.
    about : tuple of str
        Names of other variables of the same part that speak of this one: its ``ancillary_variables``.
    """

    name: str
    values: NDArray[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    about: tuple[str, ...] = ()


def safe_name(name: str) -> str:
    """Return a name that CF allows: letters, digits and underscores, a letter first.

    Examples
    --------
    >>> safe_name("mill-race/ph"), safe_name("2 m")
    ('mill_race_ph', 'v_2_m')
    """
    safe = re.sub(r"[^_a-zA-Z0-9]", "_", name)
    return safe if safe[:1].isalpha() else f"v_{safe}"


def measured(
    name: str,
    values: NDArray[np.float64],
    unit: str,
    observed_property: str | None = None,
    *,
    about: tuple[str, ...] = (),
    definition: str | None = None,
) -> Variable:
    """Return a variable of measured values with its unit and, where the vocabulary knows one, its CF standard name.

    Parameters
    ----------
    name : str
        Such as a column of a file or the key of a Datastream.
    values : ndarray of float64, shape (n,)
        NaN: missing.
    unit : str
        CF text. Units of a scale that UDUNITS does not know (NTU, FNU, RFU, QSU, PCU) become ``1``, with the
        scale in ``nilometer_unit``.
    observed_property : str, optional
        Vocabulary key.
    about : tuple of str
        As in `Variable`.
    definition : str, optional
        URI of what was observed; None: that of the vocabulary.
    """
    term = vocabulary().get(observed_property or "")
    known: dict[str, Any] = {
        "long_name": term.name_en if term is not None else name,
        "standard_name": None if term is None else term.cf_name,
        "units": _NOT_UDUNITS.get(unit, unit) or "1",
        "units_metadata": "temperature: on_scale" if unit in _TEMPERATURES else None,
        "positive": "down" if term is not None and term.cf_name == "depth" else None,
        "coverage_content_type": "physicalMeasurement",
        "definition": definition or (None if term is None else term.definition),
        "sdn_parameter_urn": None if term is None else _urn(term.nerc_uri),
        "nilometer_unit": unit if unit in _NOT_UDUNITS else None,
        "nilometer_property": observed_property,
    }
    return Variable(name=safe_name(name), values=values, attributes=known, about=about)


def _urn(uri: str | None) -> str | None:
    """Return the SeaDataNet name of a term of the NERC vocabulary server, such as ``SDN:P01::TEMPPR01``."""
    match = _NERC.fullmatch(uri or "")
    return None if match is None else f"SDN:{match['collection']}::{match['term']}"


class CfFile:
    """A netCDF file that is being written; a context manager, and a file that failed is removed.

    Parameters
    ----------
    path : path
        Where; an existing file is replaced.
    attributes : mapping
        Global attributes beside ``Conventions``, ``title`` and ``history``; None leaves one out.

    Raises
    ------
    ConfigError
        If the extra ``netcdf`` is not installed.
    """

    def __init__(self, path: Path | str, attributes: Mapping[str, Any] | None = None) -> None:
        self._path = Path(path)
        library = _library(self._path)
        self._file = library.File(self._path, "w")
        self._axes: dict[bytes, str] = {}
        self.attributes: dict[str, Any] = {}
        """Global attributes, as they were written."""
        self.variables: dict[str, tuple[np.dtype[Any], dict[str, Any]]] = {}
        """Types and attributes of the variables that were written, by name."""
        known = {"Conventions": CONVENTIONS, "title": self._path.stem, "history": f"written by nilometer {__version__}"}
        self.describe(known | dict(attributes or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close the file; remove it when something went wrong."""
        self._file.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)

    @property
    def axes(self) -> int:
        """How many time axes there are so far."""
        return len(self._axes)

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Add global attributes."""
        self.attributes |= self._put(self._file.attrs, attributes)

    def constant(self, variable: Variable) -> None:
        """Write a variable without a dimension, such as the place of a station."""
        self._write(variable, (), ())

    def part(
        self,
        times: NDArray[np.int64],
        variables: Sequence[Variable],
        *,
        coordinates: Iterable[str] = (),
    ) -> str:
        """Write variables that share their times, and return the name of their axis.

        Parameters
        ----------
        times : ndarray of int64, shape (n,)
            µs since 1970 UTC, in any order. Parts with the same times share one axis: ``time``, ``time_2`` ...
        variables : sequence of Variable
            Of n values each.
        coordinates : iterable of str
            Names of other variables that say where the values hold: CF's ``coordinates``.
        """
        axis = self._axis(np.ascontiguousarray(times, np.int64))
        places = tuple(coordinates)
        for variable in variables:
            self._write(variable, (axis,), () if variable.name in places else places)
        return axis

    def _axis(self, times: NDArray[np.int64]) -> str:
        print_of = hashlib.blake2b(times.tobytes()).digest()
        if print_of in self._axes:
            return self._axes[print_of]
        name = "time" if not self._axes else f"time_{len(self._axes) + 1}"
        self._axes[print_of] = name
        self._file.dimensions[name] = len(times) or None
        # The coarsest whole step: integers stay exact, and small.
        step, factor = next((step, factor) for step, factor in _STEPS if not np.any(times % factor))
        variable = self._file.create_variable(name, (name,), np.int64)
        if len(times):
            variable[...] = times // factor
        about = self._put(
            variable.attrs,
            {
                "coverage_content_type": "coordinate",
                "standard_name": "time",
                "long_name": "time",
                "units": f"{step} {EPOCH}",
                "calendar": "proleptic_gregorian",
                "units_metadata": "leap_seconds: none",
                "axis": "T",
            },
        )
        self.variables[name] = (np.dtype(np.int64), about)
        return name

    def _write(self, variable: Variable, dimensions: tuple[str, ...], coordinates: tuple[str, ...]) -> None:
        values = np.asarray(variable.values)
        about: dict[str, Any] = dict(variable.attributes)
        options: dict[str, Any] = {}
        if values.dtype.kind in "OUS":
            values = np.array([_text(item) for item in values.ravel().tolist()], object).reshape(values.shape)
            kind: Any = importlib.import_module("h5py").string_dtype()
        else:
            kind = values.dtype
            if kind.kind == "f":
                options["fillvalue"] = kind.type(np.nan)
            if values.size:
                options |= {"compression": "gzip", "compression_opts": 4, "shuffle": True} if dimensions else {}
        made = self._file.create_variable(variable.name, dimensions, kind, **options)
        if values.size:
            made[...] = values
        if variable.about:
            about["ancillary_variables"] = " ".join(variable.about)
        if coordinates and "axis" not in about:
            about["coordinates"] = " ".join(coordinates)
        self.variables[variable.name] = (values.dtype, self._put(made.attrs, about))

    @staticmethod
    def _put(attributes: Any, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 -- h5netcdf has no types
        """Write attributes that say something, and return them."""
        said = {name: value for name, value in given.items() if value is not None and not _is_empty(value)}
        for name, value in said.items():
            attributes[name] = value
        return said


def _is_empty(value: Any) -> bool:  # noqa: ANN401 -- any attribute
    return isinstance(value, str) and not value


def _text(item: Any) -> str:  # noqa: ANN401 -- text or a missing one
    if item is None or item != item:  # noqa: PLR0124 -- NaN is not equal to itself
        return ""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _library(path: Path) -> Any:  # noqa: ANN401 -- h5netcdf has no types
    try:
        importlib.import_module("h5py")
        return importlib.import_module("h5netcdf")
    except ImportError as error:
        raise ConfigError(
            "--out", seen=str(path), reason=f"{error.name} is not installed", allowed="pip install nilometer[netcdf]"
        ) from error
