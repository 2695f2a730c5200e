"""Judge a series of any library, without a server: the kernel that runs live, over one series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.model.batch import ObservationBatch
from nilometer.qc.engine import QcEngine
from nilometer.qc.flags import NOT_EVALUATED, QartodFlag
from nilometer.qc.joint import Partner
from nilometer.qc.peer import in_parts
from nilometer.qc.peer_parts import Parts
from nilometer.qc.profile import Profile, load
from nilometer.qc.qartod.percentile_range import span_of
from nilometer.series import Unpacked, is_frame, microseconds, unpack

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
    profile: Any,  # noqa: ANN401 -- a name, a file, a dict, a profile, or a configuration of ioos_qc in any form
    time: Any = None,  # noqa: ANN401 -- any library's times
    *,
    unit: str | Mapping[str, str] = "",
    depth: Any = None,  # noqa: ANN401 -- as the series
    latitude: Any = None,  # noqa: ANN401 -- as the series
    longitude: Any = None,  # noqa: ANN401 -- as the series
    syntax: Any = None,  # noqa: ANN401 -- as the series
    received: Any = None,  # noqa: ANN401 -- a time of any library
    others: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401 -- by what is given
    """Return the QARTOD flags of a series, or of the columns of a frame.

    The rows are taken in the order given, as if they arrived one by one: a row that is not newer than all before it
    gets the point tests only. NaN, null, masked and infinite values are MISSING.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series, xarray.DataArray or pyarrow.Array, shape (n,)
        Results; or a frame (pandas, polars, Arrow, xarray.Dataset, mapping of arrays), judged column by column as
        `nilometer.qc.check_frame` does.
    profile : str, path, mapping or Profile
        As `nilometer.qc.load` takes it: a name, a file, or a dict in our spelling or in `ioos_qc`'s; or an `ioos_qc`
        configuration in any form that `nilometer.qc.peer.streams` takes. For a frame a mapping of column to profile,
        or a configuration whose streams are its columns.
    time : array_like or str, optional
        Times of the values (datetime64, aware or naive datetimes, ISO 8601 text, or whole µs since 1970; naive is UTC),
        where the series does not bring them. Without any, the tests that need times (gap, rate of change, flat line
        and others) are NOT_EVALUATED.
    unit : str, or mapping of column to str
        Unit of the series; thresholds are converted to it. Empty: the profile's own.
    depth, latitude, longitude : array_like, shape (n,), or number, optional
        Where each value was measured: m below the surface, degree_north, degree_east.
    syntax : array_like of int, shape (n,), optional
        QARTOD flags of the records the values came in (`nilometer.qc.qartod.syntax.flag_records`).
    received : datetime, datetime64, str or int (µs since 1970 UTC), optional
        When the series was received, for the tests of reception and of dates in the future. No clock is read.
    others : mapping of str to series, optional
        For tests of several series (multi_variate, neighbor, ts_curve), by their parameter `other`: a series that
        brings its times, or a pair of values and times. A test without its other series is NOT_EVALUATED.

    Returns
    -------
    CheckResult
        `flags` and `tests[name]` of the kind that came in; for a frame a `Columnwise`.

    Raises
    ------
    ConfigError
        If the profile does not exist, cannot be used, or is of another dimension than `unit`.
    TypeError
        If `series` is no series.
    ValueError
        If it is not one-dimensional, not numeric, or something is not as long as it.

    Examples
    --------
    >>> import numpy as np
    >>> ph = check(np.array([7.0, 7.1, 19.0, np.nan]), {"tests": {"gross_range": {"fail": [0, 14], "suspect": [6, 9]}}})
    >>> ph.flags.tolist()
    [1, 1, 4, 9]
    """
    beside = {"depth": depth, "latitude": latitude, "longitude": longitude, "syntax": syntax}
    if is_frame(series):
        from nilometer.qc.frames import check_frame  # noqa: PLC0415 -- it is made of this function

        more = {
            name: value
            for name, value in (beside | {"received": received, "others": others}).items()
            if value is not None
        }
        return check_frame(series, profile, time=time, units=unit or None, **more)  # type: ignore[arg-type]
    if not isinstance(unit, str):
        raise TypeError("units by column are for frames: give the unit of the series")
    found = in_parts(profile)
    if isinstance(found, Parts):
        beside = {"depth": depth, "latitude": latitude, "longitude": longitude, "syntax": syntax}
        given = {name: value for name, value in beside.items() if value is not None}
        return found.check(series, time, unit=unit, received=received, others=others, **given)
    if found is None and not isinstance(profile, str | Path | Mapping | Profile):
        allowed = 'a name such as "river/ph", a file, or a dict'
        raise ConfigError("profile", seen=profile if profile is None else type(profile).__name__, allowed=allowed)
    part = unpack(series, time)
    judged = _frozen((load(profile) if found is None else found).in_unit(unit), part.values)
    n = len(part.values)
    batch = ObservationBatch(
        datastream=np.zeros(1, np.int32),
        phenomenon_time=np.arange(n, dtype=np.int64) if part.times is None else part.times,
        raw_result=part.values,
        result=part.values,
        id=np.empty(0, np.int64),
        depth=_beside("depth", depth, n),
        latitude=_beside("latitude", latitude, n),
        longitude=_beside("longitude", longitude, n),
        syntax=None if syntax is None else _as_flags(_beside("syntax", syntax, n)),
    )
    when = None if received is None else int(microseconds(np.atleast_1d(np.asarray(received)))[0])
    engine = QcEngine()
    partners = {} if part.times is None else _partners(judged, others or {})
    engine.set(
        0,
        judged,
        unit=judged.unit,
        timed=part.times is not None,
        partners={name: Partner(datastream) for name, (datastream, _) in partners.items()},
    )
    if partners:
        return _joined(engine, judged, part, batch, partners, when)
    outcome = engine.walk(batch, None, received=when)
    tests = {name: part.rewrap(outcome.test(slot)) for slot, name in enumerate(judged.names)}
    return CheckResult(part.rewrap(outcome.quality), tests, judged)


def _frozen(profile: Profile, values: NDArray[np.float64]) -> Profile:
    """Return the profile with the percentiles of this series where it asks for such."""
    tests = []
    for test in profile.tests:
        frozen = test
        if test.kind == "percentile_range" and "span" not in test.parameters:
            span = span_of(values, test.parameters)
            if span is not None:
                frozen = replace(test, parameters=MappingProxyType({**test.parameters, "span": span}))
        tests.append(frozen)
    return replace(profile, tests=tuple(tests))


def _beside(name: str, values: Any, n: int) -> NDArray[np.float64] | None:  # noqa: ANN401 -- any library's series
    if values is None:
        return None
    column = np.full(n, float(values)) if isinstance(values, int | float) else unpack(values).values
    if len(column) != n:
        raise ValueError(f"{n} values and {len(column)} of {name}: one a value is needed")
    return column


def _as_flags(values: NDArray[np.float64] | None) -> NDArray[np.uint8]:
    flags = np.nan_to_num(np.asarray(values), nan=float(NOT_EVALUATED))
    if not np.isin(flags, [int(flag) for flag in QartodFlag]).all():
        raise ValueError("syntax: QARTOD flags (1, 2, 3, 4, 9) are needed")
    return np.asarray(flags, np.uint8)


def _partners(profile: Profile, others: Mapping[str, Any]) -> dict[str, tuple[int, Unpacked]]:
    """Return, by test, the number and the columns of the other series."""
    found: dict[str, tuple[int, Unpacked]] = {}
    for test in profile.tests:
        other = str(test.parameters.get("other"))
        if other not in others:
            continue
        given = others[other]
        part = unpack(*given) if isinstance(given, tuple) else unpack(given)
        if part.times is None:
            raise ValueError(f"others[{other!r}] brings no times: give a pair of values and times")
        found[test.name] = (len(found) + 1, part)
    return found


def _joined(
    engine: QcEngine,
    judged: Profile,
    part: Unpacked,
    batch: ObservationBatch,
    partners: Mapping[str, tuple[int, Unpacked]],
    received: int | None,
) -> CheckResult:
    """Judge a series among those its tests compare it with, as all would have arrived: by their times."""
    n = len(part.values)
    parts = [(0, batch.phenomenon_time, part.values)]
    for number, other in partners.values():
        engine.set(number, None, unit=judged.unit)
        assert other.times is not None  # noqa: S101 -- seen to by _partners
        parts.append((number, other.times, other.values))
    came = np.concatenate([np.maximum.accumulate(times) if len(times) else times for _, times, _ in parts])
    order = np.argsort(came, kind="stable")
    sizes = [len(values) for _, _, values in parts]

    def column(name: str) -> NDArray[Any] | None:
        values = getattr(batch, name)
        if values is None:
            return None
        rest = np.full(sum(sizes) - n, NOT_EVALUATED if name == "syntax" else np.nan).astype(values.dtype)
        mixed: NDArray[Any] = np.concatenate([values, rest])[order]
        return mixed

    values = np.concatenate([values for _, _, values in parts])[order]
    whole = ObservationBatch(
        datastream=np.repeat(np.array([number for number, _, _ in parts], np.int32), sizes)[order],
        phenomenon_time=np.concatenate([times for _, times, _ in parts])[order],
        raw_result=values,
        result=values,
        id=order.astype(np.int64),
        depth=column("depth"),
        latitude=column("latitude"),
        longitude=column("longitude"),
        syntax=column("syntax"),
    )
    outcome = engine.walk(whole, None, received=received)
    own = np.argsort(order[order < n], kind="stable")
    mine = np.flatnonzero(order < n)[own]
    tests = {name: part.rewrap(outcome.test(slot)[mine]) for slot, name in enumerate(judged.names)}
    return CheckResult(part.rewrap(outcome.quality[mine]), tests, judged)
