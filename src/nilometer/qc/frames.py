"""Judge the columns of a frame, or the variables of an xarray Dataset, each by its profile.

The same kernel as `nilometer.qc.check`, column by column. A frame gives a frame of flags; a Dataset comes back as it
was, with CF ancillary flag variables beside what was judged. Nothing is judged that no profile was named for.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.qc.cf import flag_name, flag_variables, rollup_name
from nilometer.qc.checking import CheckResult, check
from nilometer.qc.peer import is_configuration, is_peers, streams
from nilometer.qc.peer_contexts import DEFAULT_STREAM
from nilometer.qc.peer_parts import Parts
from nilometer.qc.profile import Profile
from nilometer.series import columns, microseconds

__all__ = ["Columnwise", "ProfileLike", "check_frame"]

ProfileLike = str | Path | Mapping[str, Any] | Profile | Parts
_PLACES: Mapping[str, tuple[str, ...]] = {
    "depth": ("depth", "z"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon"),
}
"""What `check` calls a place, and what Datasets call it where no standard_name says so."""


@dataclass(frozen=True, slots=True)
class Columnwise:
    """The flags of a frame.

    Parameters
    ----------
    flags : as the frame
        One column a test and a roll-up for each judged column, named as `ioos_qc` names them; of an xarray Dataset the
        Dataset itself with these as ancillary variables.
    results : dict of str to CheckResult
        By judged column: NumPy flags by the tests' own names, and the profile in the column's unit.
    """

    flags: Any
    results: dict[str, CheckResult]


def check_frame(
    frame: Any,  # noqa: ANN401 -- any library's frame
    profiles: Any,  # noqa: ANN401 -- a mapping, or a configuration of ioos_qc in any form
    *,
    time: Any = None,  # noqa: ANN401 -- a name, or any library's times
    units: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 -- what `check` takes
) -> Columnwise:
    """Return the QARTOD flags of the named columns of a frame.

    Parameters
    ----------
    frame : mapping of arrays, pandas.DataFrame, polars.DataFrame, pyarrow.Table or xarray.Dataset
        Rows in the order in which they are to be judged.
    profiles : mapping of str to profile
        What judges which column; profiles as `nilometer.qc.load` takes them. Or an `ioos_qc` configuration in any form
        (a file, text, a dict, a Dataset, a Config): its streams are columns by name, streams that are no column are
        left out, and tests without a stream judge every column of numbers.
    time : str or array_like, optional
        Name of the column that holds the times, or the times; absent: as `nilometer.series.columns` finds them.
    units : mapping of str to str, optional
        Units of columns. A Dataset brings them as its ``units`` attributes; absent: the profile's own.
    **more
        ``depth``, ``latitude``, ``longitude`` and whatever else `check` takes, for all columns. Of a Dataset the
        coordinates of these names, or standard names, are taken.

    Returns
    -------
    Columnwise
        `flags` of the kind that came in, and `results` by column.

    Raises
    ------
    ConfigError
        If a column does not exist or is no number, or a profile does not exist or is of another dimension; if
        `profiles` names one profile and no column, or a configuration has no stream that is a column.
    TypeError
        If the frame is none.
    ValueError
        If lengths differ, or a variable of a Dataset has more than one dimension.

    Examples
    --------
    >>> frame = {"time": np.array(["2024-01-01", "2024-01-02"], "datetime64[s]"), "ph": np.array([7.1, 19.0])}
    >>> found = check_frame(frame, {"ph": {"tests": {"gross_range": {"fail": [0, 14]}}}})
    >>> {name: flags.tolist() for name, flags in found.flags.items()}
    {'ph_qartod_rollup': [1, 4], 'ph_qartod_gross_range_test': [1, 4]}
    """
    if _is_dataset(frame):
        numeric = [str(name) for name, one in frame.data_vars.items() if one.ndim == 1 and one.dtype.kind in "fiu"]
        return _of_dataset(frame, _by_column(profiles, numeric), time, dict(units or {}), more)
    part = columns(frame, time)
    profiles = _by_column(profiles, list(part.values))
    results: dict[str, CheckResult] = {}
    flags: dict[str, NDArray[np.int8]] = {}
    for name, profile in profiles.items():
        if name not in part.values:
            raise ConfigError(
                "column", seen=name, allowed=part.values, reason="there is no column of numbers so called"
            )
        unit = (units or {}).get(name, "")
        results[name] = check(part.values[name], profile, part.times, unit=unit, **more)
        flags |= _flag_columns(name, results[name])
    return Columnwise(part.rewrap(flags), results)


def _by_column(profiles: Any, names: list[str]) -> Mapping[str, Any]:  # noqa: ANN401 -- as `check_frame`
    """Return what judges which column: the mapping as it is, or the streams of a configuration that are columns."""
    if isinstance(profiles, Mapping) and not hasattr(profiles, "data_vars"):
        is_by_column = any(_is_own(one) for one in profiles.values()) and not {"contexts", "streams"} & set(profiles)
        if is_by_column or not is_peers(profiles):
            return profiles
    elif not is_configuration(profiles):
        seen = profiles if isinstance(profiles, str | Path) else getattr(profiles, "name", None)
        reason = 'a frame has columns: give a profile for each that is to be judged, such as {"ph": "river/ph"}'
        raise ConfigError("profile", seen=seen, allowed=names, reason=reason)
    found: dict[str, Any] = streams(profiles)
    every = found.pop(DEFAULT_STREAM, None)
    chosen = {name: found.get(name, every) for name in names if name in found or every is not None}
    if not chosen:
        reason = "no column of numbers has the name of a stream of this configuration"
        raise ConfigError("streams", seen=list(found), allowed=names, reason=reason)
    return chosen


def _is_own(profile: Any) -> bool:  # noqa: ANN401 -- what somebody gave
    """Return whether something is a profile by itself: in `ioos_qc`'s spelling it would be a table of modules."""
    if isinstance(profile, Mapping):
        return "tests" in profile or "inherits" in profile
    return isinstance(profile, str | Path | Profile | Parts)


def _flag_columns(name: str, result: CheckResult) -> dict[str, NDArray[np.int8]]:
    flags = {rollup_name(name): np.asarray(result.flags, np.int8)}
    for test in result.profile.tests:
        flags[flag_name(name, test.name, test.kind)] = np.asarray(result.tests[test.name], np.int8)
    return flags


# Datasets


def _is_dataset(frame: Any) -> bool:  # noqa: ANN401 -- anything
    module = sys.modules.get("xarray")
    return module is not None and isinstance(frame, module.Dataset)


def _of_dataset(
    dataset: Any,  # noqa: ANN401 -- xarray has no types here
    profiles: Mapping[str, ProfileLike],
    time: Any,  # noqa: ANN401 -- a name or times
    units: dict[str, str],
    more: Mapping[str, Any],
) -> Columnwise:
    results: dict[str, CheckResult] = {}
    made = dataset.copy()
    for name, profile in profiles.items():
        if name not in dataset.data_vars:
            raise ConfigError("variable", seen=name, allowed=[str(one) for one in dataset.data_vars])
        variable = dataset[name]
        if variable.ndim != 1:
            dims = ", ".join(map(str, variable.dims))
            raise ValueError(f"variable {name!r} has the dimensions {dims}: select one series first, as with isel")
        if variable.dtype.kind not in "fiub":
            raise ConfigError("variable", seen=name, reason=f"{variable.dtype} holds no numbers")
        unit = units.get(name, _unit(variable))
        values = np.asarray(variable.values, np.float64)
        places = _places(dataset, variable) | dict(more)
        results[name] = check(values, profile, _times(dataset, variable, time), unit=unit, **places)
        _put(made, name, results[name])
    return Columnwise(made, results)


def _put(made: Any, name: str, result: CheckResult) -> None:  # noqa: ANN401 -- xarray has no types here
    """Add the flags of one variable, and name them in its ``ancillary_variables``."""
    flags = {test: np.asarray(outcome) for test, outcome in result.tests.items()}
    added = flag_variables(name, result.profile, np.asarray(result.flags), flags)
    for one in added:
        made[one.name] = (made[name].dims, one.values, dict(one.attributes))
    known = str(made[name].attrs.get("ancillary_variables", "")).replace(",", " ").split()
    names = list(dict.fromkeys([*known, *(one.name for one in added)]))
    made[name].attrs = made[name].attrs | {"ancillary_variables": " ".join(names)}


def _unit(variable: Any) -> str:  # noqa: ANN401 -- xarray has no types here
    """Return the unit that a variable names; one that is unknown matters only where the profile has a unit too."""
    if variable.attrs.get("standard_name") == "sea_water_practical_salinity":
        return "1"  # many files write 1e-3, psu or PSU beside numbers near 35, which are of the scale itself
    return str(variable.attrs.get("units", ""))


def _times(dataset: Any, variable: Any, time: Any) -> NDArray[np.int64] | None:  # noqa: ANN401 -- xarray
    if time is not None:
        return microseconds(dataset[time] if isinstance(time, str) else time)
    along = [one for one in variable.coords.values() if one.ndim == 1 and one.dtype.kind == "M"]
    # An auxiliary coordinate may be a time too: the variable's own axis goes first, then what says it is time.
    along.sort(key=lambda one: (one.name not in variable.dims, one.attrs.get("standard_name") != "time"))
    return microseconds(along[0]) if along else None


def _places(dataset: Any, variable: Any) -> dict[str, Any]:  # noqa: ANN401 -- xarray has no types here
    """Return the coordinates that say where a variable was measured, by the names that `check` has for them."""
    taken = inspect.signature(check).parameters
    found: dict[str, Any] = {}
    for keyword, names in _PLACES.items():
        if keyword not in taken:
            continue
        for one in variable.coords.values():
            is_named = str(one.name) in names or one.attrs.get("standard_name") == keyword
            if is_named and one.dims in {variable.dims, ()} and one.dtype.kind in "fiu":
                found[keyword] = np.broadcast_to(np.asarray(one.values, np.float64), variable.shape)
                break
    return found
