"""What a calibration certificate says: the map from a reading to a quantity, its uncertainty, and since when it holds.

As a document (TOML, JSON; every key but `kind` may be left out)::

    sensor = "SN 4711"
    valid_from = "2024-03-01T08:00:00Z"     # default: always
    certificate = "PTB 12345 24"
    kind = "polynomial"                     # "identity", "polynomial" or "table"
    coefficients = [0.12, 0.998]            # y = 0.12 + 0.998 x, of the reading in unit_in
    coefficient_uncertainties = [0.05, 0.002]   # standard uncertainties, taken as uncorrelated; or
    covariance = [[…], […]]                 # their covariance matrix
    points = [[0, 0], [10, 9.8, 0.05]]      # for "table": reading, quantity and its standard uncertainty
    residual_uncertainty = 0.02             # what the fit leaves, in unit_out, k = 1
    reading_uncertainty = 0.003             # of one reading (resolution d: d/√12), in unit_in, k = 1
    valid_range = [0, 20]                   # of the reading
    outside = "extrapolate"                 # or "missing"
    unit_in = "mV"
    unit_out = "mg L-1"
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np

from nilometer.errors import CalibrationError, UnitError
from nilometer.units import canonical

__all__ = ["ALWAYS", "Calibration"]

ALWAYS: Final = int(np.iinfo(np.int64).min)
"""`valid_from` of a calibration that holds from the beginning of time."""

_KINDS = ("identity", "polynomial", "table")
_OUTSIDE = {"identity": "extrapolate", "polynomial": "extrapolate", "table": "missing"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS = (
    "sensor",
    "valid_from",
    "certificate",
    "kind",
    "coefficients",
    "coefficient_uncertainties",
    "covariance",
    "points",
    "residual_uncertainty",
    "reading_uncertainty",
    "valid_range",
    "outside",
    "unit_in",
    "unit_out",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One dated map from reading to quantity.

    Parameters
    ----------
    sensor : str
        Which sensor, as the certificate names it.
    valid_from : int
        µs since 1970 UTC, inclusive; it holds until the next calibration's; `ALWAYS`: from the beginning.
    kind : {"identity", "polynomial", "table"}
        How the map is given.
    coefficients : tuple of float
        Of the polynomial, constant first.
    covariance : tuple of tuple of float
        Of the coefficients; empty: not known.
    points : tuple of (float, float, float)
        Of the table, by rising reading: reading, quantity, its standard uncertainty (NaN: not known). Straight lines
        between.
    residual_uncertainty : float or None
        Standard uncertainty that remains at every value, in `unit_out`.
    reading_uncertainty : float or None
        Standard uncertainty of one reading, in `unit_in`.
    unit_in, unit_out : str
        CF text; empty: the Datastream's raw unit, and its unit.
    certificate : str
        Its number, or where it lies.
    valid_range : (float, float) or None
        Readings it was made for; outside, the uncertainty is unknown. A table's is that of its points.
    outside : {"extrapolate", "missing"}
        What a reading out of range gives: the map's value (a table's end lines prolonged), or no value.

    Raises
    ------
    CalibrationError
        If it cannot be applied as given.

    Examples
    --------
    >>> Calibration.from_document({"kind": "polynomial", "coefficients": [1, 2]}).coefficients
    (1.0, 2.0)
    """

    sensor: str = ""
    valid_from: int = ALWAYS
    kind: str = "identity"
    coefficients: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    points: tuple[tuple[float, float, float], ...] = ()
    residual_uncertainty: float | None = None
    reading_uncertainty: float | None = None
    unit_in: str = ""
    unit_out: str = ""
    certificate: str = ""
    valid_range: tuple[float, float] | None = None
    outside: str = "extrapolate"

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise self._error(f"kind = {self.kind!r} (allowed: {', '.join(_KINDS)})")
        if self.outside not in {"extrapolate", "missing"}:
            raise self._error(f"outside = {self.outside!r} (allowed: extrapolate, missing)")
        if self.kind == "polynomial":
            self._check_polynomial()
        if self.kind == "table":
            self._check_table()
        for key in ("residual_uncertainty", "reading_uncertainty"):
            value = getattr(self, key)
            if value is not None and not 0 <= value < math.inf:
                raise self._error(f"{key} = {value!r} (allowed: a number from 0)")
        if self.valid_range is not None and not self.valid_range[0] < self.valid_range[1]:
            raise self._error(f"valid_range = {list(self.valid_range)} (allowed: two readings, the lower first)")

    def _error(self, message: str) -> CalibrationError:
        return CalibrationError(message, sensor=self.sensor, certificate=self.certificate)

    def _check_polynomial(self) -> None:
        size = len(self.coefficients)
        if size == 0 or not all(math.isfinite(c) for c in self.coefficients):
            raise self._error(
                f"coefficients = {list(self.coefficients)} (allowed: one number or more, the constant first)"
            )
        if not self.covariance:
            return
        if len(self.covariance) != size or any(len(row) != size for row in self.covariance):
            raise self._error(f"covariance must be a square of {size} rows, one for each coefficient")
        matrix = np.array(self.covariance)
        if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0):
            raise self._error("covariance must be finite and symmetric")
        least, most = np.linalg.eigvalsh(matrix)[[0, -1]]
        if least < -1e-9 * max(abs(most), 1e-300):
            raise self._error("covariance has a negative eigenvalue: no coefficients vary like that")

    def _check_table(self) -> None:
        if len(self.points) < 2:
            raise self._error(
                f"points = {list(self.points)} (allowed: two or more of [reading, quantity, uncertainty])"
            )
        readings = [point[0] for point in self.points]
        if not all(math.isfinite(point[0]) and math.isfinite(point[1]) for point in self.points):
            raise self._error("points must be finite numbers")
        if any(point[2] < 0 or math.isinf(point[2]) for point in self.points):
            raise self._error("uncertainties of points must be numbers from 0")
        falls = [b for a, b in pairwise(readings) if b <= a]
        if falls:
            raise self._error(f"points must have rising readings, {falls[0]:g} comes after one as large")

    @property
    def span(self) -> tuple[float, float]:
        """Readings it holds for."""
        if self.kind == "table":
            low, high = self.points[0][0], self.points[-1][0]
            asked = self.valid_range or (low, high)
            return (max(low, asked[0]), min(high, asked[1]))
        return self.valid_range or (-math.inf, math.inf)

    @property
    def is_uncertain(self) -> bool:
        """Anything is known of its uncertainty."""
        known = bool(self.covariance) or any(not math.isnan(point[2]) for point in self.points)
        return known or self.residual_uncertainty is not None or self.reading_uncertainty is not None

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Calibration:
        """Return the calibration that a document says (see the module's docstring).

        Raises
        ------
        CalibrationError
            If a key is unknown or a value cannot be used; the message names both.
        """
        return _read(document)

    def to_document(self) -> dict[str, Any]:
        """Return JSON-ready data that `from_document` reads back to the same calibration."""
        document: dict[str, Any] = {"kind": self.kind, "outside": self.outside}
        for key in ("sensor", "certificate", "unit_in", "unit_out"):
            if getattr(self, key):
                document[key] = getattr(self, key)
        for key in ("residual_uncertainty", "reading_uncertainty"):
            if getattr(self, key) is not None:
                document[key] = getattr(self, key)
        if self.valid_from != ALWAYS:
            document["valid_from"] = (_EPOCH + timedelta(microseconds=self.valid_from)).isoformat()
        if self.coefficients:
            document["coefficients"] = list(self.coefficients)
        if self.covariance:
            document["covariance"] = [list(row) for row in self.covariance]
        if self.points:
            document["points"] = [list(point[: 2 if math.isnan(point[2]) else 3]) for point in self.points]
        if self.valid_range is not None:
            document["valid_range"] = list(self.valid_range)
        return document


class _Reader:
    """A document's values, each read with a message of its own."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.place = {"sensor": str(document.get("sensor", "")), "certificate": str(document.get("certificate", ""))}

    def error(self, key: str, allowed: str) -> CalibrationError:
        return CalibrationError(f"{key} = {self.document.get(key)!r} (allowed: {allowed})", **self.place)

    def number(self, key: str) -> float | None:
        value = self.document.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, "a number")
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        return self._row(key, self.document.get(key, ()), "a list of numbers")

    def matrix(self, key: str, allowed: str) -> tuple[tuple[float, ...], ...]:
        rows = self.document.get(key, ())
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            raise self.error(key, allowed)
        return tuple(self._row(key, row, allowed) for row in rows)

    def _row(self, key: str, row: object, allowed: str) -> tuple[float, ...]:
        if not isinstance(row, Sequence) or isinstance(row, str):
            raise self.error(key, allowed)
        if any(isinstance(item, bool) or not isinstance(item, int | float) for item in row):
            raise self.error(key, allowed)
        return tuple(float(item) for item in row)

    def unit(self, key: str) -> str:
        text = self.document.get(key, "")
        try:
            return canonical(text) if text else ""
        except UnitError as error:
            raise CalibrationError(f"{key}: {error}", **self.place) from error

    def time(self, key: str) -> int:
        value = self.document.get(key)
        if value is None:
            return ALWAYS
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        try:
            when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            raise self.error(key, "an ISO 8601 time with its zone, or µs since 1970 UTC") from None
        if when.tzinfo is None:
            raise self.error(key, "a time with its zone, such as 2024-03-01T08:00:00Z")
        return (when - _EPOCH) // timedelta(microseconds=1)


def _read(document: Mapping[str, Any]) -> Calibration:
    read = _Reader(document)
    for key in document:
        if key not in _KEYS:
            raise CalibrationError(f"{key!r} is no key of a calibration (allowed: {', '.join(_KEYS)})", **read.place)
    kind = document.get("kind", "identity")
    covariance = read.matrix("covariance", "a square of numbers")
    uncertainties = read.numbers("coefficient_uncertainties")
    coefficients = read.numbers("coefficients")
    if uncertainties:
        if covariance:
            raise read.error("coefficient_uncertainties", "either these or covariance")
        if len(uncertainties) != len(coefficients) or min(uncertainties) < 0:
            raise read.error("coefficient_uncertainties", "one number from 0 for each coefficient")
        covariance = tuple(map(tuple, np.diag(np.square(uncertainties)).tolist()))
    points = read.matrix("points", "rows of [reading, quantity] or [reading, quantity, uncertainty]")
    if any(len(point) not in (2, 3) for point in points):
        raise read.error("points", "rows of [reading, quantity] or [reading, quantity, uncertainty]")
    span = read.numbers("valid_range")
    if span and len(span) != 2:
        raise read.error("valid_range", "two readings, the lower first")
    return Calibration(
        **read.place,
        valid_from=read.time("valid_from"),
        kind=kind,
        coefficients=coefficients,
        covariance=covariance,
        points=tuple((point[0], point[1], point[2] if len(point) == 3 else math.nan) for point in points),
        residual_uncertainty=read.number("residual_uncertainty"),
        reading_uncertainty=read.number("reading_uncertainty"),
        unit_in=read.unit("unit_in"),
        unit_out=read.unit("unit_out"),
        valid_range=(span[0], span[1]) if span else None,
        outside=document.get("outside", _OUTSIDE.get(kind, "extrapolate")),
    )
