"""What a calibration certificate says: the map from a reading to a quantity, its uncertainty, and since when it holds.

As a document (TOML, JSON; every key but `kind` may be left out)::

    sensor = "SN 4711"
    valid_from = "2024-03-01T08:00:00Z"     # default: always
    certificate = "PTB 12345 24"
    kind = "polynomial"                     # or another form: see `forms`
    coefficients = [0.12, 0.998]            # y = 0.12 + 0.998 x, of the reading in unit_in
    coefficient_uncertainties = [0.05, 0.002]   # standard uncertainties, taken as uncorrelated; or
    covariance = [[…], […]]                 # their covariance matrix
    points = [[0, 0], [10, 9.8, 0.05]]      # for "table": reading, quantity and its standard uncertainty
    ranges = [{range = [0, 40], coefficients = [0, 1.02], coefficient_uncertainties = [0.1, 0.01]}, …]
    overlap = "blend"                       # of ranges: or "lower", "upper"
    companion = "mill/temperature"          # Datastream whose value is the temperature, degree_Celsius
    temperature = 25.0                      # what holds without a companion, or where it has no value
    temperature_uncertainty = 0.2           # of that, and of a companion that does not say its own, k = 1
    reference_temperature = 25.0            # at which the coefficients of "ise" and "stern_volmer" hold
    isopotential = 7.0                      # of "nernst" (pH) and "ise" (default 1): where temperature does nothing
    signal = "phase"                        # of "stern_volmer": or "intensity", "lifetime", "ratio"
    residual_uncertainty = 0.02             # what the fit leaves, in unit_out, k = 1
    reading_uncertainty = 0.003             # of one reading (resolution d: d/√12), in unit_in, k = 1
    valid_range = [0, 20]                   # of the reading
    outside = "extrapolate"                 # or "missing"
    unit_in = "mV"
    unit_out = "mg L-1"
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from nilometer.calibration.forms import FORMS, OVERLAPS, SIGNALS, Form
from nilometer.errors import CalibrationError

__all__ = ["ALWAYS", "Calibration", "Range"]

ALWAYS: Final = int(np.iinfo(np.int64).min)
"""`valid_from` of a calibration that holds from the beginning of time."""

_ISOPOTENTIAL = {"nernst": 7.0, "ise": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A polynomial that holds for a range of readings.

    Parameters
    ----------
    low, high : float
        Its ends, both of which belong to it.
    coefficients : tuple of float
        Of the polynomial, constant first.
    covariance : tuple of tuple of float
        Of the coefficients; empty: not known.
    residual_uncertainty : float or None
        Standard uncertainty that remains at every value of this range, in `unit_out`.
    """

    low: float
    high: float
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...] = ()
    residual_uncertainty: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One dated map from reading to quantity.

    Parameters
    ----------
    sensor : str
        Which sensor, as the certificate names it.
    valid_from : int
        µs since 1970 UTC, inclusive; it holds until the next calibration's; `ALWAYS`: from the beginning.
    kind : str
        How the map is given: a name of `nilometer.calibration.forms.FORMS`.
    coefficients : tuple of float
        As the form has them; a polynomial's constant first.
    covariance : tuple of tuple of float
        Of the coefficients; empty: not known.
    points : tuple of (float, float, float)
        Of the table, by rising reading: reading, quantity, its standard uncertainty (NaN: not known). Straight lines
        between.
    ranges : tuple of Range
        By rising reading, each touching or overlapping the next one only.
    overlap : {"blend", "lower", "upper"}
        What holds where two ranges overlap: one of them, or what goes from the lower to the upper along a line.
    companion : str
        Key of the Datastream that says the temperature (degree_Celsius) of each row; empty: none.
    temperature : float or None
        degree_Celsius; what holds for rows to which the companion says nothing. None: such a row has no result.
    temperature_uncertainty : float or None
        Standard uncertainty of `temperature`, and of a companion's value that comes without one.
    reference_temperature : float
        degree_Celsius; where the coefficients of a form with temperature hold.
    isopotential : float
        Of an electrode: the pH, or activity, at which its potential does not depend on temperature. 0: 7, or 1.
    signal : {"intensity", "lifetime", "phase", "ratio"}
        What an optical sensor reads; a phase in degrees, a ratio as I0/I.
    residual_uncertainty : float or None
        Standard uncertainty that remains at every value, in `unit_out`.
    reading_uncertainty : float or None
        Standard uncertainty of one reading, in `unit_in`.
    unit_in, unit_out : str
        CF text; empty: the Datastream's raw unit, and its unit. Electrodes
        read mV, and a pH is in 1; a phase is in degree.
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
    ranges: tuple[Range, ...] = ()
    overlap: str = "blend"
    companion: str = ""
    temperature: float | None = None
    temperature_uncertainty: float | None = None
    reference_temperature: float = 25.0
    isopotential: float = 0.0
    signal: str = "intensity"
    residual_uncertainty: float | None = None
    reading_uncertainty: float | None = None
    unit_in: str = ""
    unit_out: str = ""
    certificate: str = ""
    valid_range: tuple[float, float] | None = None
    outside: str = "extrapolate"

    def __post_init__(self) -> None:
        form = FORMS.get(self.kind)
        if form is None:
            raise self._error(f"kind = {self.kind!r} (allowed: {', '.join(FORMS)})")
        if self.outside not in {"extrapolate", "missing"}:
            raise self._error(f"outside = {self.outside!r} (allowed: extrapolate, missing)")
        if form.sizes != (0,):
            self._check_coefficients(form, self.coefficients, self.covariance)
        if self.kind == "table":
            self._check_table()
        if self.kind == "ranges":
            self._check_ranges()
        self._check_optics(form)
        self._check_electrode(form)
        self._check_temperature()
        for key in ("residual_uncertainty", "reading_uncertainty", "temperature_uncertainty"):
            value = getattr(self, key)
            if value is not None and not 0 <= value < math.inf:
                raise self._error(f"{key} = {value!r} (allowed: a number from 0)")
        if self.valid_range is not None and not self.valid_range[0] < self.valid_range[1]:
            raise self._error(f"valid_range = {list(self.valid_range)} (allowed: two readings, the lower first)")

    def _error(self, message: str) -> CalibrationError:
        return CalibrationError(message, sensor=self.sensor, certificate=self.certificate)

    def _check_coefficients(
        self, form: Form, coefficients: tuple[float, ...], covariance: tuple[tuple[float, ...], ...]
    ) -> None:
        size = len(coefficients)
        fits = size in form.sizes if form.sizes else size > 0
        if not fits or not all(math.isfinite(c) for c in coefficients):
            wanted = " or ".join(map(str, form.sizes)) + " numbers" if form.sizes else "one number or more"
            allowed = f"{wanted}, the constant first" if self.kind in {"polynomial", "ranges"} else wanted
            raise self._error(f"coefficients = {list(coefficients)} (allowed: {allowed})")
        if not covariance:
            return
        if len(covariance) != size or any(len(row) != size for row in covariance):
            raise self._error(f"covariance must be a square of {size} rows, one for each coefficient")
        matrix = np.array(covariance)
        if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0):
            raise self._error("covariance must be finite and symmetric")
        # Of the correlations: coefficients may differ by many powers of ten.
        spread = np.sqrt(np.maximum(np.diag(matrix), 0.0))
        spread[spread == 0] = 1.0
        least, most = np.linalg.eigvalsh(matrix / np.outer(spread, spread))[[0, -1]]
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

    def _check_ranges(self) -> None:
        if self.overlap not in OVERLAPS:
            raise self._error(f"overlap = {self.overlap!r} (allowed: {', '.join(OVERLAPS)})")
        if not self.ranges:
            raise self._error("ranges = [] (allowed: one or more of {range, coefficients, …})")
        for part in self.ranges:
            if not part.low < part.high:
                raise self._error(f"range = {[part.low, part.high]} (allowed: two readings, the lower first)")
            self._check_coefficients(FORMS["polynomial"], part.coefficients, part.covariance)
            if part.residual_uncertainty is not None and not 0 <= part.residual_uncertainty < math.inf:
                raise self._error(f"residual_uncertainty = {part.residual_uncertainty!r} (allowed: a number from 0)")
        for a, b in pairwise(self.ranges):
            if not (a.low < b.low <= a.high < b.high):
                raise self._error(
                    f"ranges {[a.low, a.high]} and {[b.low, b.high]} must rise and touch or overlap: no reading "
                    "between them may be without one"
                )
        for a, b in zip(self.ranges, self.ranges[2:], strict=False):
            if b.low < a.high:
                raise self._error(f"three ranges overlap at {b.low:g}: at most two may")

    def _check_optics(self, form: Form) -> None:
        if form.temperature != "last two":
            return
        if self.signal not in SIGNALS:
            raise self._error(f"signal = {self.signal!r} (allowed: {', '.join(SIGNALS)})")
        if self.signal == "phase":
            self._in_unit("degree")
        zero, quench = self.coefficients[:2]
        if not (zero > 0 and quench > 0) or (self.signal == "phase" and not zero < 90):
            raise self._error(f"coefficients = {list(self.coefficients)} (allowed: x0 and K above 0, a phase below 90)")
        if self.kind == "stern_volmer_two_site" and not (0 < self.coefficients[2] <= 1 and self.coefficients[3] >= 0):
            raise self._error(f"coefficients = {list(self.coefficients)} (allowed: f above 0 up to 1, K2 from 0)")

    def _check_electrode(self, form: Form) -> None:
        if form.temperature != "always":
            return
        self._in_unit(form.unit_in)
        if self.coefficients[1] == 0:
            raise self._error("coefficients: a slope of 0 tells nothing of the quantity")
        if self.kind == "nernst" and not self.unit_out:
            object.__setattr__(self, "unit_out", "1")
        if not self.isopotential:
            object.__setattr__(self, "isopotential", _ISOPOTENTIAL[self.kind])
        if not 0 < self.isopotential < math.inf:
            raise self._error(f"isopotential = {self.isopotential!r} (allowed: a number above 0)")

    def _in_unit(self, unit: str) -> None:
        if not self.unit_in:
            object.__setattr__(self, "unit_in", unit)
        if self.unit_in != unit:
            raise self._error(f"unit_in = {self.unit_in!r} (allowed for {self.kind}: {unit})")

    def _check_temperature(self) -> None:
        if not self.takes_temperature:
            if self.companion or self.temperature is not None:
                raise self._error(f"{self.kind} with these coefficients takes no temperature, nor a companion")
            return
        if not self.companion and self.temperature is None:
            raise self._error(f"{self.kind} needs companion (a Datastream's key) or temperature (degree_Celsius)")
        for key in ("temperature", "reference_temperature"):
            value = getattr(self, key)
            if value is not None and not -273.15 < value < 1000:
                raise self._error(f"{key} = {value!r} (allowed: degree_Celsius)")

    @property
    def takes_temperature(self) -> bool:
        """Its value depends on a temperature."""
        form = FORMS[self.kind]
        return form.temperature == "always" or (
            form.temperature == "last two" and len(self.coefficients) == form.sizes[-1]
        )

    @property
    def span(self) -> tuple[float, float]:
        """Readings it holds for."""
        low, high = -math.inf, math.inf
        if self.kind == "table":
            low, high = self.points[0][0], self.points[-1][0]
        if self.kind == "ranges":
            low, high = self.ranges[0].low, self.ranges[-1].high
        asked = self.valid_range or (low, high)
        return (max(low, asked[0]), min(high, asked[1]))

    @property
    def is_uncertain(self) -> bool:
        """Anything is known of its uncertainty."""
        known = bool(self.covariance) or any(not math.isnan(point[2]) for point in self.points)
        known = known or any(part.covariance or part.residual_uncertainty is not None for part in self.ranges)
        return known or self.residual_uncertainty is not None or self.reading_uncertainty is not None

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Calibration:
        """Return the calibration that a document says (see the module's docstring).

        Raises
        ------
        CalibrationError
            If a key is unknown or a value cannot be used; the message names both.
        """
        from nilometer.calibration.document import read  # noqa: PLC0415 -- it makes Calibrations

        return read(document)

    def to_document(self) -> dict[str, Any]:
        """Return JSON-ready data that `from_document` reads back to the same calibration."""
        from nilometer.calibration.document import written  # noqa: PLC0415 -- it reads Calibrations

        return written(self)
