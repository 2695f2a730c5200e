"""The forms that a calibration may have, as one table: what each takes, and how its numbers lie before the kernel.

| kind | value y of a reading x | coefficients |
|---|---|---|
| `identity` | x | none |
| `offset` | x + b | b |
| `slope` | m · x | m |
| `polynomial` | c0 + c1 x + c2 x² + … | c0, c1, … |
| `table` | straight lines between points | none |
| `nernst` | pH of x = E0 - s/100 · k T · (pH - isopotential) | E0 in mV, s in % of the ideal slope |
| `ise` | a of x = E0 + s · T/T_ref · log10(a / isopotential) | E0 in mV, s in mV a decade at `reference_temperature` |
| `stern_volmer` | p of x0/signal = 1 + K p | x0, K (and their growth a, b with each kelvin) |
| `stern_volmer_two_site` | p of signal/x0 = f/(1 + K1 p) + (1 - f)/(1 + K2 p) | x0, K1, f, K2 (and a, b) |
| `ranges` | a polynomial for each range | in `ranges` |

k = R ln(10) / F, 0.19841… mV/K (exact constants of the SI, 2019). T in kelvin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from nilometer.calibration.certificate import Calibration

__all__ = ["FORMS", "IDEAL_SLOPE", "OVERLAPS", "SIGNALS", "Form", "packed"]

# The kernel's numbers of the forms.
IDENTITY: Final = 0
POLYNOMIAL: Final = 1
TABLE: Final = 2
NERNST: Final = 3
ION: Final = 4
QUENCHING: Final = 5
RANGES: Final = 6

# Its numbers of what an optical sensor reads, and of who speaks where two ranges overlap.
INTENSITY, PHASE, RATIO = 0, 1, 2
LOWER, UPPER, BLEND = 0, 1, 2

KELVIN: Final = 273.15
"""What leads from degree_Celsius to kelvin."""

IDEAL_SLOPE: Final = 1000.0 * 8.31446261815324 * math.log(10.0) / 96485.33212331001
"""R ln(10) / F: what an ideal electrode gives per pH and kelvin, mV/K."""

SIGNALS: Final = {"intensity": INTENSITY, "lifetime": INTENSITY, "phase": PHASE, "ratio": RATIO}
"""What the reading of an optical sensor is; a phase is in degrees, a ratio is I0/I or τ0/τ."""

OVERLAPS: Final = {"lower": LOWER, "upper": UPPER, "blend": BLEND}
"""Which of two ranges speaks where both do."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a kind of calibration takes.

    Parameters
    ----------
    code : int
        Its number in the kernel.
    sizes : tuple of int
        How many coefficients there may be; empty: any number from 1.
    outside : {"extrapolate", "missing"}
        What a reading out of range gives when nothing is said.
    temperature : {"never", "always", "last two"}
        Whether it needs a temperature; "last two": when its last two coefficients, of a temperature, are given.
    unit_in : str
        The unit in which readings must come.
    """

    code: int
    sizes: tuple[int, ...] = (0,)
    outside: str = "extrapolate"
    temperature: str = "never"
    unit_in: str = ""


FORMS: Final = {
    "identity": Form(IDENTITY),
    "offset": Form(POLYNOMIAL, (1,)),
    "slope": Form(POLYNOMIAL, (1,)),
    "polynomial": Form(POLYNOMIAL, ()),
    "table": Form(TABLE, outside="missing"),
    "nernst": Form(NERNST, (2,), temperature="always", unit_in="mV"),
    "ise": Form(ION, (2,), temperature="always", unit_in="mV"),
    "stern_volmer": Form(QUENCHING, (2, 4), temperature="last two"),
    "stern_volmer_two_site": Form(QUENCHING, (4, 6), temperature="last two"),
    "ranges": Form(RANGES, outside="missing"),
}
"""Every form, by the `kind` of a certificate."""


def packed(item: Calibration) -> tuple[int, int, list[float]]:
    """Return a calibration's size, its option and its numbers, as its form's arithmetic in `shapes` reads them."""
    if item.kind == "table":
        return len(item.points), 0, [v for x, y, u in item.points for v in (x, y, 0.0 if math.isnan(u) else u)]
    if item.kind == "ranges":
        return len(item.ranges), OVERLAPS[item.overlap], _ranges(item)
    if item.kind in ("nernst", "ise"):
        return 2, 0, _electrode(item)
    if item.kind.startswith("stern_volmer"):
        numbers = _quenching(item)
        return math.isqrt(len(numbers) - 8), 0, numbers
    coefficients, square = list(item.coefficients), _square(item)
    if item.kind == "offset":
        coefficients, square = [coefficients[0], 1.0], np.diag([square[0, 0], 0.0])
    if item.kind == "slope":
        coefficients, square = [0.0, coefficients[0]], np.diag([0.0, square[0, 0]])
    return len(coefficients), 0, [*coefficients, *_along(square)]


def _square(item: Calibration) -> np.ndarray:
    size = len(item.coefficients)
    return np.array(item.covariance) if item.covariance else np.zeros((size, size))


def _along(square: np.ndarray) -> list[float]:
    """Return the variance of a polynomial as a polynomial of the reading: gᵀ V g, g = (1, x, x², …), by powers of x."""
    size = len(square)
    return [float(np.fliplr(square).trace(size - 1 - power)) for power in range(2 * size - 1)]


def _electrode(item: Calibration) -> list[float]:
    if item.kind == "nernst":
        level, each = item.isopotential, -IDEAL_SLOPE / 100.0
    else:
        level, each = math.log10(item.isopotential), 1.0 / (item.reference_temperature + 273.15)
    return [level, each, *item.coefficients, *_square(item).ravel().tolist()]


def _quenching(item: Calibration) -> list[float]:
    two = item.kind == "stern_volmer_two_site"
    given = len(item.coefficients)
    # Of x0, K1, a, b, f, K2, as `quenching` wants them: where each stands in the certificate; None: not given.
    places: list[int | None] = [0, 1, given - 2, given - 1] if item.takes_temperature else [0, 1]
    if two:
        places = [*places, *([] if item.takes_temperature else [None, None]), 2, 3]
    lacking = (0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    values = [lacking[k] if place is None else item.coefficients[place] for k, place in enumerate(places)]
    values += lacking[len(values) :]
    square = np.zeros((len(places), len(places)))
    known = [k for k, place in enumerate(places) if place is not None]
    rows = [place for place in places if place is not None]
    square[np.ix_(known, known)] = _square(item)[np.ix_(rows, rows)]
    if item.signal == "phase":
        # The phase without oxygen stands for its tangent.
        steep = math.radians(1.0) / math.cos(math.radians(values[0])) ** 2
        values[0] = math.tan(math.radians(values[0]))
        square[0] *= steep
        square[:, 0] *= steep
    return [float(SIGNALS[item.signal]), item.reference_temperature, *values, *square.ravel().tolist()]


def _ranges(item: Calibration) -> list[float]:
    numbers: list[float] = []
    for part in item.ranges:
        size = len(part.coefficients)
        left = part.residual_uncertainty
        if left is None:
            left = 0.0 if part.covariance or item.residual_uncertainty is not None else math.nan
        square = np.array(part.covariance) if part.covariance else np.zeros((size, size))
        numbers += [part.low, part.high, left, float(size), *part.coefficients, *_along(square)]
    return numbers
