"""``properties.nilometer`` of an entity: what the platform keeps in fields of its own, and what it lets be said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from nilometer import units
from nilometer.errors import ConfigError, RequestError, UnitError
from nilometer.model import (
    Datastream,
    FeatureOfInterest,
    MultiDatastream,
    ObservedProperty,
    Origin,
    Sensor,
    Thing,
    WaterBody,
)
from nilometer.model.properties import own_definition, vocabulary
from nilometer.qc.marks import schemes
from nilometer.qc.shelf import Shelf
from nilometer.qc.thresholds import Place
from nilometer.store.catalog_edit import CatalogEdit

__all__ = ["check_judged", "fields_of", "free_key", "split"]

OURS = "nilometer"
PLAIN = "plain"
"""Kept under ``nilometer`` of what a client made that says nothing there: it is read back as it was sent."""
_KEPT = frozenset({"property", "raw_unit", "identity"})
_KEPT_OF: dict[type, frozenset[str]] = {Datastream: _KEPT, MultiDatastream: frozenset({"identity"})}
_FIELDS: dict[type, frozenset[str]] = {
    Thing: frozenset({"key", "water_body", "target_class", "time_zone"}),
    Sensor: frozenset({"key"}),
    ObservedProperty: frozenset({"key"}),
    Datastream: frozenset({"key", "origin", "profile", "mark_scheme", "unit", "identity", *_KEPT}),
    MultiDatastream: frozenset({"key", "identity"}),
}
_TOLD = frozenset({*_FIELDS, FeatureOfInterest})
_IMPORTED = "imported"
"""Whose an entity was, on which server; kept of every kind, see docs/sensorthings_import.md."""
_LONGEST_KEY = 200


def split(kind: type, properties: Mapping[str, Any] | None, before: object, at: str) -> dict[str, Any]:
    """Return what `properties` say of an entity's fields, with ``properties`` as they are kept.

    Parameters
    ----------
    kind : type
        Of the entity.
    properties : mapping, optional
        As they were sent.
    before : object
        What the entity keeps under ``nilometer`` so far, of a Location any JSON; a mapping that is left out stays.
    at : str
        Where they stand in the body.

    Raises
    ------
    RequestError
        If ``nilometer`` says what it may not.
    """
    before = before if isinstance(before, Mapping) else {}
    kept = dict(properties or {})
    given = kept.pop(OURS, None)
    fields: dict[str, Any] = {}
    mine = dict(before)
    if given is not None and kind not in _FIELDS:
        mine = {OURS: given}  # ours is nothing here: it is kept as it is
        if isinstance(given, Mapping):
            mine = {name: value for name, value in given.items() if name != "sample_kind"}
    elif given is not None:
        if not isinstance(given, Mapping):
            raise RequestError("expected an object", place=f"{at}.{OURS}")
        mine.pop(PLAIN, None)
        fields = _said(kind, given, mine, before, f"{at}.{OURS}")
    elif kind in _TOLD and not before:
        mine[PLAIN] = True
    if mine:
        kept[OURS] = mine if mine.keys() != {OURS} else mine[OURS]
    _check_fields(fields, mine, f"{at}.{OURS}")
    return {**fields, "properties": kept}


def _said(
    kind: type, given: Mapping[str, Any], mine: dict[str, Any], before: Mapping[str, Any], at: str
) -> dict[str, Any]:
    """Return the fields that are said, and write the rest into `mine`."""
    fields: dict[str, Any] = {}
    kept = _KEPT_OF.get(kind, frozenset()) | {_IMPORTED}
    for name, value in given.items():
        if name in _FIELDS[kind] - kept:
            fields[name] = value
        elif name in kept:
            mine[name] = value
        elif before.get(name) != value:
            allowed = ", ".join(sorted(_FIELDS[kind]))
            raise RequestError(f"{name[:60]!r} cannot be said here (allowed: {allowed})", place=at)
    if given.get("identity") == "time" and "identity" not in before and "unit" in given:
        mine.pop("identity", None)  # as it was read from a Datastream that says nothing of it
    return fields


def _check_fields(fields: dict[str, Any], kept: Mapping[str, Any], at: str) -> None:
    if "key" in fields and (not isinstance(fields["key"], str) or len(fields["key"]) > _LONGEST_KEY):
        raise RequestError(f"a key is a text of at most {_LONGEST_KEY} characters", place=f"{at}.key")
    _one_of(fields, "water_body", WaterBody, at)
    _one_of(fields, "origin", Origin, at)
    for name in ("target_class", "profile", "mark_scheme"):
        if not isinstance(fields.get(name), str | None):
            raise RequestError("expected a text", place=f"{at}.{name}")
    if "time_zone" in fields:
        try:
            ZoneInfo(fields["time_zone"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RequestError(f"{str(fields['time_zone'])[:60]!r} is no time zone", place=f"{at}.time_zone") from error
    identity = kept.get("identity")
    if identity is not None and (not isinstance(identity, str) or identity not in {"time", "always_new"}):
        raise RequestError("identity is time or always_new", place=f"{at}.identity")
    for name in ("property", "raw_unit"):
        if not isinstance(kept.get(name), str | None):
            raise RequestError("expected a text", place=f"{at}.{name}")


def _one_of(fields: dict[str, Any], name: str, kinds: Callable[[Any], Any], at: str) -> None:
    if name in fields:
        try:
            fields[name] = kinds(fields[name])
        except ValueError as error:
            raise RequestError(f"{name}: {error}", place=f"{at}.{name}") from error
        if fields[name] is Origin.DERIVED:
            raise RequestError("a derived Datastream is declared at /api/v1/derived", place=f"{at}.origin")


def fields_of(datastream: Datastream) -> Mapping[str, Any]:
    """Return what a Datastream keeps under ``nilometer``."""
    ours: Mapping[str, Any] = datastream.properties.get(OURS, {})
    return ours


def check_judged(datastream: Datastream, shelf: Shelf, at: str) -> None:
    """Refuse a unit, a raw unit, a scheme of marks or a profile with which nothing could be calibrated or judged.

    Raises
    ------
    RequestError
        With the place.
    """
    raw_unit = fields_of(datastream).get("raw_unit")
    place = f"{at}.properties.{OURS}"
    if datastream.mark_scheme is not None and datastream.mark_scheme not in schemes():
        allowed = ", ".join(schemes())
        raise RequestError(
            f"{datastream.mark_scheme[:60]!r} is no scheme of marks (allowed: {allowed})", place=f"{place}.mark_scheme"
        )
    try:
        if datastream.unit == units.UNKNOWN:
            if raw_unit is not None or datastream.profile is not None:
                named = "raw_unit" if raw_unit is not None else "profile"
                raise RequestError(
                    f"unitOfMeasurement was not understood, so nothing is calibrated or judged by {named}; give "
                    f"properties.{OURS}.unit",
                    place=f"{place}.{named}",
                )
            return
        if raw_unit is not None:
            units.affine(raw_unit, datastream.unit)
        if datastream.profile is not None:
            profile = shelf.effective(datastream.profile, {}, Place(under=f"{place}.profile"))
            if profile.unit and not units.same_dimension(profile.unit, datastream.unit):
                raise RequestError(
                    f"profile {profile.name} judges {profile.unit}, and the Datastream is in {datastream.unit}",
                    place=f"{place}.profile",
                )
    except UnitError as error:
        raise RequestError(str(error), place=f"{place}.raw_unit") from error
    except ConfigError as error:
        raise RequestError(str(error), place=f"{place}.profile") from error


def free_key(edit: CatalogEdit, kind: type, wanted: str, definition: str = "") -> str:
    """Return a key that no entity has: the one wanted in plain letters, with a number where it is taken.

    That of an ObservedProperty is a word of the vocabulary only where its definition is the vocabulary's.
    """
    slug = re.sub(r"[^\w./]+", "_", wanted).strip("_./").lower()[: _LONGEST_KEY - 12]
    base = slug if slug[:1].isalpha() else f"x{slug}"
    if kind is ObservedProperty:
        # Ours as well: that was every definition of the vocabulary in the first releases.
        same = [key for key, term in vocabulary().items() if definition in {term.definition, own_definition(key)}]
        base = same[0] if same else base
        if not same and base in vocabulary():
            base = f"{base}.own"
    if edit.owner(kind, base) is None:
        return base
    # Numbers that are taken lie close together: their end is found in steps that double, then by halves.
    low, high = 1, 2
    while edit.owner(kind, f"{base}.{high}") is not None:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if edit.owner(kind, f"{base}.{middle}") is None:
            high = middle
        else:
            low = middle
    return f"{base}.{high}"
