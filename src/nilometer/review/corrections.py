"""The corrections for a notebook: a series of any library in, the same kind out.

Each is the arithmetic of one action of a review, without a history; see `nilometer.review.apply` for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model import QartodFlag
from nilometer.review.applying import Applied, Rows, apply
from nilometer.review.steps import Step, parse
from nilometer.series import microseconds, unpack

__all__ = ["drift", "interpolate", "offset", "retime"]


def offset(series: Any, value: float, *, start: Any = None, end: Any = None, time: Any = None) -> Any:  # noqa: ANN401 -- any library's series
    """Add a number to the values of a span.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Results; a missing one stays missing.
    value : float
        What is added, in the unit of the series.
    start, end : time, optional
        The span, end exclusive; None: from the first, to the last.
    time : array_like, optional
        Times, where the series brings none.

    Returns
    -------
    same kind as `series`

    Raises
    ------
    RequestError
        If the span is reversed or the number is none.

    Examples
    --------
    >>> offset([7.1, 7.2], 0.2, time=["2024-01-01", "2024-01-02"])
    [7.3, 7.4]
    """
    part = unpack(series, time)
    times = _times(part.times)
    begin, stop = _span(times, start, end)
    step = parse("offset", begin, stop, {"offset": value})
    return part.rewrap(_run(times, part.values, step).rows.result)


def drift(
    series: Any,  # noqa: ANN401 -- any library's series
    start: Any,  # noqa: ANN401 -- any library's time
    end: Any,  # noqa: ANN401
    *,
    gap: float | None = None,
    gap_percent: float | None = None,
    points: Sequence[tuple[Any, float]] | None = None,
    standards: tuple[tuple[float, float], tuple[float, float]] | None = None,
    shape: str = "linear",
    time: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Take out a drift that grew from 0 at one calibration to what was found at the next.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Results; a missing one stays missing.
    start, end : time
        The two calibrations; only values from `start` to before `end` change.
    gap : float, optional
        Standard minus reading at the end, in the unit of the series.
    gap_percent : float, optional
        The same in percent of the reading.
    points : sequence of (time, float), optional
        The gap at several dates.
    standards : pair of (value, reading), optional
        A low and a high standard: what each is, and what was read in it at the end.
    shape : {"linear", "step"}
        It grew along a line, or all of it was there from the start.
    time : array_like, optional
        Times, where the series brings none.

    Returns
    -------
    same kind as `series`

    Raises
    ------
    RequestError
        If not exactly one form is given, or the dates are reversed.

    Examples
    --------
    >>> days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    >>> drift([8.0, 8.0, 8.0], days[0], days[2], gap=0.2, time=days)
    [8.0, 8.1, 8.0]
    """
    part = unpack(series, time)
    dated = None if points is None else [[_moment(date), gap] for date, gap in points]
    forms = {"gap": gap, "gap_percent": gap_percent, "points": dated, "standards": standards, "shape": shape}
    given = {name: form for name, form in forms.items() if form is not None}
    step = parse("drift", _moment(start), _moment(end), given)
    return part.rewrap(_run(_times(part.times), part.values, step).rows.result)


def interpolate(
    series: Any,  # noqa: ANN401 -- any library's series
    greatest_gap: str | float,
    *,
    flags: Any = None,  # noqa: ANN401
    start: Any = None,  # noqa: ANN401
    end: Any = None,  # noqa: ANN401
    time: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Fill missing values, and those flagged FAIL or MISSING, on the straight line between good neighbours.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Results.
    greatest_gap : str or float
        From the good value before to the one after, at most: "2 h", or seconds.
    flags : array_like, shape (n,), optional
        QARTOD flags.
    start, end : time, optional
        The span to fill, end exclusive.
    time : array_like, optional
        Times, where the series brings none.

    Returns
    -------
    same kind as `series`

    Raises
    ------
    RequestError
        If the gap is no length of time, or the span is reversed.

    Examples
    --------
    >>> interpolate([1.0, None, 3.0], "2 h", time=["2024-01-01T00", "2024-01-01T01", "2024-01-01T02"])
    [1.0, 2.0, 3.0]
    """
    part = unpack(series, time)
    times = _times(part.times)
    quality = None if flags is None else unpack(flags).values.astype(np.int8)
    begin, stop = _span(times, start, end)
    step = parse("interpolate", begin, stop, {"greatest_gap": greatest_gap})
    return part.rewrap(_run(times, part.values, step, quality).rows.result)


def retime(
    time: Any,  # noqa: ANN401 -- any library's times
    shift: str | float,
    *,
    shift_end: str | float | None = None,
    start: Any = None,  # noqa: ANN401
    end: Any = None,  # noqa: ANN401
) -> NDArray[np.int64]:
    """Return times (µs since 1970 UTC) with the error of a clock taken out.

    Parameters
    ----------
    time : array_like
        As the clock said.
    shift, shift_end : str or float
        What is added at the start and at the end of the span: "-1 h", or seconds; between them along a line.
    start, end : time, optional
        The span, end exclusive.

    Raises
    ------
    RequestError
        If time would run backwards, or nothing would move.

    Examples
    --------
    >>> retime(["2024-01-01T01:00"], "-1 h").astype("datetime64[us]").tolist()
    [datetime.datetime(2024, 1, 1, 0, 0)]
    """
    times = microseconds(time)
    begin, stop = _span(times, start, end)
    told = {"shift": shift} | ({} if shift_end is None else {"shift_end": shift_end})
    return _run(times, np.zeros(len(times)), parse("retime", begin, stop, told)).rows.time


def _run(
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    step: Step,
    quality: NDArray[np.int8] | None = None,
) -> Applied:
    n = len(values)
    yes = np.ones(n, bool)
    rows = Rows(
        id=np.arange(n, dtype=np.int64),
        time=times,
        result=values,
        uncertainty=np.full(n, np.nan),
        quality=np.full(n, QartodFlag.PASS, np.int8) if quality is None else quality,
        numeric=yes,
        water=yes,
        place=np.zeros(n, np.int64),
    )
    return apply(rows, [step])


def _times(times: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if times is None:
        raise ValueError("these values bring no times: give them as time=")
    return times


def _span(times: NDArray[np.int64], start: Any, end: Any) -> tuple[int, int]:  # noqa: ANN401
    first = int(times.min(initial=0)) if start is None else _moment(start)
    last = int(times.max(initial=0)) + 1 if end is None else _moment(end)
    return first, last


def _moment(time: Any) -> int:  # noqa: ANN401
    return int(microseconds([time])[0])
