"""Profiles: which tests a Datastream gets, with which thresholds, in which unit.

A profile is a data file (TOML): below a package of the group ``nilometer.profiles``, or in the folder ``profiles`` of
a data folder (`nilometer.qc.shelf`). Its name is its path (``river/ph``). Its tests stand in their order, and that
order is the meaning of an observation's `tests` digits: slots belong to the profile version. A profile may inherit
another's tests and change single values. Nothing here judges.

::

    title = "Dissolved oxygen in rivers"
    version = "1"
    inherits = "water/dissolved_oxygen"   # optional
    property = "dissolved_oxygen"         # vocabulary key
    unit = "mg L-1"                       # of every threshold below
    required = ["gap", "gross_range"]     # PASS needs these evaluated
    rollup = "required"                   # or "ioos_qc"
    along = "time"                        # or "depth": the tests run down a cast

    [tests.gross_range]
    fail = [0, 25]
    suspect = [2, 18]
    [tests.slow_spike]                    # any name; `test` says which test it is, where the name does not
    test = "spike"
    suspect = 1.0
    unit = "ug L-1"                       # of this table's thresholds, where it is another
    [tests]
    flat_line = false                     # leaves an inherited test out
"""

from __future__ import annotations

import builtins
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from nilometer.errors import ConfigError, UnitError
from nilometer.model.properties import vocabulary
from nilometer.plugins import DataFile, Found, data_files
from nilometer.qc.rollup import Rule
from nilometer.qc.thresholds import Place, SlottedTest, in_unit, plain, read_tests
from nilometer.units import affine, canonical, same_dimension

__all__ = ["Draft", "Profile", "SlottedTest", "found", "installed", "load", "profiles", "resolve"]

_KEYS = ("title", "version", "inherits", "property", "unit", "required", "rollup", "along", "tests")
_STORED = ("lineage", "slots")  # what `to_document` adds
_RULES = {"required": Rule.REQUIRED, "ioos_qc": Rule.IOOS_QC}
_ALONG = ("time", "depth")


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
    along : str
        ``time``, or ``depth``: the rows are a cast, and their order runs down it.
    tests : tuple of SlottedTest
        In the order of their slots.
    lineage : tuple of str
        Name and version of every profile this one inherits from, the farthest first.
    origins : mapping of str to str
        Which profile each threshold comes from, by ``tests.spike.suspect``; not part of what a profile is.
    """

    name: str
    version: str = "1"
    title: str = ""
    property: str = ""
    unit: str = ""
    required: frozenset[str] = frozenset()
    rollup: Rule = Rule.REQUIRED
    along: str = "time"
    tests: tuple[SlottedTest, ...] = ()
    lineage: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

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
        draft = Draft(name, Place(file), document)
        return resolve(draft, lambda parent: found(installed(), parent, draft.place, (name,)))

    def to_document(self) -> dict[str, Any]:
        """Return the profile as JSON-ready data, with everything inherited written out."""
        return {
            "title": self.title,
            "version": self.version,
            "property": self.property,
            "unit": self.unit,
            "required": sorted(self.required),
            "rollup": self.rollup.name.lower(),
            "along": self.along,
            "tests": {test.name: {"test": test.kind} | plain(test.parameters) for test in self.tests},
            "slots": list(self.names),
            "lineage": list(self.lineage),
        }

    @builtins.property
    def fingerprint(self) -> str:
        """Text that differs when anything of the profile does that a flag or its reading depends on."""
        document = self.to_document()
        del document["lineage"]
        return json.dumps([self.name, document, list(document["tests"].items())], sort_keys=True)

    @builtins.property
    def digest(self) -> str:
        """SHA-256 of version and document, as a catalog keeps it with the profile's version."""
        text = json.dumps([self.version, self.to_document()], sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

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
        return replace(self, unit=target, tests=tuple(in_unit(test, scale, offset) for test in self.tests))


@dataclass(frozen=True, slots=True)
class Draft:
    """A profile as written, its parent not yet looked up."""

    name: str
    place: Place
    document: Mapping[str, Any]


def resolve(draft: Draft, parent_of: Callable[[str], Profile]) -> Profile:
    """Return the profile that a draft says.

    Parameters
    ----------
    draft : Draft
        As written.
    parent_of : callable
        Returns the profile that `inherits` names.

    Raises
    ------
    ConfigError
        As `Profile.from_document`.
    """
    document, place = draft.document, draft.place
    for key in document:
        if key not in _KEYS + _STORED:
            raise place.error("key", seen=key, allowed=_KEYS)
    parent = Profile(name=draft.name)
    lineage = _names(document, "lineage", (), place)
    if "inherits" in document:
        parent = parent_of(_text(document, "inherits", place))
        lineage = (*parent.lineage, f"{parent.name} {parent.version}")
    parent, unit = _unit(document, parent, place)
    inherited = {test.name: test for test in parent.tests}
    tests, written = read_tests(document.get("tests", {}), inherited, unit, place)
    tests = _in_slots(tests, document, place)
    names = tuple(test.name for test in tests)
    of_property = _text(document, "property", place, parent.property)
    _check_dimension(of_property, unit, document, place)
    return Profile(
        name=draft.name,
        version=_version(document, place),
        title=_text(document, "title", place, parent.title),
        property=of_property,
        unit=unit,
        required=_required(document, parent, names, place),
        rollup=_RULES[_choice(document, "rollup", parent.rollup.name.lower(), tuple(_RULES), place)],
        along=_choice(document, "along", parent.along, _ALONG, place),
        tests=tests,
        lineage=lineage,
        origins={
            key: draft.name if key in written or key not in parent.origins else parent.origins[key]
            for test in tests
            for key in (f"tests.{test.name}.{parameter}" for parameter in test.parameters)
        },
    )


def _in_slots(tests: tuple[SlottedTest, ...], document: Mapping[str, Any], place: Place) -> tuple[SlottedTest, ...]:
    """Return the tests in the order of a stored version's slots: a database may have lost the order of its keys."""
    slots = _names(document, "slots", (), place)
    if not slots:
        return tests
    by_name = {test.name: test for test in tests}
    if sorted(slots) != sorted(by_name):
        raise place.error("slots", seen=list(slots), reason="each test has one slot", allowed=by_name)
    return tuple(by_name[name] for name in slots)


def _unit(document: Mapping[str, Any], parent: Profile, place: Place) -> tuple[Profile, str]:
    """Return the parent in the unit of the document, and that unit."""
    written = _text(document, "unit", place)
    if not written:
        return parent, parent.unit
    try:
        unit = canonical(written)
        return parent.in_unit(unit), unit
    except UnitError as error:
        raise place.error("unit", seen=written, reason=str(error)) from error
    except ConfigError as error:
        raise place.error("unit", seen=written, reason=error.reason) from error


def _check_dimension(of_property: str, unit: str, document: Mapping[str, Any], place: Place) -> None:
    """Refuse thresholds that cannot be of the property they are for."""
    term = vocabulary().get(of_property)
    if term is None or not unit or unit == term.unit or same_dimension(unit, term.unit):
        return
    key = "unit" if "unit" in document else "property"
    raise place.error(key, seen=document.get(key), reason=f"{of_property} is measured in {term.unit}, not in {unit}")


def _required(document: Mapping[str, Any], parent: Profile, names: tuple[str, ...], place: Place) -> frozenset[str]:
    required = _names(document, "required", tuple(sorted(parent.required & set(names))), place)
    for name in required:
        if name not in names:
            raise place.error("required", seen=name, allowed=names)
    return frozenset(required)


def _names(document: Mapping[str, Any], key: str, default: tuple[str, ...], place: Place) -> tuple[str, ...]:
    names = document.get(key, default)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise place.error(key, seen=names, allowed="a list of names")
    return tuple(names)


def _text(document: Mapping[str, Any], key: str, place: Place, default: str = "") -> str:
    value = document.get(key, default)
    if not isinstance(value, str):
        raise place.error(key, seen=value, allowed="text")
    return value


def _choice(document: Mapping[str, Any], key: str, default: str, choices: tuple[str, ...], place: Place) -> str:
    value = document.get(key, default)
    if value not in choices:
        raise place.error(key, seen=value, allowed=choices)
    return str(value)


def _version(document: Mapping[str, Any], place: Place) -> str:
    version = document.get("version", "1")
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise place.error("version", seen=version, allowed="text or a whole number")
    return str(version)


def found(drafts: Found[Draft], name: str, place: Place, above: tuple[str, ...]) -> Profile:
    """Return the profile of a name among drafts.

    Parameters
    ----------
    drafts : Found of Draft
        Where it and its ancestors are looked up.
    name : str
        Its name.
    place : Place
        Where it is asked for, for messages.
    above : tuple of str
        Names of the profiles that wait for it.

    Raises
    ------
    ConfigError
        If it does not exist, cannot be used, or inherits from itself.
    """
    if name in above:
        raise place.error("inherits", seen=name, reason=f"goes round: {' > '.join((*above, name))}")
    if name not in drafts.items:
        reason = drafts.broken.get(name, "no such profile")
        raise place.error("inherits", seen=name, allowed=drafts.items, reason=reason)
    draft = drafts.items[name]
    return resolve(draft, lambda parent: found(drafts, parent, draft.place, (*above, name)))


def _draft(item: DataFile) -> Draft:
    return Draft(item.name, Place(item.file), item.content)


def installed() -> Found[Draft]:
    """Return every installed profile as written, by name."""
    return data_files("nilometer.profiles", _draft)


@cache
def profiles() -> Found[Profile]:
    """Return every installed profile by name; what cannot be used is in `broken` with its reason."""
    drafts = installed()
    all_of_them: Found[Profile] = Found(drafts.group, broken=dict(drafts.broken))
    for name in drafts.items:
        try:
            all_of_them.items[name] = found(drafts, name, drafts.items[name].place, ())
        except ConfigError as error:
            all_of_them.broken[name] = str(error)
    return all_of_them


def load(profile: str | Path | Mapping[str, Any] | Profile) -> Profile:
    """Return a profile by name, from a file, or from a dict.

    Parameters
    ----------
    profile : str, path, mapping or Profile
        A name such as ``river/ph``; a TOML file (a path, or text that ends in ``.toml``); a dict as this module's
        documents, or in `ioos_qc`'s own spelling (``{"qartod": {"gross_range_test": {...}}}``), or a YAML or JSON file
        of either (its name ends in ``.yaml``, ``.yml`` or ``.json``). A TOML file below a folder ``profiles`` may
        inherit from its neighbours there and is called by its path below it; any other by its stem.

    Returns
    -------
    Profile
        A dict's profile is called "dict".

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
    if str(profile).endswith((".yaml", ".yml", ".json")):
        from nilometer.qc import peer, peer_contexts  # noqa: PLC0415 -- as above

        document = peer_contexts.read(Path(profile))
        document = peer.translated(document) if peer.is_peers(document) else document
        return Profile.from_document(document, name=Path(profile).stem, file=str(profile))
    if isinstance(profile, Path) or profile.endswith(".toml"):
        from nilometer.qc.shelf import Shelf  # noqa: PLC0415 -- a shelf is made of profiles

        return Shelf.from_file(Path(profile))
    return profiles()[profile]
