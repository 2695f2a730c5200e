"""Profiles: which tests a Datastream gets, with which thresholds, in which unit.

A profile is a data file (TOML) below a package of the group ``nilometer.profiles``; its name is its path
(``river/ph``). Its tests stand in their order, and that order is the meaning of an observation's `tests` digits:
slots belong to the profile version. A profile may inherit another's tests and change single values. Nothing here
judges.

::

    title = "Dissolved oxygen in rivers"
    version = "1"
    inherits = "water/dissolved_oxygen"   # optional
    property = "dissolved_oxygen"         # vocabulary key
    unit = "mg L-1"                       # of every threshold below
    required = ["gap", "gross_range"]     # PASS needs these evaluated
    rollup = "required"                   # or "ioos_qc"

    [tests.gross_range]
    fail = [0, 25]
    suspect = [2, 18]
    [tests.slow_spike]                    # any name; `test` says which test it is, where the name does not
    test = "spike"
    suspect = 1.0
    [tests]
    flat_line = false                     # leaves an inherited test out
"""

from __future__ import annotations

import builtins
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nilometer.errors import ConfigError, UnitError
from nilometer.plugins import DataFile, Found, data_files
from nilometer.qc.layout import MOST_TESTS
from nilometer.qc.qartod import DEFINITIONS
from nilometer.qc.rollup import Rule
from nilometer.units import affine, canonical

__all__ = ["Profile", "SlottedTest", "load", "profiles"]

_KEYS = ("title", "version", "inherits", "property", "unit", "required", "rollup", "tests")
_RULES = {"required": Rule.REQUIRED, "ioos_qc": Rule.IOOS_QC}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The tests of an observed property somewhere.

    Parameters
    ----------
    name : str
        Such as ``river/dissolved_oxygen``.
    version : str
        Raised when a threshold changes.
    title : str
        One line for people.
    property : str
        Vocabulary key; empty: any.
    unit : str
        Of the thresholds, CF text; empty: the unit of whatever is judged.
    required : frozenset of str
        Names of tests without which nothing is PASS.
    rollup : Rule
        How outcomes become one flag.
    tests : tuple of SlottedTest
        In the order of their slots.
    """

    name: str
    version: str = "1"
    title: str = ""
    property: str = ""
    unit: str = ""
    required: frozenset[str] = frozenset()
    rollup: Rule = Rule.REQUIRED
    tests: tuple[SlottedTest, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, name: str, file: str = "") -> Profile:
        """Return the profile that a TOML document or a stored version says.

        Parameters
        ----------
        document : mapping
            As the module's docstring shows; `inherits` is looked up among the installed profiles.
        name : str
            The profile's name.
        file : str
            Where it was read, for messages.

        Raises
        ------
        ConfigError
            If a key, a test, a parameter or a value cannot be used; it names the file, the key, the value and what
            would work.
        """
        return _resolve(_Draft(name, file, document), lambda parent: _installed(parent, file, (name,)))

    def to_document(self) -> dict[str, Any]:
        """Return the profile as JSON-ready data, with everything inherited written out."""
        return {
            "title": self.title,
            "version": self.version,
            "property": self.property,
            "unit": self.unit,
            "required": sorted(self.required),
            "rollup": self.rollup.name.lower(),
            "tests": {
                test.name: {"test": test.kind}
                | {key: list(value) if isinstance(value, tuple) else value for key, value in test.parameters.items()}
                for test in self.tests
            },
        }

    @builtins.property
    def fingerprint(self) -> str:
        """Text that differs when anything of the profile does."""
        tests = list(self.to_document()["tests"].items())
        return json.dumps([self.name, self.to_document(), tests], sort_keys=True)

    @builtins.property
    def names(self) -> tuple[str, ...]:
        """Names of the tests in the order of their slots: what the digits of `tests` stand for."""
        return tuple(test.name for test in self.tests)

    def in_unit(self, unit: str) -> Profile:
        """Return the profile with its thresholds in another unit.

        Parameters
        ----------
        unit : str
            Any spelling; empty, or a profile without a unit: nothing is converted.

        Raises
        ------
        ConfigError
            If the unit is unknown or of another dimension.
        """
        if not unit or not self.unit or unit == self.unit:
            return self
        try:
            target = canonical(unit)
            if target == self.unit:
                return self
            scale, offset = affine(self.unit, target)
        except UnitError as error:
            raise ConfigError("unit", seen=unit, reason=f"profile {self.name} is in {self.unit}: {error}") from error
        return replace(self, unit=target, tests=tuple(_scaled(test, scale, offset) for test in self.tests))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A profile as written, its parent not yet looked up."""

    name: str
    file: str
    document: Mapping[str, Any]


def _scaled(test: SlottedTest, scale: float, offset: float) -> SlottedTest:
    known = DEFINITIONS[test.kind].parameters
    return replace(
        test,
        parameters=MappingProxyType(
            {key: known[key].scaled(value, scale, offset) for key, value in test.parameters.items()}
        ),
    )


def _resolve(draft: _Draft, parent_of: Callable[[str], Profile]) -> Profile:
    document, file = draft.document, draft.file
    for key in document:
        if key not in _KEYS:
            raise ConfigError("key", seen=key, allowed=_KEYS, file=file)
    parent = Profile(name=draft.name)
    if "inherits" in document:
        parent = parent_of(_text(document, "inherits", file))
    parent, unit = _unit(document, parent, file)
    tests = _tests(document.get("tests", {}), parent, file)
    names = tuple(test.name for test in tests)
    rollup = document.get("rollup", parent.rollup.name.lower())
    if rollup not in _RULES:
        raise ConfigError("rollup", seen=rollup, allowed=_RULES, file=file)
    return Profile(
        name=draft.name,
        version=str(document.get("version", "1")),
        title=_text(document, "title", file, parent.title),
        property=_text(document, "property", file, parent.property),
        unit=unit,
        required=_required(document, parent, names, file),
        rollup=_RULES[rollup],
        tests=tests,
    )


def _unit(document: Mapping[str, Any], parent: Profile, file: str) -> tuple[Profile, str]:
    """Return the parent in the unit of the document, and that unit."""
    written = _text(document, "unit", file)
    if not written:
        return parent, parent.unit
    try:
        unit = canonical(written)
        return parent.in_unit(unit), unit
    except UnitError as error:
        raise ConfigError("unit", seen=written, reason=str(error), file=file) from error
    except ConfigError as error:
        raise ConfigError("unit", seen=written, reason=error.reason, file=file) from error


def _required(document: Mapping[str, Any], parent: Profile, names: tuple[str, ...], file: str) -> frozenset[str]:
    required = document.get("required", sorted(parent.required & set(names)))
    if not isinstance(required, list | tuple):
        raise ConfigError("required", seen=required, allowed="a list of names of tests", file=file)
    for name in required:
        if name not in names:
            raise ConfigError("required", seen=name, allowed=names, file=file)
    return frozenset(required)


def _text(document: Mapping[str, Any], key: str, file: str, default: str = "") -> str:
    value = document.get(key, default)
    if not isinstance(value, str):
        raise ConfigError(key, seen=value, allowed="text", file=file)
    return value


def _tests(tables: object, parent: Profile, file: str) -> tuple[SlottedTest, ...]:
    if not isinstance(tables, Mapping):
        raise ConfigError("tests", seen=tables, allowed="a table per test", file=file)
    tests = {test.name: test for test in parent.tests}
    for name, table in tables.items():
        if table is False:
            if tests.pop(name, None) is None:
                raise ConfigError(f"tests.{name}", seen=False, reason="nothing of that name is inherited", file=file)
            continue
        if not isinstance(table, Mapping):
            raise ConfigError(f"tests.{name}", seen=table, allowed="a table, or false", file=file)
        tests[name] = _test(name, table, tests.get(name), file)
    if len(tests) > MOST_TESTS:
        raise ConfigError("tests", seen=len(tests), allowed=f"at most {MOST_TESTS} tests", file=file)
    return tuple(tests.values())


def _test(name: str, table: Mapping[str, Any], inherited: SlottedTest | None, file: str) -> SlottedTest:
    kind = table.get("test", inherited.kind if inherited else name)
    if kind not in DEFINITIONS:
        key = f"tests.{name}.test" if "test" in table else "tests"
        raise ConfigError(key, seen=kind, allowed=DEFINITIONS, file=file)
    definition = DEFINITIONS[kind]
    parameters = {key: item.default for key, item in definition.parameters.items() if item.default is not None}
    if inherited is not None and inherited.kind == kind:
        parameters.update(inherited.parameters)
    for key, value in table.items():
        if key == "test":
            continue
        if key not in definition.parameters:
            raise ConfigError(f"tests.{name}", seen=key, allowed=["test", *definition.parameters], file=file)
        if value is False:  # leaves an inherited threshold out
            parameters.pop(key, None)
            continue
        try:
            parameters[key] = definition.parameters[key].read(value)
        except ValueError as error:
            raise ConfigError(f"tests.{name}.{key}", seen=value, allowed=str(error), file=file) from None
    fault = definition.fault(parameters)
    if fault:
        raise ConfigError(f"tests.{name}", reason=fault, file=file, seen=dict(table))
    return SlottedTest(name, kind, MappingProxyType(parameters))


def _draft(item: DataFile) -> _Draft:
    return _Draft(item.name, item.file, item.content)


def _installed(name: str, file: str, above: tuple[str, ...]) -> Profile:
    drafts = data_files("nilometer.profiles", _draft)
    if name in above:
        raise ConfigError("inherits", seen=name, reason=f"goes round: {' > '.join(above)}", file=file)
    if name not in drafts.items:
        raise ConfigError("inherits", seen=name, allowed=drafts.items, reason=drafts.broken.get(name, ""), file=file)
    draft = drafts.items[name]
    return _resolve(draft, lambda parent: _installed(parent, draft.file, (*above, name)))


@cache
def profiles() -> Found[Profile]:
    """Return every installed profile by name; what cannot be used is in `broken` with its reason."""
    drafts = data_files("nilometer.profiles", _draft)
    found: Found[Profile] = Found(drafts.group, broken=dict(drafts.broken))
    for name in drafts.items:
        try:
            found.items[name] = _installed(name, drafts.items[name].file, ())
        except ConfigError as error:
            found.broken[name] = str(error)
    return found


def load(profile: str | Path | Mapping[str, Any] | Profile) -> Profile:
    """Return a profile by name, from a file, or from a dict.

    Parameters
    ----------
    profile : str, path, mapping or Profile
        A name such as ``river/ph``; a TOML file (a path, or text that ends in ``.toml``); a dict as this module's
        documents, or in `ioos_qc`'s own spelling (``{"qartod": {"gross_range_test": {...}}}``).

    Returns
    -------
    Profile
        A dict's profile is called "dict", a file's by the file.

    Raises
    ------
    ConfigError
        If there is no such profile or it cannot be used.

    Examples
    --------
    >>> load({"tests": {"gross_range": {"fail": [0, 14]}}}).names
    ('gross_range',)
    """
    if isinstance(profile, Profile):
        return profile
    if isinstance(profile, Mapping):
        from nilometer.qc import peer  # noqa: PLC0415 -- peer reads its documents with this module

        document = peer.translated(profile) if peer.is_peers(profile) else profile
        return Profile.from_document(document, name="dict")
    if isinstance(profile, Path) or profile.endswith(".toml"):
        return _from_file(Path(profile))
    return profiles()[profile]


def _from_file(path: Path) -> Profile:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("profile", seen=str(path), reason=str(error)) from error
    return Profile.from_document(document, name=path.stem, file=str(path))
