"""How noise and drift of an instrument pass into each other with the time of averaging: Allan deviations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.series import unpack
from nilometer.trials.allan import kernel
from nilometer.trials.allan.confidence import degrees_of_freedom, interval_of, noise_powers

__all__ = ["AllanCurve", "allan_curve", "allan_deviation", "averaging_factors"]

Floats = NDArray[np.float64]
Kind = Literal["adev", "oadev", "mdev", "tdev", "hdev", "ohdev"]
Spacing = Literal["octave", "decade", "log", "all"]

_FAR: Final = 1 << 16  # the partners of a block that are further away have left the cache when the next one comes


@dataclass(frozen=True, slots=True)
class _Kind:
    order: int
    overlaps: bool
    is_modified: bool
    name: str


_KINDS: Final[dict[str, _Kind]] = {
    "adev": _Kind(2, False, False, "Allan deviation"),  # noqa: FBT003 -- a table's row
    "oadev": _Kind(2, True, False, "overlapping Allan deviation"),  # noqa: FBT003
    "mdev": _Kind(2, True, True, "modified Allan deviation"),  # noqa: FBT003
    "tdev": _Kind(2, True, True, "time deviation"),  # noqa: FBT003
    "hdev": _Kind(3, False, False, "Hadamard deviation"),  # noqa: FBT003
    "ohdev": _Kind(3, True, False, "overlapping Hadamard deviation"),  # noqa: FBT003
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AllanCurve:
    """Deviations of one record over times of averaging, each with its interval.

    Parameters
    ----------
    kind : str
        ``adev``, ``oadev``, ``mdev``, ``tdev``, ``hdev`` or ``ohdev``.
    interval_s : float
        Between two values of the record.
    n_values : int
        Rates of the record (one less than phases).
    factor : ndarray of int64, shape (k,)
        Of how many values a mean is made.
    tau_s : ndarray of float64, shape (k,)
        ``factor · interval_s``.
    deviation : ndarray of float64, shape (k,)
        In the unit of the record's rates (``tdev``: that times s); NaN where the record is too short.
    n : ndarray of int64, shape (k,)
        Differences it is made of.
    noise : ndarray of int64, shape (k,)
        Power α of the noise that prevails there: 2 white phase … 0 flicker of the rate, −1, −2 its random walk.
    edf : ndarray of float64, shape (k,)
        Equivalent degrees of freedom of the variance.
    lower, upper : ndarray of float64, shape (k,)
        Interval of the deviation.
    probability : float
        Of the interval, two-sided.
    """

    kind: str
    interval_s: float
    n_values: int
    factor: NDArray[np.int64]
    tau_s: Floats
    deviation: Floats
    n: NDArray[np.int64]
    noise: NDArray[np.int64]
    edf: Floats
    lower: Floats
    upper: Floats
    probability: float


def averaging_factors(n_values: int, spacing: Spacing = "octave", *, order: int = 2) -> NDArray[np.int64]:
    """Return the factors a record of `n_values` rates is long enough for.

    Parameters
    ----------
    n_values : int
        Rates, at equal steps.
    spacing : {"octave", "decade", "log", "all"}
        1 2 4 8 …; 1 2 4 10 20 40 …; ten a decade, as far as they are whole numbers; every one.
    order : int
        Of the difference: 2 for Allan, 3 for Hadamard deviations.

    Returns
    -------
    ndarray of int64
        Up to a fifth of the record (Allan): beyond, a figure rests on fewer than three differences that share nothing.

    Examples
    --------
    >>> averaging_factors(100, "decade").tolist()
    [1, 2, 4, 10, 20]
    """
    most = max(n_values // (2 * order + 1), 1)
    if spacing == "all":
        return np.arange(1, most + 1)
    exponents = np.arange(int(np.log10(most)) + 2)
    spread = {
        "octave": 2.0 ** np.arange(int(np.log2(most)) + 1),
        "decade": (10.0 ** exponents[:, None] * np.array([1.0, 2.0, 4.0])).ravel(),
        "log": 10.0 ** (np.arange(10 * len(exponents)) / 10.0),
    }
    if spacing not in spread:
        raise ValueError(f"spacing {spacing!r} (allowed: octave, decade, log, all)")
    found: NDArray[np.int64] = np.unique(np.round(spread[spacing]).astype(np.int64))
    return found[found <= most]


def allan_deviation(
    series: Any,  # noqa: ANN401 -- any library's series
    factors: ArrayLike,
    *,
    overlapping: bool = True,
    kind: Kind | None = None,
    of: Literal["rate", "phase"] = "rate",
    interval_s: float = 1.0,
    threads: int = 1,
) -> Floats:
    """Return the Allan deviation of a steady signal for several times of averaging.

    Parameters
    ----------
    series : series of n numbers
        At equal steps of time, without gaps.
    factors : sequence of int
        Of how many values each a mean is made.
    overlapping : bool
        Use every place at which a pair of means may begin: the same quantity, less noise.
    kind : {"adev", "oadev", "mdev", "tdev", "hdev", "ohdev"}, optional
        Which deviation; it outranks `overlapping`.
    of : {"rate", "phase"}
        Whether the series is what is averaged (rate, frequency, concentration), or its integral over time.
    interval_s : float
        Between two values.
    threads : int
        How many run at once; 1 is one core.

    Returns
    -------
    ndarray of float64
        One a factor, in the unit of the series (of a phase: per s; ``tdev``: times s); NaN where there are too few
        values for it.

    Raises
    ------
    ValueError
        If a value is missing, a factor is below 1, or a name is unknown.

    References
    ----------
    NIST SP 1065 (2008): adev eq. 5 to 8, oadev eq. 10 and 11, mdev eq. 15 and 16, tdev eq. 19, hdev eq. 24 and 25.

    Examples
    --------
    >>> allan_deviation([892.0, 809, 823, 798, 671, 644, 883, 903, 677], [1, 2]).round(5).tolist()
    [91.22945, 85.95287]
    """
    chosen = _kind(kind or ("oadev" if overlapping else "adev"))
    wanted = _checked(factors)
    values = _values(series, of)
    if of == "rate" and chosen.overlaps and not chosen.is_modified and threads <= 1:
        squares = _of_rates(values, wanted, chosen.order)
        found = _scaled(squares, len(values) + 1, wanted, chosen, interval_s, of)[0]
    else:
        found = _deviations(_phase(values, of), wanted, chosen, interval_s, of, threads)[0]
    return found * wanted * interval_s / math.sqrt(3.0) if kind == "tdev" else found


def allan_curve(
    series: Any,  # noqa: ANN401 -- any library's series
    factors: Spacing | Sequence[int] = "octave",
    *,
    kind: Kind = "oadev",
    of: Literal["rate", "phase"] = "rate",
    interval_s: float = 1.0,
    probability: float = 0.683,
    threads: int = 1,
) -> AllanCurve:
    """Return the deviations of a record with their intervals.

    Parameters
    ----------
    series, kind, of, interval_s, threads
        As `allan_deviation` has them.
    factors : {"octave", "decade", "log", "all"} or sequence of int
        As `averaging_factors` makes them, or as given.
    probability : float
        Of the intervals: χ² with the degrees of freedom of the noise that prevails at each time of averaging.

    Raises
    ------
    ValueError
        If a value is missing, a factor is below 1, a name is unknown, or there are fewer than four values.

    Examples
    --------
    >>> curve = allan_curve([892.0, 809, 823, 798, 671, 644, 883, 903, 677], [1, 2])
    >>> curve.deviation.round(3).tolist(), curve.n.tolist()
    ([91.229, 85.953], [8, 6])
    """
    chosen = _kind(kind)
    if not 0.0 < probability < 1.0:
        raise ValueError(f"probability {probability!r} (allowed: between 0 and 1)")
    phase = _phase(_values(series, of), of)
    if len(phase) < 5:
        raise ValueError(f"{len(phase) - 1} rates are no record: four or more are needed")
    wanted = (
        averaging_factors(len(phase) - 1, factors, order=chosen.order)
        if isinstance(factors, str)
        else _checked(factors)
    )
    found, n = _deviations(phase, wanted, chosen, interval_s, of, threads)
    noise = noise_powers(phase, wanted, order=chosen.order)
    edf = degrees_of_freedom(
        len(phase),
        wanted,
        noise,
        order=chosen.order,
        overlaps=chosen.overlaps,
        is_modified=chosen.is_modified,
    )
    tau = wanted.astype(np.float64) * float(interval_s)
    if kind == "tdev":
        found = found * tau / math.sqrt(3.0)
    lower, upper = interval_of(found, edf, probability)
    return AllanCurve(
        kind=kind,
        interval_s=interval_s,
        n_values=len(phase) - 1,
        factor=wanted,
        tau_s=tau,
        deviation=found,
        n=n,
        noise=noise,
        edf=edf,
        lower=lower,
        upper=upper,
        probability=probability,
    )


def _kind(name: str) -> _Kind:
    if name not in _KINDS:
        raise ValueError(f"deviation {name!r} (allowed: {', '.join(_KINDS)})")
    return _KINDS[name]


def _checked(factors: ArrayLike) -> NDArray[np.int64]:
    wanted = np.atleast_1d(np.asarray(factors, np.int64))
    if len(wanted) and wanted.min() < 1:
        raise ValueError(f"factor {int(wanted.min())!r} (allowed: 1 or more)")
    return wanted


def _values(series: Any, of: str) -> Floats:  # noqa: ANN401 -- any library's series
    if of not in {"rate", "phase"}:
        raise ValueError(f"of = {of!r} (allowed: rate, phase)")
    return np.ascontiguousarray(unpack(series).values)


def _phase(values: Floats, of: str) -> Floats:
    if of == "phase":
        _check_whole(float(values.sum()))
        return values
    phase = np.empty(len(values) + 1)
    phase[0] = 0.0
    kernel.accumulate(values, _centre(values), phase, 0, len(values), np.zeros(2))
    _check_whole(phase[-1])
    return phase


def _centre(values: Floats) -> float:
    """Return about the mean: differences do not see it, it only has to keep the sums small."""
    return float(values[:: max(len(values) >> 16, 1)].mean()) if len(values) else 0.0


def _check_whole(total: float) -> None:
    if not math.isfinite(total):  # so is the sum of anything with a gap
        raise ValueError("the series has gaps: take a stretch without, or fill them")


def _of_rates(values: Floats, factors: NDArray[np.int64], order: int) -> Floats:
    """Return the squared differences of the phase of rates, which is never kept as a whole unless far factors ask."""
    centre, squares = _centre(values), np.zeros(len(factors))
    sums, near = np.zeros((len(values) // kernel.LANE + 1, 2)), factors < _FAR
    part = np.zeros(np.count_nonzero(near))
    _check_whole(kernel.squares_in_window(values, centre, factors[near], order, sums, part))
    squares[near] = part
    far = factors[~near]
    if len(far) and (step := int(np.gcd.reduce(far))) >= _FAR and step % kernel.LANE == 0:
        part = np.zeros(len(far))
        kernel.squares_in_lanes(values, centre, far, order, step, sums, part)
        squares[~near] = part
    elif len(far):
        squares[~near] = _blocked(_phase(values, "rate"), far, order, 1)
    return squares


def _deviations(
    phase: Floats,
    factors: NDArray[np.int64],
    kind: _Kind,
    interval_s: float,
    of: str,
    threads: int,
) -> tuple[Floats, NDArray[np.int64]]:
    if kind.is_modified:
        squares = _over(threads, factors, lambda m: kernel.squares_of_means(phase, m))
    elif kind.overlaps:
        squares = _blocked(phase, factors, kind.order, threads)
    else:
        squares = _over(threads, factors, lambda m: kernel.squares_stepping(phase, m, kind.order))
    return _scaled(squares, len(phase), factors, kind, interval_s, of)


def _scaled(
    squares: Floats, n: int, factors: NDArray[np.int64], kind: _Kind, interval_s: float, of: str
) -> tuple[Floats, NDArray[np.int64]]:
    """Return deviations, and of how many differences each is made, from sums of squares over n phases."""
    order = kind.order
    if kind.is_modified:
        counts = n - 3 * factors + 1
    elif kind.overlaps:
        counts = n - order * factors
    else:
        counts = (n - order * factors + factors - 1) // factors
    counts = np.maximum(counts, 0)
    unit = interval_s if of == "phase" else 1.0  # a running sum of rates is a phase per step
    scale = (2.0 if order == 2 else 6.0) * (factors * unit) ** 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.sqrt(np.where(counts > 0, squares / (scale * counts), np.nan))
    return found, counts


def _over(threads: int, factors: NDArray[np.int64], square: Any) -> Floats:  # noqa: ANN401 -- a compiled call
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        return np.array(list(pool.map(square, factors)), np.float64)


def _blocked(phase: Floats, factors: NDArray[np.int64], order: int, threads: int) -> Floats:
    least = int(factors.min()) if len(factors) else 0
    are_shared = least >= _FAR and bool((factors % least == 0).all())
    step = least if are_shared else len(phase)
    stops = np.linspace(0, step, max(threads, 1) + 1).astype(np.int64)
    parts = np.zeros((len(stops) - 1, len(factors)))

    def part(i: int) -> None:
        kernel.squares_overlapping(phase, factors, order, step, stops[i], stops[i + 1], parts[i])

    if len(parts) == 1:
        part(0)
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(part, range(len(parts))))
    squares: Floats = parts.sum(axis=0)
    return squares
