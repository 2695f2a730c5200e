"""The tests of a profile as somebody wrote them: read, checked, inherited, converted.

A table holds the thresholds of one test. What it does not say comes from the inherited test of the same name, then from
the test's own defaults; ``false`` takes an inherited threshold, or a whole inherited test, away. A table may give its
thresholds in another unit than the profile's (``unit``). Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from nilometer.errors import ConfigError, UnitError
from nilometer.qc.layout import MOST_TESTS
from nilometer.qc.qartod import DEFINITIONS
from nilometer.units import affine, canonical

__all__ = ["Place", "SlottedTest", "in_unit", "plain", "read_tests"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document stands, for messages: the file, and the key it stands under (``datastream[0].qc``)."""

    file: str = ""
    under: str = ""

    def error(self, key: str, **about: Any) -> ConfigError:  # noqa: ANN401 -- as `ConfigError` takes them
        """Return the error that names file, key, value and what would work."""
        return ConfigError(f"{self.under}.{key}" if self.under else key, file=self.file or None, **about)


@dataclass(frozen=True, slots=True)
class SlottedTest:
    """One test of a profile.

    Parameters
    ----------
    name : str
        What results call it; usually the test's own name.
    kind : str
        Which test it is, a key of `nilometer.qc.qartod.DEFINITIONS`.
    parameters : mapping
        Read values; spans as pairs, times in seconds.
    """

    name: str
    kind: str
    parameters: Mapping[str, Any]


def in_unit(test: SlottedTest, scale: float, offset: float) -> SlottedTest:
    """Return a test with its thresholds in another unit, where ``new = scale · old + offset``."""
    return replace(test, parameters=MappingProxyType(_scaled(test.kind, test.parameters, scale, offset)))


def _scaled(kind: str, parameters: Mapping[str, Any], scale: float, offset: float) -> dict[str, Any]:
    known = DEFINITIONS[kind].parameters
    return {key: known[key].scaled(value, scale, offset) for key, value in parameters.items()}


def plain(value: Any) -> Any:  # noqa: ANN401 -- whatever a parameter reads to
    """Return a read parameter as JSON-ready data."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def read_tests(
    tables: object, inherited: Mapping[str, SlottedTest], unit: str, place: Place
) -> tuple[tuple[SlottedTest, ...], frozenset[str]]:
    """Return the tests of a document, and which of their thresholds it writes itself.

    Parameters
    ----------
    tables : object
        What stands under ``tests``: a table a test.
    inherited : mapping of str to SlottedTest
        The parent's tests by name, in the unit of the document and in the order of their slots.
    unit : str
        Unit of the document; empty: that of whatever is judged.
    place : Place
        For messages.

    Returns
    -------
    tuple of SlottedTest
        Inherited tests first, in their order.
    frozenset of str
        Such as ``tests.spike.suspect``.

    Raises
    ------
    ConfigError
        If a test, a parameter or a value cannot be used.
    """
    if not isinstance(tables, Mapping):
        raise place.error("tests", seen=tables, allowed="a table per test")
    tests = dict(inherited)
    written: set[str] = set()
    for name, table in tables.items():
        if table is False:
            if tests.pop(name, None) is None:
                raise place.error(
                    f"tests.{name}", seen=False, reason="nothing of that name is inherited", allowed=inherited
                )
            continue
        if not isinstance(table, Mapping):
            raise place.error(f"tests.{name}", seen=table, allowed="a table, or false")
        tests[name] = _test(name, table, tests.get(name), unit, place)
        written |= {f"tests.{name}.{key}" for key in table}
    added = any(test.kind == "calibration_valid" for test in tests.values())  # beyond what a profile may have itself
    if len(tests) - added > MOST_TESTS:
        raise place.error("tests", seen=len(tests), allowed=f"at most {MOST_TESTS} tests")
    return tuple(tests.values()), frozenset(written)


def _test(name: str, table: Mapping[str, Any], inherited: SlottedTest | None, unit: str, place: Place) -> SlottedTest:
    kind = table.get("test", inherited.kind if inherited else name)
    if not isinstance(kind, str) or kind not in DEFINITIONS:
        raise place.error(f"tests.{name}.test" if "test" in table else "tests", seen=kind, allowed=DEFINITIONS)
    known = DEFINITIONS[kind].parameters
    kept = dict(inherited.parameters) if inherited is not None and inherited.kind == kind else {}
    said = {key: value for key, value in table.items() if key not in {"test", "unit"}}
    for key, value in said.items():
        if key not in known:
            raise place.error(f"tests.{name}", seen=key, allowed=["test", "unit", *known])
        if value is False and kept.pop(key, None) is None:
            raise place.error(f"tests.{name}.{key}", seen=False, reason="nothing of that name is inherited")
    given = _read(name, kind, {key: value for key, value in said.items() if value is not False}, place)
    if "unit" in table:
        given = _converted(name, kind, given, table["unit"], unit, place)
    defaults = {key: item.default for key, item in known.items() if item.default is not None}
    parameters = {**defaults, **kept, **given}
    fault = DEFINITIONS[kind].fault(parameters)
    if fault:
        raise place.error(f"tests.{name}", reason=fault, seen=dict(table))
    return SlottedTest(name, kind, MappingProxyType(parameters))


def _read(name: str, kind: str, said: Mapping[str, Any], place: Place) -> dict[str, Any]:
    given = {}
    for key, value in said.items():
        try:
            given[key] = DEFINITIONS[kind].parameters[key].read(value)
        except ValueError as error:
            raise place.error(f"tests.{name}.{key}", seen=value, allowed=str(error)) from None
    return given


def _converted(name: str, kind: str, given: dict[str, Any], written: object, unit: str, place: Place) -> dict[str, Any]:
    """Return thresholds that a table gives in its own unit in the unit of the profile."""
    key = f"tests.{name}.unit"
    if not isinstance(written, str):
        raise place.error(key, seen=written, allowed="the text of a unit")
    if not unit:
        raise place.error(key, seen=written, reason="the profile has no unit to convert to; give it one")
    if _scaled(kind, given, 2.0, 1.0) == given:
        raise place.error(key, seen=written, reason="no threshold in this table has a unit")
    try:
        return _scaled(kind, given, *affine(canonical(written), unit))
    except UnitError as error:
        raise place.error(key, seen=written, reason=f"the profile is in {unit}: {error}") from error
