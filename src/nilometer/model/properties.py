"""The observed properties that water stations use: key, basis, method, names, codes, unit, digits, kind of mean.

A unit registry alone does not stop a mix-up: NH3-N and NH4 share mg L-1. So a property has a basis and a method, and
two properties are never taken for one another (`refuse_mismatch`). The data stand in ``vocabulary/*.toml``; this module
reads and checks them and converts nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from nilometer.errors import ConfigError, PropertyMismatch, UnitError
from nilometer.units import canonical

__all__ = ["VocabularyTerm", "by_hj525", "own_definition", "read_vocabulary", "refuse_mismatch", "term", "vocabulary"]

MEANS = ("arithmetic", "circular", "hydrogen_ion")


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyTerm:
    """One observed property.

    Parameters
    ----------
    key : str
        Its name inside nilometer, such as ``nh3_n``.
    name_en, name_zh : str
        As the field calls it.
    unit : str
        CF text of the unit results are kept in.
    decimals : int
        Digits after the point in reports and on screens.
    theme : str
        The data file it stands in, such as ``nutrients``.
    symbol : str
        Short form for narrow places, such as ``NH₃-N``.
    basis, method : str
        What the number counts (``as N``), and how it is found.
    mean : str
        ``arithmetic``, ``circular`` (degrees) or ``hydrogen_ion`` (the mean of activities, for pH).
    hj525, hj525_2005 : str, optional
        Codes of HJ 525-2009 and HJ/T 212-2005.
    hj525_field : tuple of str
        Codes seen in the field beyond the table of HJ 212-2017: their unit has to be set per source.
    hj525_unit : str, optional
        CF text of the unit that goes with the codes on the wire; None: has to be set per source.
    cf_name, nerc_uri : str, optional
        CF standard name; NERC vocabulary URI.
    definition : str
        URI that identifies the property: in a public vocabulary, else in ours.
    not_the_same_as : mapping of str to str
        Keys of properties it is mixed up with, each with the difference in words.
    columns : tuple of str
        Names that files give to columns of it, in lower case with single blanks.
    """

    key: str
    name_en: str
    name_zh: str
    unit: str
    decimals: int
    theme: str = ""
    symbol: str = ""
    basis: str = ""
    method: str = ""
    mean: str = "arithmetic"
    hj525: str | None = None
    hj525_2005: str | None = None
    hj525_field: tuple[str, ...] = ()
    hj525_unit: str | None = None
    cf_name: str | None = None
    nerc_uri: str | None = None
    definition: str = ""
    not_the_same_as: Mapping[str, str] = field(default_factory=dict, hash=False)
    columns: tuple[str, ...] = ()


@cache
def vocabulary() -> Mapping[str, VocabularyTerm]:
    """Return every shipped property by key.

    Raises
    ------
    ConfigError
        If a data file cannot be used; names file, key, value and what is allowed.

    Examples
    --------
    >>> vocabulary()["codmn"].name_zh
    '高锰酸盐指数'
    """
    return read_vocabulary(resources.files("nilometer.model") / "vocabulary")


def term(key: str) -> VocabularyTerm:
    """Return the property of a key.

    Raises
    ------
    ConfigError
        If there is none; the message has the near names.

    Examples
    --------
    >>> term("dissolved_oxygen").unit
    'mg L-1'
    """
    try:
        return vocabulary()[key]
    except KeyError:
        raise ConfigError("observed_property", seen=key, allowed=vocabulary()) from None


def by_hj525(code: str) -> VocabularyTerm | None:
    """Return the property of an HJ 525 code of 2009 (``w21003``) or of HJ/T 212-2005 (``060``); None where unknown.

    The unit on the wire is `VocabularyTerm.hj525_unit`; it is None for codes outside HJ 212-2017's own table.

    Examples
    --------
    >>> by_hj525("w21003").key, by_hj525("011").key, by_hj525("w99999")
    ('nh3_n', 'codcr', None)
    """
    return _codes().get(code.strip().casefold())


def refuse_mismatch(a: str | VocabularyTerm, b: str | VocabularyTerm) -> None:
    """Refuse to take one property for another.

    Parameters
    ----------
    a, b : str or VocabularyTerm
        What there is, and what was asked for. Keys outside the vocabulary are allowed: equal keys are one property.

    Raises
    ------
    PropertyMismatch
        If they differ; the message gives both bases and, where it is known, the difference.

    Examples
    --------
    >>> refuse_mismatch("nh3_n", "nh3_n")
    >>> refuse_mismatch("ammonium", "nh3_n")
    Traceback (most recent call last):
        ...
    nilometer.errors.PropertyMismatch: ammonium (Ammonium, as NH4; NH4+ alone, as NH4) is not nh3_n (Ammonia nitrogen; \
total ammonia (NH3 and NH4+), as N): NH3 and NH4+ together, as N: 1 mg/L N is 1.288 mg/L NH4
    """
    key_a, key_b = (item if isinstance(item, str) else item.key for item in (a, b))
    if key_a == key_b:
        return
    term_a, term_b = vocabulary().get(key_a), vocabulary().get(key_b)
    message = f"{_described(key_a, term_a)} is not {_described(key_b, term_b)}"
    if term_a is not None and key_b in term_a.not_the_same_as:
        message += f": {term_a.not_the_same_as[key_b]}"
    elif term_b is not None and key_a in term_b.not_the_same_as:
        message += f": of the first, {term_b.not_the_same_as[key_a]}"
    raise PropertyMismatch(message)


def read_vocabulary(folder: Traversable) -> Mapping[str, VocabularyTerm]:
    """Read and check every TOML file of a folder.

    Parameters
    ----------
    folder : Traversable
        A package folder or a path.

    Returns
    -------
    mapping of str to VocabularyTerm
        By key, in the order of the files.

    Raises
    ------
    ConfigError
        For a key, value, unit, code or reference that cannot be used.
    """
    terms: dict[str, VocabularyTerm] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".toml"):
            continue
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError("vocabulary", file=file.name, reason=str(error)) from error
        for key, entry in content.get("term", {}).items():
            if key in terms:
                raise ConfigError(f"term.{key}", file=file.name, reason=f"is in {terms[key].theme}.toml too")
            terms[key] = _parse(key, entry, file.name)
    for item in terms.values():
        for other in item.not_the_same_as:
            if other not in terms:
                raise ConfigError(
                    f"term.{item.key}.not_the_same_as", seen=other, allowed=terms, file=f"{item.theme}.toml"
                )
    return MappingProxyType(terms)


_STANDARD_NAMES = "http://vocab.nerc.ac.uk/standard_name/"

_TEXTS = frozenset(
    {"name_en", "name_zh", "unit", "symbol", "basis", "method", "mean", "hj525", "hj525_2005", "hj525_unit", "cf_name"}
    | {"nerc_uri", "definition"}
)
_LISTS = frozenset({"hj525_field", "columns"})
_KEYS = _TEXTS | _LISTS | {"decimals", "not_the_same_as"}


def _parse(key: str, entry: dict[str, Any], file: str) -> VocabularyTerm:
    for name, value in entry.items():
        place = f"term.{key}.{name}"
        if name not in _KEYS:
            raise ConfigError(f"term.{key}", seen=name, allowed=_KEYS, file=file)
        if name in _TEXTS and not (isinstance(value, str) and value):
            raise ConfigError(place, seen=value, allowed="text", file=file)
        if name in _LISTS and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise ConfigError(place, seen=value, allowed="a list of texts", file=file)
    for name in ("name_en", "name_zh", "unit", "decimals"):
        if name not in entry:
            raise ConfigError(f"term.{key}", reason=f"{name} is missing", file=file)
    decimals = entry["decimals"]
    if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= 9:
        raise ConfigError(f"term.{key}.decimals", seen=decimals, allowed="0 to 9", file=file)
    if entry.get("mean", "arithmetic") not in MEANS:
        raise ConfigError(f"term.{key}.mean", seen=entry["mean"], allowed=MEANS, file=file)
    for name in ("unit", "hj525_unit"):
        _check_unit(f"term.{key}.{name}", entry.get(name), file)
    values = entry | {name: tuple(entry[name]) for name in _LISTS if name in entry}
    values["not_the_same_as"] = MappingProxyType(dict(entry.get("not_the_same_as", {})))
    values.setdefault("definition", _definition(entry) or own_definition(key))
    return VocabularyTerm(key=key, theme=file.removesuffix(".toml"), **values)


def own_definition(key: str) -> str:
    """Return the URI of a property that no public vocabulary has a word for."""
    return f"urn:nilometer:property:{key}"


def _definition(entry: Mapping[str, Any]) -> str | None:
    """Return the URI of a term in a public vocabulary: NERC's own, else that of its copy of the CF standard names."""
    if "nerc_uri" in entry:
        return str(entry["nerc_uri"])
    return f"{_STANDARD_NAMES}{entry['cf_name']}/" if "cf_name" in entry else None


def _check_unit(place: str, unit: str | None, file: str) -> None:
    if unit is None:
        return
    try:
        text = canonical(unit)
    except UnitError as error:
        raise ConfigError(place, seen=unit, allowed="CF text of a unit", file=file, reason=str(error)) from error
    if text != unit:
        raise ConfigError(place, seen=unit, allowed=text, file=file)


def _described(key: str, item: VocabularyTerm | None) -> str:
    if item is None:
        return f"{key} (not in the vocabulary)"
    return f"{key} ({item.name_en}; {item.basis or item.method or item.unit})"


@cache
def _codes() -> Mapping[str, VocabularyTerm]:
    codes: dict[str, VocabularyTerm] = {}
    for item in vocabulary().values():
        for code in (item.hj525, item.hj525_2005, *item.hj525_field):
            if code is None:
                continue
            if code.casefold() in codes:
                raise ConfigError(
                    f"term.{item.key}.hj525", seen=code, reason=f"{codes[code.casefold()].key} has it too"
                )
            codes[code.casefold()] = item
    return MappingProxyType(codes)
