"""Judge a series of any library, without a server: the kernel that runs live, over one series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.model.batch import ObservationBatch
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import Profile, load
from nilometer.series import unpack

__all__ = ["CheckResult", "check"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Flags of a series.

    Parameters
    ----------
    flags : as the series
        The roll-up, QARTOD flags.
    tests : dict of str to the same kind
        The outcome of each test.
    profile : Profile
        What judged, with thresholds in the unit of the series.
    """

    flags: Any
    tests: dict[str, Any]
    profile: Profile


def check(
    series: Any,  # noqa: ANN401 -- any library's series
    profile: str | Path | Mapping[str, Any] | Profile,
    time: Any = None,  # noqa: ANN401 -- any library's times
    *,
    unit: str = "",
) -> CheckResult:
    """Return the QARTOD flags of a series.

    The rows are taken in the order given, as if they arrived one by one: a row that is not newer than all before it
    gets the point tests only. NaN, null, masked and infinite values are MISSING.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series, xarray.DataArray or pyarrow.Array, shape (n,)
        Results.
    profile : str, path, mapping or Profile
        As `nilometer.qc.load` takes it: a name, a file, or a dict in our spelling or in `ioos_qc`'s.
    time : array_like or str, optional
        Times of the values, where the series does not bring them. Without any, the tests that need times (gap, rate of
        change, flat line) are NOT_EVALUATED.
    unit : str
        Unit of the series; thresholds are converted to it. Empty: the profile's own.

    Returns
    -------
    CheckResult
        `flags` and `tests[name]` of the kind that came in.

    Raises
    ------
    ConfigError
        If the profile does not exist, cannot be used, or is of another dimension than `unit`.
    TypeError
        If `series` is no series.
    ValueError
        If it is not one-dimensional, not numeric, or not as long as its times.

    Examples
    --------
    >>> import numpy as np
    >>> ph = check(np.array([7.0, 7.1, 19.0, np.nan]), {"tests": {"gross_range": {"fail": [0, 14], "suspect": [6, 9]}}})
    >>> ph.flags.tolist()
    [1, 1, 4, 9]
    """
    judged = load(profile).in_unit(unit)
    part = unpack(series, time)
    n = len(part.values)
    engine = QcEngine()
    engine.set(0, judged, unit=judged.unit, timed=part.times is not None)
    batch = ObservationBatch(
        datastream=np.zeros(1, np.int32),
        phenomenon_time=np.arange(n, dtype=np.int64) if part.times is None else part.times,
        raw_result=part.values,
        result=part.values,
        id=np.empty(0, np.int64),
    )
    outcome = engine.walk(batch, None)
    tests = {name: part.rewrap(outcome.test(slot)) for slot, name in enumerate(judged.names)}
    return CheckResult(part.rewrap(outcome.quality), tests, judged)
