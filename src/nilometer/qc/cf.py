"""QARTOD flags by the CF conventions: names, attributes, and a netCDF file of judged series.

Names and attributes follow `ioos_qc` (``<variable>_qartod_gross_range_test``, ``ioos_qc_module`` ...), so that tools
made for its files read ours; flags and their meanings are QARTOD's own words. Nothing is judged here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from nilometer.netcdf import FLAGS, CfFile, Variable, measured, safe_name
from nilometer.qc.profile import Profile
from nilometer.qc.qartod import DEFINITIONS, Kind
from nilometer.qc.thresholds import SlottedTest, plain

if TYPE_CHECKING:
    from nilometer.qc.checking import CheckResult

__all__ = [
    "Judged",
    "flag_attributes",
    "flag_name",
    "flag_variables",
    "rollup_attributes",
    "rollup_name",
    "write",
]

REFERENCES: Final = "U.S. IOOS QARTOD, https://ioos.noaa.gov/project/qartod/"

_PEERS: Final[Mapping[str, str]] = {"gap": "time_gap"}
"""Tests that `ioos_qc` calls otherwise; its functions end in ``_test``."""
_NOT_PEERS = frozenset({"multi_variate", "neighbor", "ts_curve", "mark"})

# The names of the CF standard name table; every other test is a quality_flag.
_STANDARD_NAMES: Final = frozenset(
    {
        "attenuated_signal",
        "climatology",
        "flat_line",
        "gap",
        "gross_range",
        "location",
        "multi_variate",
        "neighbor",
        "rate_of_change",
        "spike",
        "syntax",
    }
)


_OURS = frozenset({"inputs", *(name for name, test in DEFINITIONS.items() if test.kind >= Kind.MARK)})


def _module(kind: str) -> str:
    """Return the package label of a test: QARTOD's, or ours for what is not in the manuals."""
    return "nilometer" if kind in _OURS else "qartod"


def flag_name(variable: str, name: str, kind: str = "") -> str:
    """Return the name of the variable, or column, that holds a test's flags.

    Parameters
    ----------
    variable : str
        What was judged.
    name : str
        The test's name in its profile.
    kind : str
        Which test it is; empty: as its name.

    Examples
    --------
    >>> flag_name("salinity", "gross_range"), flag_name("salinity", "gap"), flag_name("salinity", "slow_spike", "spike")
    ('salinity_qartod_gross_range_test', 'salinity_qartod_time_gap_test', 'salinity_qartod_slow_spike_test')
    """
    kind = kind or name
    called = _PEERS.get(name, name) if name == kind else name
    return safe_name(f"{variable}_{_module(kind)}_{called}_test")


def rollup_name(variable: str) -> str:
    """Return the name of the variable, or column, that holds the rolled-up flags.

    Examples
    --------
    >>> rollup_name("salinity")
    'salinity_qartod_rollup'
    """
    return safe_name(f"{variable}_qartod_rollup")


def flag_attributes(variable: str, profile: Profile, test: SlottedTest) -> dict[str, Any]:
    """Return the CF attributes of a test's flags.

    Parameters
    ----------
    variable : str
        What was judged, as the file names it.
    profile : Profile
        What judged it.
    test : SlottedTest
        One of its tests. Of several of one kind only the first is told to `ioos_qc`, which knows one a kind.
    """
    title = test.name.replace("_", " ").capitalize()
    attributes: dict[str, Any] = {
        "standard_name": f"{test.kind}_test_quality_flag" if test.kind in _STANDARD_NAMES else "quality_flag",
        "long_name": f"{title} Test Quality Flag",
        **FLAGS,
        "references": f"{DEFINITIONS[test.kind].clause}; {REFERENCES}",
        **_of_profile(profile),
        "nilometer_test": test.kind,
        "nilometer_parameters": json.dumps(plain(test.parameters), ensure_ascii=False),
    }
    first = next(other for other in profile.tests if other.kind == test.kind)
    if test.kind not in _NOT_PEERS and first is test:
        attributes |= {
            "ioos_qc_module": "qartod",
            "ioos_qc_test": f"{_PEERS.get(test.kind, test.kind)}_test",
            "ioos_qc_target": variable,
        }
        config = _peers_config(test)
        if config is not None:
            attributes["ioos_qc_config"] = json.dumps(config)
    return attributes


def rollup_attributes(variable: str, profile: Profile) -> dict[str, Any]:
    """Return the CF attributes of rolled-up flags: with the whole profile, so that its thresholds are in the file."""
    return {
        "standard_name": "aggregate_quality_flag",
        "long_name": "Aggregate Quality Flag",
        **FLAGS,
        "references": REFERENCES,
        "ioos_qc_module": "qartod",
        "ioos_qc_test": "aggregate",
        "ioos_qc_target": variable,
        **_of_profile(profile),
        "nilometer_profile_document": json.dumps(profile.to_document(), ensure_ascii=False),
    }


def _of_profile(profile: Profile) -> dict[str, Any]:
    return {
        "nilometer_profile": profile.name,
        "nilometer_profile_version": profile.version,
        "nilometer_profile_digest": profile.digest,
        "nilometer_profile_unit": profile.unit,
    }


def flag_variables(
    variable: str, profile: Profile, flags: NDArray[np.int8], tests: Mapping[str, NDArray[np.int8]]
) -> list[Variable]:
    """Return the flags of one judged variable as variables: the roll-up first, then its tests in their order.

    Parameters
    ----------
    variable : str
        What was judged, as the file names it.
    profile : Profile
        What judged it.
    flags : ndarray of int8, shape (n,)
        The roll-up.
    tests : mapping of str to ndarray of int8, shape (n,)
        By the tests' names.
    """
    made = [
        Variable(
            name=rollup_name(variable),
            values=np.asarray(flags, np.int8),
            attributes=rollup_attributes(variable, profile),
        )
    ]
    made.extend(
        Variable(
            name=flag_name(variable, test.name, test.kind),
            values=np.asarray(tests[test.name], np.int8),
            attributes=flag_attributes(variable, profile, test),
        )
        for test in profile.tests
    )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One series for a file.

    Parameters
    ----------
    name : str
        Such as the column's name.
    values : ndarray of float64, shape (n,)
        NaN: missing.
    result : CheckResult, optional
        What `nilometer.qc.check` said of it; None: it was not judged, and gets no flags.
    unit : str
        CF text.
    observed_property : str, optional
        Vocabulary key; it gives the CF standard name.
    censored : ndarray of int8, shape (n,), optional
        -1 below, +1 above the measurable.
    """

    name: str
    values: NDArray[np.float64]
    result: CheckResult | None = None
    unit: str = ""
    observed_property: str | None = None
    censored: NDArray[np.int8] | None = None


def write(
    path: Path | str,
    times: NDArray[np.int64],
    columns: Iterable[Judged],
    *,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write judged series to a netCDF file with CF ancillary flag variables.

    Parameters
    ----------
    path : path
        ``OUT.nc``; an existing file is replaced, a file that failed is removed.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC, of every column.
    columns : iterable of Judged
        Values as they are, each with its flags in the same order of rows.
    attributes : mapping, optional
        Global attributes, such as ``title``, ``source``, ``history``.

    Raises
    ------
    ConfigError
        If the extra ``netcdf`` is not installed.

    Examples
    --------
    >>> from nilometer.qc import check
    >>> ph = np.array([7.0, 19.0])
    >>> judged = check(ph, {"tests": {"gross_range": {"fail": [0, 14]}}}, np.array([0, 60_000_000]))
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/ph.nc", np.array([0, 60_000_000]), [Judged(name="ph", values=ph, result=judged)])
    """
    with CfFile(path, attributes) as file:
        for column in columns:
            file.part(times, _with_flags(column))


def _with_flags(column: Judged) -> Sequence[Variable]:
    name = safe_name(column.name)
    beside = []
    if column.result is not None:
        flags = {test: np.asarray(outcome) for test, outcome in column.result.tests.items()}
        beside = flag_variables(name, column.result.profile, np.asarray(column.result.flags), flags)
    if column.censored is not None and np.any(column.censored):
        beside.append(censored_variable(name, column.censored))
    about = tuple(item.name for item in beside)
    values = measured(column.name, column.values, column.unit, column.observed_property, about=about)
    return [values, *beside]


def censored_variable(variable: str, censored: NDArray[np.int8]) -> Variable:
    """Return where a value is the limit of what can be measured, as a flag variable beside it."""
    return Variable(
        name=safe_name(f"{variable}_censored"),
        values=np.asarray(censored, np.int8),
        attributes={
            "standard_name": "status_flag",
            "long_name": "whether the value is a limit of what can be measured",
            "flag_values": np.array([-1, 0, 1], np.int8),
            "flag_meanings": "below_measurable within above_measurable",
        },
    )


# Thresholds in ioos_qc's spelling, where its test means the same


def _peers_config(test: SlottedTest) -> dict[str, Any] | None:
    """Return the parameters as `ioos_qc` spells them; None where its test has no place for them."""
    spell = _CONFIGS.get(test.kind)
    try:
        return None if spell is None else spell(test.parameters)
    except KeyError:  # it needs a threshold that this test does without
        return None


def _gross_range(given: Mapping[str, Any]) -> dict[str, Any]:
    spans = {"fail_span": list(given["fail"])}
    return spans | ({"suspect_span": list(given["suspect"])} if "suspect" in given else {})


def _spike(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "suspect_threshold": given.get("suspect", 0),
        "fail_threshold": given.get("fail", 0),
        "method": given.get("method", "average"),
    }


def _rate_of_change(given: Mapping[str, Any]) -> dict[str, Any] | None:
    if "n_dev" in given:
        return None
    threshold = {"threshold": given["suspect"] / given["per"]}
    return threshold | ({"fail_threshold": given["fail"] / given["per"]} if "fail" in given else {})


def _flat_line(given: Mapping[str, Any]) -> dict[str, Any] | None:
    times = (given["suspect"], given["fail"])
    if any(time != int(time) for time in times):  # whole seconds there
        return None
    return {
        "tolerance": given["tolerance"],
        "suspect_threshold": int(times[0]),
        "fail_threshold": int(times[1]),
    }


_CONFIGS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]]] = {
    "gross_range": _gross_range,
    "spike": _spike,
    "rate_of_change": _rate_of_change,
    "flat_line": _flat_line,
}
