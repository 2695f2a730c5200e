"""4 to 20 mA on any wire: which current stands for which value, and which says that the transmitter has failed.

The current is the raw result, whoever brings it: a register, an OPC UA variable, a JSON field. What the transmitter
means by it, value = lower + (I - 4 mA) / 16 mA x (upper - lower), is written as a calibration, and what NAMUR NE 43
says of the current as the row's mark. Nothing is cut off: a broken wire's 0 mA stays 0 mA, and is marked.

NE 43 (NAMUR, "Standardization of the Signal Level for the Failure Information of Digital Transmitters"; limits as
published by several makers alike)::

    mA   0 ... 3.6   3.6 ... 3.8   3.8 ... 4   4 ... 20    20 ... 20.5   20.5 ... 21   21 ...
         failure     undefined     measured, saturated     measured,     undefined     failure
         low         low           low         (no mark)   saturated     high          high
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.config import ChannelConfig, LoopConfig
from nilometer.units import affine

__all__ = ["FAIL_HIGH_MA", "FAIL_LOW_MA", "HIGHEST_MA", "LOWEST_MA", "WORDS", "CurrentLoop", "expanded"]

FAIL_LOW_MA, LOWEST_MA, HIGHEST_MA, FAIL_HIGH_MA = 3.6, 3.8, 20.5, 21.0
ZERO_MA, FULL_MA = 4.0, 20.0
WORDS: tuple[str | None, ...] = (
    None,
    "ne43:fail_low",
    "ne43:undefined_low",
    "ne43:saturated_low",
    "ne43:saturated_high",
    "ne43:undefined_high",
    "ne43:fail_high",
)
"""Marks by code, as `CurrentLoop.codes` gives them."""

_DIGITS = 9  # A current that was a voltage across a shunt must not miss a limit by its last bit.
_SHUNT_OHM = {"1-5V": 250.0}


@dataclass(frozen=True, slots=True)
class CurrentLoop:
    """A transmitter's range.

    Parameters
    ----------
    zero_ma : float
        The current of `lower`: 4, or 0 for a signal without a live zero, of which NE 43 says nothing.
    lower, upper : float
        The values at the current's ends, in `unit`; `upper` may be the smaller one.
    unit : str
        Of the value.
    shunt_ohm : float, optional
        The signal is the voltage across so many ohm; None: it is the current itself.
    """

    zero_ma: float
    lower: float
    upper: float
    unit: str
    shunt_ohm: float | None = None

    @staticmethod
    def of(config: LoopConfig) -> CurrentLoop:
        """Return the loop that a configuration describes."""
        zero = 0.0 if config.signal == "0-20mA" else ZERO_MA
        shunt = config.shunt_ohm or _SHUNT_OHM.get(config.signal)
        return CurrentLoop(zero, config.lower, config.upper, config.unit, shunt)

    @property
    def signal_unit(self) -> str:
        """Return the unit of the signal: mA, or V across the shunt."""
        return "mA" if self.shunt_ohm is None else "V"

    def current(self, raw: NDArray[np.float64], raw_unit: str) -> NDArray[np.float64]:
        """Return the current that raw results stand for.

        Parameters
        ----------
        raw : ndarray of float64, shape (n,)
            In `raw_unit`; NaN stays NaN.
        raw_unit : str
            A current, or with a shunt a voltage.

        Returns
        -------
        ndarray of float64, shape (n,)
            mA.

        Raises
        ------
        UnitError
            If the raw unit is of another dimension.
        """
        scale, offset = affine(raw_unit, self.signal_unit)
        signal = raw * scale + offset
        current: NDArray[np.float64] = signal if self.shunt_ohm is None else signal * (1000.0 / self.shunt_ohm)
        return current

    def codes(self, current: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return what NE 43 says of currents, as places in `WORDS`; 0 is nothing, and so is NaN.

        Parameters
        ----------
        current : ndarray of float64, shape (n,)
            mA.

        Examples
        --------
        >>> loop = CurrentLoop(4.0, 0.0, 10.0, "m")
        >>> [WORDS[code] for code in loop.codes(np.array([0.0, 3.6, 3.7, 4.0, 20.5, 21.0]))]
        ['ne43:fail_low', 'ne43:fail_low', 'ne43:undefined_low', None, 'ne43:saturated_high', 'ne43:fail_high']
        """
        if self.zero_ma != ZERO_MA:
            return np.zeros(len(current), np.int8)
        with np.errstate(invalid="ignore", over="ignore"):
            seen = np.round(current, _DIGITS)
            bands = [
                seen <= FAIL_LOW_MA,
                seen < LOWEST_MA,
                seen < ZERO_MA,
                seen <= FULL_MA,
                seen <= HIGHEST_MA,
                seen < FAIL_HIGH_MA,
                seen >= FAIL_HIGH_MA,
            ]
        return np.select(bands, [1, 2, 3, 0, 4, 5, 6], default=0).astype(np.int8)

    def calibration(self, valid_from: str | None = None) -> dict[str, Any]:
        """Return the range as a calibration document: a straight line from the signal to the value."""
        scale = 1.0 if self.shunt_ohm is None else 1000.0 / self.shunt_ohm
        slope = (self.upper - self.lower) / (FULL_MA - self.zero_ma)
        document: dict[str, Any] = {
            "kind": "polynomial",
            "coefficients": [self.lower - self.zero_ma * slope, slope * scale],
            "unit_in": self.signal_unit,
            "unit_out": self.unit,
            "certificate": f"range {self.zero_ma:g} to 20 mA: {self.lower:g} to {self.upper:g} {self.unit}",
        }
        return document if valid_from is None else {**document, "valid_from": valid_from}


def expanded(channel: ChannelConfig) -> ChannelConfig:
    """Return a channel's configuration with its loop as what follows from it: unit, and the range as a calibration.

    Certificates of its own, which lead from the current to the value, take over from their dates on.
    """
    if channel.loop is None:
        return channel
    loop = CurrentLoop.of(channel.loop)
    changes = {
        "unit": channel.unit or loop.unit,
        "calibrations": (loop.calibration(channel.loop.valid_from), *channel.calibrations),
    }
    return channel.model_copy(update=changes)
