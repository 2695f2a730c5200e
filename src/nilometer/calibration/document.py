"""A certificate's document: TOML or JSON to a `Calibration` and back, each value read with a message of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from nilometer.calibration.certificate import ALWAYS, Calibration, Range
from nilometer.calibration.forms import FORMS
from nilometer.errors import CalibrationError, UnitError
from nilometer.units import canonical

__all__ = ["read", "written"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = ("sensor", "certificate", "companion")
_UNITS = ("unit_in", "unit_out")
_NUMBERS = ("residual_uncertainty", "reading_uncertainty", "temperature", "temperature_uncertainty")
_DEFAULTS = {"overlap": "blend", "reference_temperature": 25.0, "isopotential": 0.0, "signal": "intensity"}
_KEYS = (
    "sensor",
    "valid_from",
    "certificate",
    "kind",
    "coefficients",
    "coefficient_uncertainties",
    "covariance",
    "points",
    "ranges",
    "overlap",
    "companion",
    "temperature",
    "temperature_uncertainty",
    "reference_temperature",
    "isopotential",
    "signal",
    "residual_uncertainty",
    "reading_uncertainty",
    "valid_range",
    "outside",
    "unit_in",
    "unit_out",
)
_RANGE_KEYS = ("range", "coefficients", "coefficient_uncertainties", "covariance", "residual_uncertainty")
Matrix = tuple[tuple[float, ...], ...]


class _Reader:
    """A document's values, each read with a message of its own."""

    def __init__(self, document: Mapping[str, Any], place: Mapping[str, str] | None = None) -> None:
        self.document = document
        self.place = place or {key: str(document.get(key, "")) for key in ("sensor", "certificate")}

    def error(self, key: str, allowed: str) -> CalibrationError:
        return CalibrationError(f"{key} = {self.document.get(key)!r} (allowed: {allowed})", **self.place)

    def only(self, keys: Sequence[str], whole: str) -> None:
        for key in self.document:
            if key not in keys:
                raise CalibrationError(f"{key!r} is no key of {whole} (allowed: {', '.join(keys)})", **self.place)

    def number(self, key: str) -> float | None:
        value = self.document.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, "a number")
        return float(value)

    def text(self, key: str) -> str:
        value = self.document.get(key, "")
        if not isinstance(value, str):
            raise self.error(key, "text")
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        return self._row(key, self.document.get(key, ()), "a list of numbers")

    def pair(self, key: str) -> tuple[float, float] | None:
        both = self.numbers(key)
        if both and len(both) != 2:
            raise self.error(key, "two readings, the lower first")
        return (both[0], both[1]) if both else None

    def matrix(self, key: str, allowed: str) -> Matrix:
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

    def fitted(self) -> tuple[tuple[float, ...], Matrix]:
        """Return coefficients and their covariance, in whichever of both ways it is given."""
        covariance = self.matrix("covariance", "a square of numbers")
        uncertainties = self.numbers("coefficient_uncertainties")
        coefficients = self.numbers("coefficients")
        if not uncertainties:
            return coefficients, covariance
        if covariance:
            raise self.error("coefficient_uncertainties", "either these or covariance")
        if len(uncertainties) != len(coefficients) or min(uncertainties) < 0:
            raise self.error("coefficient_uncertainties", "one number from 0 for each coefficient")
        return coefficients, tuple(map(tuple, np.diag(np.square(uncertainties)).tolist()))

    def points(self) -> tuple[tuple[float, float, float], ...]:
        allowed = "rows of [reading, quantity] or [reading, quantity, uncertainty]"
        points = self.matrix("points", allowed)
        if any(len(point) not in (2, 3) for point in points):
            raise self.error("points", allowed)
        return tuple((point[0], point[1], point[2] if len(point) == 3 else math.nan) for point in points)

    def ranges(self) -> tuple[Range, ...]:
        rows = self.document.get("ranges", ())
        if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
            raise self.error("ranges", "a list of {range, coefficients, …}")
        return tuple(_range(_Reader(row, self.place)) for row in rows)

    def unit(self, key: str) -> str:
        text = self.text(key)
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


def _range(read: _Reader) -> Range:
    read.only(_RANGE_KEYS, "a range")
    ends = read.pair("range")
    if ends is None:
        raise read.error("range", "two readings, the lower first")
    coefficients, covariance = read.fitted()
    return Range(
        low=ends[0],
        high=ends[1],
        coefficients=coefficients,
        covariance=covariance,
        residual_uncertainty=read.number("residual_uncertainty"),
    )


def read(document: Mapping[str, Any]) -> Calibration:
    """Return the calibration that a document says.

    Raises
    ------
    CalibrationError
        If a key is unknown or a value cannot be used; the message names both.
    """
    reader = _Reader(document)
    reader.only(_KEYS, "a calibration")
    kind = reader.text("kind") if "kind" in document else "identity"
    form = FORMS.get(kind)
    coefficients, covariance = reader.fitted()
    reference, isopotential = reader.number("reference_temperature"), reader.number("isopotential")
    return Calibration(
        **reader.place,
        valid_from=reader.time("valid_from"),
        kind=kind,
        coefficients=coefficients,
        covariance=covariance,
        points=reader.points(),
        ranges=reader.ranges(),
        overlap=reader.text("overlap") or "blend",
        companion=reader.text("companion"),
        temperature=reader.number("temperature"),
        temperature_uncertainty=reader.number("temperature_uncertainty"),
        reference_temperature=25.0 if reference is None else reference,
        isopotential=0.0 if isopotential is None else isopotential,
        signal=reader.text("signal") or "intensity",
        residual_uncertainty=reader.number("residual_uncertainty"),
        reading_uncertainty=reader.number("reading_uncertainty"),
        unit_in=reader.unit("unit_in"),
        unit_out=reader.unit("unit_out"),
        valid_range=reader.pair("valid_range"),
        outside=document.get("outside", "extrapolate" if form is None else form.outside),
    )


def written(calibration: Calibration) -> dict[str, Any]:
    """Return JSON-ready data that `read` takes back to the same calibration."""
    said = {key: getattr(calibration, key) for key in (*_TEXTS, *_UNITS, *_NUMBERS, *_DEFAULTS)}
    usual = dict.fromkeys((*_TEXTS, *_UNITS), "") | dict.fromkeys(_NUMBERS) | _DEFAULTS
    document: dict[str, Any] = {"kind": calibration.kind, "outside": calibration.outside}
    document |= {key: value for key, value in said.items() if value != usual[key]}
    if calibration.valid_from != ALWAYS:
        document["valid_from"] = (_EPOCH + timedelta(microseconds=calibration.valid_from)).isoformat()
    document |= _fitted(calibration)
    if calibration.points:
        document["points"] = [list(point[: 2 if math.isnan(point[2]) else 3]) for point in calibration.points]
    if calibration.ranges:
        document["ranges"] = [_range_document(part) for part in calibration.ranges]
    if calibration.valid_range is not None:
        document["valid_range"] = list(calibration.valid_range)
    return document


def _fitted(item: Calibration | Range) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if item.coefficients:
        document["coefficients"] = list(item.coefficients)
    if item.covariance:
        document["covariance"] = [list(row) for row in item.covariance]
    return document


def _range_document(part: Range) -> dict[str, Any]:
    document = {"range": [part.low, part.high], **_fitted(part)}
    if part.residual_uncertainty is not None:
        document["residual_uncertainty"] = part.residual_uncertainty
    return document
