"""From the Observations of one property to the one value that is held against a limit.

Doubt is not deletion: FAIL and MISSING are left out, SUSPECT stays, and the value without it stands beside. Values of
check samples, standards and blanks are not the water and never enter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag

__all__ = ["ItemSeries", "ItemStatistics", "reduce"]

_BELOW = {"half": 0.5, "limit": 1.0, "zero": 0.0}
_FLAGS = tuple(int(flag) for flag in QartodFlag)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSeries:
    """Observations of one property, as columns.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Results; NaN is missing.
    unit : str
        Unit of the values.
    quality : ndarray of int8, shape (n,), optional
        QARTOD flags; None: nothing was judged.
    censored : ndarray of int8, shape (n,), optional
        -1 below, +1 above the measurable: the value is the limit.
    sample : ndarray of int8, shape (n,), optional
        `SampleKind`; only water (0) enters.
    times : ndarray of int64, shape (n,), optional
        µs since 1970 UTC, in any order.
    datastreams : tuple of str
        Keys of the Datastreams (or names of the columns) they come from.
    """

    values: NDArray[np.float64]
    unit: str
    quality: NDArray[np.int8] | None = None
    censored: NDArray[np.int8] | None = None
    sample: NDArray[np.int8] | None = None
    times: NDArray[np.int64] | None = None
    datastreams: tuple[str, ...] = ()

    def between(self, start: int, end: int) -> ItemSeries:
        """Return the Observations from `start` (µs, inclusive) to `end` (exclusive); all where times are absent."""
        if self.times is None:
            return self
        rows = (self.times >= start) & (self.times < end)
        return ItemSeries(
            values=self.values[rows],
            unit=self.unit,
            quality=None if self.quality is None else self.quality[rows],
            censored=None if self.censored is None else self.censored[rows],
            sample=None if self.sample is None else self.sample[rows],
            times=self.times[rows],
            datastreams=self.datastreams,
        )

    def flags(self) -> NDArray[np.int8]:
        """Return the flag of every value: MISSING for NaN, NOT_EVALUATED where nothing was judged.

        Raises
        ------
        ConfigError
            If a flag is none of QARTOD's.
        """
        if self.quality is None:
            flags = np.full(len(self.values), QartodFlag.NOT_EVALUATED, np.int8)
        else:
            flags = np.asarray(self.quality, np.int8)
            strange = ~np.isin(flags, _FLAGS)
            if strange.any():
                seen = int(flags[np.argmax(strange)])
                raise ConfigError("quality", seen=seen, allowed="QARTOD flags 1, 2, 3, 4 and 9")
        return np.where(np.isnan(self.values), np.int8(QartodFlag.MISSING), flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStatistics:
    """What a window's Observations of one property come to.

    `value` rests on `n` values (PASS, NOT_EVALUATED and SUSPECT) and is NaN where there is none;
    `value_without_suspect` leaves the `suspect` out; `arithmetic` is the plain mean. `failed`, `missing`
    and `samples` were left out of both. `below` and `above` count censored values among the n. `first` and `last` are
    µs, None where times are absent.
    """

    value: float
    value_without_suspect: float
    unit: str
    n: int
    suspect: int = 0
    not_evaluated: int = 0
    failed: int = 0
    missing: int = 0
    samples: int = 0
    below: int = 0
    above: int = 0
    arithmetic: float = float("nan")
    minimum: float = float("nan")
    maximum: float = float("nan")
    first: int | None = None
    last: int | None = None
    datastreams: tuple[str, ...] = ()


def reduce(series: ItemSeries, unit: str, *, mean: str = "arithmetic", below: str = "half") -> ItemStatistics:
    """Return the representative value of a series with the count of what it rests on.

    Parameters
    ----------
    series : ItemSeries
        The Observations of the window.
    unit : str
        Unit of the result.
    mean : {"arithmetic", "hydrogen_ion"}
        The mean of pH is that of the hydrogen-ion concentration, −log10(mean(10^−pH)).
    below : {"half", "limit", "zero"}
        What stands for a value below the detection limit.

    Returns
    -------
    ItemStatistics
        NaN values where no Observation may enter.

    Raises
    ------
    UnitError
        If the unit of the series has another dimension.
    ConfigError
        If a quality flag is none of QARTOD's.

    Examples
    --------
    >>> import numpy as np
    >>> reduce(ItemSeries(values=np.array([6.0, 8.0]), unit="1"), "1", mean="hydrogen_ion").value.__round__(3)
    6.297
    """
    water = np.ones(len(series.values), bool) if series.sample is None else np.asarray(series.sample) == 0
    flags = series.flags()
    used = water & (flags != QartodFlag.FAIL) & (flags != QartodFlag.MISSING)
    suspect = used & (flags == QartodFlag.SUSPECT)
    values = units.convert(series.values, series.unit, unit)
    censored = np.zeros(len(values), np.int8) if series.censored is None else np.asarray(series.censored)
    values = np.where(censored < 0, values * _BELOW[below], values)
    times = None if series.times is None else series.times[used]
    entered = values[used]
    return ItemStatistics(
        value=_mean(entered, mean),
        value_without_suspect=_mean(values[used & ~suspect], mean),
        unit=unit,
        n=int(used.sum()),
        suspect=int(suspect.sum()),
        not_evaluated=int((used & (flags == QartodFlag.NOT_EVALUATED)).sum()),
        failed=int((water & (flags == QartodFlag.FAIL)).sum()),
        missing=int((water & (flags == QartodFlag.MISSING)).sum()),
        samples=int((~water).sum()),
        below=int((used & (censored < 0)).sum()),
        above=int((used & (censored > 0)).sum()),
        arithmetic=_mean(entered, "arithmetic"),
        minimum=float(entered.min()) if len(entered) else float("nan"),
        maximum=float(entered.max()) if len(entered) else float("nan"),
        first=int(times.min()) if times is not None and len(times) else None,
        last=int(times.max()) if times is not None and len(times) else None,
        datastreams=series.datastreams,
    )


def _mean(values: NDArray[np.float64], how: str) -> float:
    if not len(values):
        return float("nan")
    if how == "hydrogen_ion":
        return float(-np.log10(np.mean(10.0**-values)))
    return float(np.mean(values))
