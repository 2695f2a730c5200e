"""Read the tests of an `ioos_qc` configuration, so that those who come from there bring their thresholds along.

Its tests are taken with its own meaning (seconds, hours, strict comparisons) and its roll-up rule. Tests that are not
built yet are refused by name, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nilometer.errors import ConfigError

__all__ = ["is_peers", "translated"]

Table = dict[str, Any]


def _gross_range(given: Table) -> Table:
    return {"fail": _sorted(given.pop("fail_span", None)), "suspect": _sorted(given.pop("suspect_span", None))}


def _sorted(span: Any) -> Any:  # noqa: ANN401 -- what the file holds; `load` judges it
    try:
        return sorted(span)
    except TypeError:
        return span


def _spike(given: Table) -> Table:
    # 0 disables a level there.
    return {
        "suspect": given.pop("suspect_threshold", None) or None,
        "fail": given.pop("fail_threshold", None) or None,
        "method": given.pop("method", "average"),
    }


def _rate_of_change(given: Table) -> Table:
    return {"suspect": given.pop("threshold", None), "fail": given.pop("fail_threshold", None), "per": 1}


def _flat_line(given: Table) -> Table:
    tolerance = given.pop("tolerance", 0)
    return {
        "suspect": given.pop("suspect_threshold", None),
        "fail": given.pop("fail_threshold", None),
        "tolerance": tolerance or 5e-324,  # 0 never flags there: no range is below the smallest number, save 0 itself
    }


def _gap(given: Table) -> Table:
    span = given.pop("fail_span", 2)
    return {"fail": span * 3600 if isinstance(span, int | float) else span}


_TESTS: Mapping[str, tuple[str, Callable[[Table], Table]]] = {
    "gross_range_test": ("gross_range", _gross_range),
    "spike_test": ("spike", _spike),
    "rate_of_change_test": ("rate_of_change", _rate_of_change),
    "flat_line_test": ("flat_line", _flat_line),
    "time_gap_test": ("gap", _gap),
}


def is_peers(document: Mapping[str, Any]) -> bool:
    """Return whether a dict is spelled as `ioos_qc` spells its configurations."""
    return "qartod" in document or any(str(key).endswith("_test") for key in document)


def translated(document: Mapping[str, Any]) -> Table:
    """Return an `ioos_qc` configuration of one stream as a profile document.

    Parameters
    ----------
    document : mapping
        ``{"qartod": {test: parameters}}`` or the inner mapping.

    Raises
    ------
    ConfigError
        If it holds a test or a parameter that is not known here.
    """
    inner = document.get("qartod", document)
    if not isinstance(inner, Mapping):
        raise ConfigError("qartod", seen=inner, allowed="a table per test")
    tests: Table = {}
    for key, given in inner.items():
        if key == "aggregate":  # the roll-up, which every profile has
            continue
        if key not in _TESTS:
            raise ConfigError("qartod", seen=key, allowed=[*_TESTS, "aggregate"])
        name, translate = _TESTS[key]
        left = dict(given or {})
        table = translate(left)
        if left:
            raise ConfigError(f"qartod.{key}", seen=next(iter(left)), reason="not a parameter of this test")
        tests[name] = {parameter: value for parameter, value in table.items() if value is not None}
    return {"tests": tests, "rollup": "ioos_qc"}
