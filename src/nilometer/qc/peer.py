"""Read `ioos_qc` configurations as they are, so that those who come from there bring their thresholds along.

Their tests are taken with their own meaning (seconds, hours, strict comparisons) and their roll-up rule. What our tests
cannot say is refused by name, never passed over; where a meaning differs, docs/qartod.md lists it. Nothing here judges:
contexts, and what only a whole series can answer, are in `nilometer.qc.peer_contexts` and `peer_parts`.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.errors import ConfigError
from nilometer.qc.peer_contexts import Context, contexts_of, read
from nilometer.qc.peer_parts import MIN_PERIOD, RECEIVED, RECORDS, WHOLE, Part, Parts
from nilometer.qc.profile import Profile
from nilometer.qc.qartod.parameter import PERIODS, moment

__all__ = ["in_parts", "is_configuration", "is_peers", "streams", "translated"]

Table = dict[str, Any]

_NUMBERS = (float, int, np.integer, np.floating)
_LEAST = math.ulp(0.0)  # stands for a threshold of 0: everything above 0 exceeds it
_MOST = sys.float_info.max  # stands for a threshold that is switched off: no difference exceeds it
_NEVER = ["0001-01-01", "0001-01-01"]  # times of a member that holds for no row
_ONLY_WHOLE: Mapping[str, tuple[str, str]] = {
    MIN_PERIOD: ("min_period", "how many values it means follows only from a series that is there; give min_obs"),
    WHOLE: ("test_period", "one verdict for a whole series needs it whole; give test_period"),
    RECEIVED: ("from_time", "live, rows bring their own time of reception; leave it out"),
    RECORDS: ("nchar", "live, the driver verifies its records; see nilometer.qc.qartod.syntax.flag_records"),
}


class _Given:
    """The parameters of one test, as somebody wrote them."""

    def __init__(self, test: str, parameters: object) -> None:
        if parameters is not None and not isinstance(parameters, Mapping):
            raise ConfigError(test, seen=parameters, allowed="a table of parameters")
        self.test = test
        self.left: Table = {} if parameters is None else {str(key): value for key, value in parameters.items()}

    def take(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 -- what somebody wrote
        value = self.left.pop(key, default)
        return value.tolist() if isinstance(value, np.ndarray | np.generic) else value

    def number(self, key: str, default: float | None = None) -> float | None:
        value = self.take(key, default)
        if value is None:
            return None
        return self.numbers(key, [value], 1, "a number")[0]

    def span(self, key: str) -> list[float] | None:
        """Return two numbers in their order, which there is not asked for."""
        value = self.take(key)
        return None if value is None else sorted(self.numbers(key, value, 2, "two numbers"))

    def numbers(self, key: str, value: Any, count: int, allowed: str) -> list[float]:  # noqa: ANN401 -- as `take`
        items = value.tolist() if isinstance(value, np.ndarray) else value
        is_list = isinstance(items, list | tuple) and len(items) == count
        if not is_list or not all(
            isinstance(one, _NUMBERS) and not isinstance(one, bool) and math.isfinite(one) for one in items
        ):
            raise self.error(key, items[0] if count == 1 else value, allowed=allowed)
        return [float(one) for one in items]

    def choice(self, key: str, default: str, choices: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- what is chosen
        value = self.take(key, default)
        if value not in list(choices):
            raise self.error(key, value, allowed=choices)
        return choices[value]

    def error(self, key: str, value: object, **about: Any) -> ConfigError:  # noqa: ANN401 -- as `ConfigError`
        return ConfigError(f"{self.test}.{key}", seen=value, **about)


def _levels(suspect: float | None, fail: float | None) -> Table:
    """Return two thresholds; a suspect one beyond the fail one never speaks there, and is not allowed here."""
    if suspect is not None and fail is not None and suspect > fail:
        suspect = None
    return {"suspect": suspect, "fail": fail}


def _gross_range(given: _Given) -> Table:
    return {"fail": given.span("fail_span"), "suspect": given.span("suspect_span")}


def _valid_range(given: _Given) -> Table:
    """Return what `axds` has: a span whose ends may be left open, and do not belong to it unless asked."""
    ends = given.take("valid_span")
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise given.error("valid_span", ends, allowed="two numbers, or null for an end that is open")
    if given.take("dtype") not in [None, "float", "float64", "f8"]:
        raise given.error("dtype", "another type", reason="values are float64 here", allowed=["float64"])
    starts, ends_too = given.take("start_inclusive", default=True), given.take("end_inclusive", default=False)
    low, high = (None if end is None else given.numbers("valid_span", [end], 1, "two numbers")[0] for end in ends)
    if low is not None and not starts:
        low = math.nextafter(low, math.inf)
    if high is not None and not ends_too:
        high = math.nextafter(high, -math.inf)
    least, most = -_MOST if low is None else low, _MOST if high is None else high
    return {"test": "gross_range", "fail": [least, most] if least <= most else [_MOST, _MOST]}  # nothing is good


def _spike(given: _Given) -> Table:
    # 0 switches a level off there; with both off, a value between two others passes.
    table = _levels(given.number("suspect_threshold") or None, given.number("fail_threshold") or None)
    if table["suspect"] is table["fail"] is None:
        table["suspect"] = _MOST
    return table | {"method": given.take("method", "average")}


def _rate_of_change(given: _Given) -> Table:
    table = _levels(given.number("threshold"), given.number("fail_threshold"))
    return {key: _LEAST if value == 0 else value for key, value in table.items()} | {"per": 1}


def _whole_seconds(value: float | None) -> float | None:
    return None if value is None else float(int(value)) or 1e-6  # 0 becomes the shortest time there is


def _flat_line(given: _Given) -> Table:
    suspect, fail = (_whole_seconds(given.number(key)) for key in ("suspect_threshold", "fail_threshold"))
    return _levels(suspect, fail) | {"tolerance": given.number("tolerance", 0) or _LEAST}


def _attenuated_signal(given: _Given) -> Table:
    suspect, fail = given.number("suspect_threshold") or None, given.number("fail_threshold") or None
    if suspect is not None and fail is not None and fail > suspect:  # less is worse: such a one never speaks
        suspect = None
    table: Table = {"suspect": suspect, "fail": fail}
    table["measure"] = given.choice("check_type", "std", {"std": "sd", "range": "range"})
    if suspect is fail is None:  # no variation is below 0: what is judged passes
        table |= {"suspect": _LEAST, "measure": "sd"}
    over, least, period = given.number("test_period"), given.number("min_obs"), given.number("min_period")
    if not over:
        return table | {WHOLE: True}  # the two minima are not looked at there either
    table["over"] = over
    if least is not None:
        table["least"] = max(int(least), 1)
    elif period is not None:
        table[MIN_PERIOD] = period
    return table


def _drop(given: _Given, key: str) -> float | None:
    value = given.number(key)
    if value is not None and value > 0:
        raise given.error(
            key, value, reason="asks for a rise of at least this with depth; here only a drop is judged", allowed="<= 0"
        )
    return None if value is None else -value or _LEAST


def _density_inversion(given: _Given) -> Table:
    table = _levels(_drop(given, "suspect_threshold"), _drop(given, "fail_threshold"))
    return table if any(table.values()) else {"suspect": _MOST}


def _box(given: _Given, key: str) -> list[float] | None:
    value = given.take(key)
    if value is None:
        return None
    is_polygon = isinstance(value, list | tuple) and any(isinstance(one, list | tuple) for one in value)
    if is_polygon or not isinstance(value, list | tuple):
        reason = "only a box can be judged here, no polygon; a context's region may be one"
        raise given.error(key, value, reason=reason, allowed="[west, south, east, north]")
    return given.numbers(key, value, 4, "[west, south, east, north]")


def _location(given: _Given) -> Table:
    given.choice("range_method", "haversine", {"haversine": None, "wgs84": None})
    return {"displacement": given.number("range_max"), "bounds": _box(given, "bbox")}


def _location_bounds(given: _Given) -> Table:
    area = given.take("flag_area", "outside")
    if area != "outside":
        raise given.error("flag_area", area, allowed=["outside"], reason="what lies inside a box is good here")
    return {"test": "location", "bounds": _box(given, "shape")}


_PARTS_OF_TIME: Mapping[str, str] = {
    "weekofyear": "week",
    "dayofyear": "day_of_year",
    "dayofweek": "day_of_week",
    "weekday": "day_of_week",
} | {name: name for name in PERIODS}
"""What pandas calls them, by which a member there says what its times are."""


def _climatology(given: _Given) -> Table:
    members = given.take("config")
    if not isinstance(members, list | tuple):
        raise given.error("config", members, allowed="a list of members with tspan, vspan and more")
    read_members = [_member(_Given(f"{given.test}.config[{place}]", member)) for place, member in enumerate(members)]
    return {"members": read_members or [{"suspect": [0, 0], "time": _NEVER}]}


def _member(given: _Given) -> Table:
    """Return a member of a climatology; one whose times are none of the calendar's holds never, as there."""
    inner, outer, depth = given.span("vspan"), given.span("fspan"), given.span("zspan")
    if inner is None:
        raise given.error("vspan", None, allowed="two numbers", reason="every member needs it")
    if outer is not None:
        # There the fail span speaks first, so that a wider suspect span says no more than the fail span.
        inner = [max(inner[0], outer[0]), min(inner[1], outer[1])]
        if inner[0] > inner[1]:
            raise given.error("vspan", inner, reason=f"lies outside fspan {outer}")
    member: Table = {"suspect": inner, "fail": outer, "depth": depth}
    period, times = given.take("period"), given.take("tspan")
    if not isinstance(times, list | tuple) or len(times) != 2:
        raise given.error("tspan", times, allowed="two times")
    if period is None:
        member["time"] = sorted((_date(given, time) for time in times), key=moment)
    else:
        if period not in list(_PARTS_OF_TIME):
            raise given.error("period", period, allowed=_PARTS_OF_TIME)
        called = _PARTS_OF_TIME[period]
        low, high = sorted(given.numbers("tspan", times, 2, "two numbers"))
        first, last = max(math.ceil(low), PERIODS[called][0]), min(math.floor(high), PERIODS[called][1])
        member |= {"period": called, "time": [first, last]} if first <= last else {"time": _NEVER}
    _refuse_left(given)
    return {key: value for key, value in member.items() if value is not None}


def _date(given: _Given, value: object) -> str:
    try:
        return f"{np.datetime64(str(value).removesuffix('Z'), 's')}Z" if isinstance(value, str) else str(value)
    except ValueError:
        raise given.error("tspan", value, allowed="dates such as 2020-01-31") from None


def _gap(given: _Given) -> Table:
    return {"fail": _hours(given, 2)}


def _hours(given: _Given, default: float) -> float:
    hours = given.number("fail_span", default)
    return _whole_seconds(3600 * (default if hours is None else hours)) or 1e-6


def _data_reception(given: _Given) -> Table:
    table: Table = {"fail": _hours(given, 6)}
    since = given.take("from_time")
    return table if since is None else table | {RECEIVED: moment(_date(given, str(since)))}


def _impossible_date(given: _Given) -> Table:
    span = given.take("fail_span")
    if span is None:
        return {}
    if not isinstance(span, list | tuple) or len(span) != 2:
        raise given.error("fail_span", span, allowed="two dates")
    return {"earliest": _date(given, str(span[0])), "latest": _date(given, str(span[1]))}


def _syntax(given: _Given) -> Table:
    length, delimiter = given.number("nchar"), given.take("delimiter")
    kind = given.take("lentype", "char")
    if not length or length != int(length) or length < 1:
        raise given.error("nchar", length, allowed="a whole number above 0")
    if kind not in ["char", "byte"] or (kind == "byte" and delimiter):
        raise given.error("lentype", kind, allowed=["char", "byte without a delimiter"])
    characters = int(length) * (2 if kind == "byte" else 1)  # bytes are written as two hexadecimal digits there
    return {RECORDS: {"length": characters, "delimiter": delimiter}}


def _percentile_range(given: _Given) -> Table:
    return {
        "low": given.number("low_percentile", 5),
        "high": given.number("hi_percentile", 95),
        "pad": given.number("pad", 0) or None,
    }


_TESTS: Mapping[tuple[str, str], tuple[str, Callable[[_Given], Table]]] = {
    ("qartod", "time_gap_test"): ("gap", _gap),
    ("qartod", "syntax_test"): ("syntax", _syntax),
    ("qartod", "location_test"): ("location", _location),
    ("qartod", "location_bounds_test"): ("location_bounds", _location_bounds),
    ("qartod", "gross_range_test"): ("gross_range", _gross_range),
    ("qartod", "climatology_test"): ("climatology", _climatology),
    ("qartod", "spike_test"): ("spike", _spike),
    ("qartod", "rate_of_change_test"): ("rate_of_change", _rate_of_change),
    ("qartod", "flat_line_test"): ("flat_line", _flat_line),
    ("qartod", "attenuated_signal_test"): ("attenuated_signal", _attenuated_signal),
    ("qartod", "density_inversion_test"): ("density_inversion", _density_inversion),
    ("qartod", "data_reception_test"): ("data_reception", _data_reception),
    ("qartod", "impossible_date_test"): ("impossible_date", _impossible_date),
    ("qartod", "percentile_range_test"): ("percentile_range", _percentile_range),
    ("axds", "valid_range_test"): ("valid_range", _valid_range),
}
_REFUSED: Mapping[tuple[str, str], str] = {
    ("qartod", "location_on_land_test"): "there is no map of the land here",
    ("argo", "pressure_increasing_test"): "no test here asks that values only rise; casts are cut where they turn",
    ("argo", "speed_test"): "no test here judges the speed between positions; location_test has range_max",
    ("argo", "duplicate_timestamp_test"): "a repeated time is settled before the tests here: see docs/qartod.md",
    ("gliders", "pressure_check"): "no test here asks that values only rise; casts are cut where they turn",
}


def _tests_of(modules: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tests of one stream as the tables of a profile, with what only a whole series can answer."""
    tests: dict[str, Table] = {}
    for module, asked in modules.items():
        if asked is not None and not isinstance(asked, Mapping):
            raise ConfigError(module, seen=asked, allowed="a table per test")
        for test, parameters in (asked or {}).items():
            if test == "aggregate":  # the roll-up, which every profile has
                continue
            key = f"{module}.{test}"
            if (module, test) not in _TESTS:
                allowed = [f"{known}.{name}" for known, name in _TESTS]
                reason = _REFUSED.get((module, test), "there is no such test")
                raise ConfigError(key, seen=test, reason=reason, allowed=[*allowed, "qartod.aggregate"])
            name, translate = _TESTS[module, test]
            given = _Given(key, parameters)
            table = translate(given)
            _refuse_left(given)
            tests[name] = {parameter: value for parameter, value in table.items() if value is not None}
    return tests


def _refuse_left(given: _Given) -> None:
    if given.left:
        raise ConfigError(given.test, seen=next(iter(given.left)), reason="not a parameter of this test")


def is_peers(document: Mapping[str, Any]) -> bool:
    """Return whether a dict is spelled as `ioos_qc` spells its configurations."""
    return "tests" not in document and "inherits" not in document and contexts_of(document) is not None


def translated(document: Mapping[str, Any]) -> Table:
    """Return an `ioos_qc` configuration of one stream as a profile document, for live rows and whole series alike.

    Parameters
    ----------
    document : mapping
        Any of its forms, with one stream and no window or region.

    Raises
    ------
    ConfigError
        If it has several streams or contexts, a test or a parameter that is not known here, or something that only a
        series which is there as a whole can answer (`streams` takes that).
    """
    found = _by_stream(document)
    if len(found) != 1:
        raise ConfigError("streams", seen=list(found), reason="one profile is asked for, these are several streams")
    (asked,) = found.values()
    if len(asked) != 1 or not asked[0][0].is_everywhere:
        reason = "a Datastream's profile holds at all times and places; nilometer.qc.check takes contexts"
        raise ConfigError("contexts", seen=[str(context) for context, _ in asked], reason=reason)
    context, tests = asked[0]
    for name, table in tests.items():
        for key in table.keys() & _ONLY_WHOLE.keys():
            parameter, reason = _ONLY_WHOLE[key]
            raise ConfigError(f"{name}.{parameter}", reason=reason)
    return _document(tests, context)


_ALONG_DEPTH = "density_inversion"
_OF_POINTS = frozenset({"location", "location_bounds", "gross_range", "valid_range", "percentile_range"})


def _document(tests: Mapping[str, Table], context: Context) -> Table:
    document = {"title": context.title, "tests": dict(tests), "rollup": "ioos_qc"}
    if _ALONG_DEPTH not in tests:
        return document
    along_time = [name for name in tests if name not in _OF_POINTS | {_ALONG_DEPTH}]
    if along_time:
        reason = f"runs down a cast, {', '.join(along_time)} along time: give them profiles of their own"
        raise ConfigError(_ALONG_DEPTH, reason=reason)
    return document | {"along": "depth"}


def _by_stream(source: Any) -> dict[str, list[tuple[Context, dict[str, Table]]]]:  # noqa: ANN401 -- as `read`
    document = read(source)
    contexts = contexts_of(document)
    if contexts is None:
        reason = "this is no ioos_qc configuration: no module such as qartod with tests in it"
        raise ConfigError("config", seen=list(document), reason=reason)
    found: dict[str, list[tuple[Context, dict[str, Table]]]] = {}
    for context in contexts:
        for stream, modules in context.streams.items():
            found.setdefault(stream, []).append((context, _tests_of(modules)))
    return found


def streams(source: Any) -> dict[str, Profile | Parts]:  # noqa: ANN401 -- any of ioos_qc's forms
    """Return what judges each stream of an `ioos_qc` configuration.

    Parameters
    ----------
    source : mapping, str, path, StringIO, xarray.Dataset, ioos_qc.config.Config or list of its calls
        A configuration in any form that `ioos_qc.config.Config` takes: YAML or JSON (text or file), a dict of streams,
        of contexts or of one stream, or a Dataset (or netCDF file) that carries its configuration.

    Returns
    -------
    dict of str to Profile or Parts
        By stream; a configuration of one stream without a name has it under ``_stream``. A `Profile` where one says it
        all, else `Parts`, whose `check` judges a series. `nilometer.qc.check` takes both.

    Raises
    ------
    ConfigError
        If it cannot be read, or holds a test or a parameter that is not known here.

    Examples
    --------
    >>> found = streams("{salinity: {qartod: {gross_range_test: {fail_span: [0, 40]}}}}")
    >>> found["salinity"].tests[0].parameters["fail"]
    (0.0, 40.0)
    """
    return {stream: _judged_by(stream, asked) for stream, asked in _by_stream(source).items()}


def is_configuration(source: Any) -> bool:  # noqa: ANN401 -- anything that may name a profile
    """Return whether something is an `ioos_qc` configuration, in any form that `streams` takes.

    A YAML or JSON file is read, for it may hold a profile in our spelling, too.
    """
    if source is None or isinstance(source, Profile | Parts):
        return False
    if isinstance(source, Mapping) and not hasattr(source, "data_vars"):
        return is_peers(source)
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return True
    if isinstance(source, str | Path):
        suffix = Path(source).suffix
        return suffix == ".nc" or (suffix in {".yaml", ".yml", ".json"} and is_peers(read(source)))
    return hasattr(source, "data_vars") or hasattr(source, "calls") or isinstance(source, list | tuple | io.StringIO)


def in_parts(source: Any) -> Profile | Parts | None:  # noqa: ANN401 -- anything that may name a profile
    """Return what judges the only stream of an `ioos_qc` configuration; None where `source` is none.

    Raises
    ------
    ConfigError
        As `streams`, or if there are several streams.
    """
    if isinstance(source, Parts):
        return source
    if not is_configuration(source):
        return None
    found = streams(source)
    if len(found) != 1:
        raise ConfigError(
            "streams",
            seen=list(found),
            reason="one series is judged by one stream; take one of nilometer.qc.peer.streams, or give a frame",
        )
    return next(iter(found.values()))


def _judged_by(stream: str, asked: list[tuple[Context, dict[str, Table]]]) -> Profile | Parts:
    parts: list[Part] = []
    taken: set[str] = set()
    for context, tests in asked:
        named = {_free(name, taken): {"test": name} | table for name, table in tests.items()}
        down = {name: table for name, table in named.items() if table["test"] == _ALONG_DEPTH}
        rest = {name: table for name, table in named.items() if name not in down}
        parts += [Part(context, tests) for tests in (rest, down) if tests]
    is_one = len(parts) <= 1 and all(part.is_profile for part in parts)
    if not is_one:
        return Parts(stream, tuple(parts))
    document = _document(asked[0][1], asked[0][0]) if asked else {}
    return Profile.from_document(document, name=stream)


def _free(name: str, taken: set[str]) -> str:
    """Return a name for a test that no other context has."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
