"""Standards: legal tables of limits, read from data files, one per edition.

A file holds what the standard prints, each item with its clause, and the method that turns items into a class. A
standard is never asked of water it was not made for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from nilometer.errors import ConfigError, StandardNotApplicable
from nilometer.model.entities import WaterBody
from nilometer.plugins import DataFile, Found, data_files
from nilometer.verdict.item import Alternative, Item, Role, Rule
from nilometer.verdict.wording import Words, no_standard

__all__ = ["Standard", "find_standard", "parse", "standard_for", "standards"]

_MEANS = ("arithmetic", "hydrogen_ion")
_BELOW = ("half", "limit", "zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """One edition of a standard with the method of its assessment.

    Parameters
    ----------
    key, name, edition : str
        ``gb3838-2002``, ``GB 3838-2002``, ``2002``.
    title, beyond : Words
        Its title; what is said of water worse than the worst class.
    classes : tuple of str
        Best first.
    applies_to : frozenset of WaterBody
        The kinds of water it was made for.
    items : tuple of Item
        Rows of its table.
    method, method_title : str, Words
        How items become a class.
    required : int
        How many items the method requires.
    shortest_days : float
        The shortest period the method gives a class to.
    period : Words
        The periods it assesses.
    censored_below : {"half", "limit", "zero"}
        What stands for a value below the detection limit.
    sources : mapping of str to str
        Clause and confidence of the table, the method, its period, its means and its rule for censored values.
    notes : tuple of Words
        What every verdict must say.
    file : str
        Where it was read.
    by_default : bool
        Whether it judges waters it applies to where none was asked for.
    """

    key: str
    name: str
    edition: str
    title: Words
    beyond: Words
    classes: tuple[str, ...]
    applies_to: frozenset[WaterBody]
    items: tuple[Item, ...]
    method: str
    method_title: Words
    required: int
    shortest_days: float
    period: Words
    censored_below: str
    sources: Mapping[str, Mapping[str, str]]
    notes: tuple[Words, ...]
    file: str = ""
    by_default: bool = True

    def items_for(self, water_body: WaterBody) -> tuple[Item, ...]:
        """Return the rows that are printed for this kind of water.

        Raises
        ------
        StandardNotApplicable
            If the standard was not made for it.
        """
        if water_body not in self.applies_to:
            made_for = ", ".join(sorted(self.applies_to))
            raise StandardNotApplicable(
                f"{self.name} does not apply to {water_body.value.replace('_', ' ')} (it is made for: {made_for})"
            )
        return tuple(item for item in self.items if water_body in item.applies_to)

    def class_name(self, index: int | None) -> str | None:
        """Return the class of an index as the standard writes it; "inferior V" beyond the worst; None for None."""
        if index is None:
            return None
        return self.classes[index] if index < len(self.classes) else self.beyond.en

    def class_index(self, name: str) -> int:
        """Return the index of a class by name.

        Raises
        ------
        ConfigError
            If the standard has no such class.
        """
        if name not in self.classes:
            raise ConfigError(
                "target_class", seen=name, allowed=", ".join(self.classes), reason=f"no class of {self.name}"
            )
        return self.classes.index(name)


@cache
def standards() -> Found[Standard]:
    """Return every standard that is installed, by file name; a broken file is named with its reason."""
    return data_files("nilometer.standards", parse)


def find_standard(name: str | Path | Standard) -> Standard:
    """Return a standard by its name, its key or its file.

    Parameters
    ----------
    name : str, Path or Standard
        ``"GB 3838-2002"``, ``"gb3838-2002"``, or the path of a TOML file; a Standard is returned as it is.

    Returns
    -------
    Standard
        The standard.

    Raises
    ------
    ConfigError
        If there is none; the message has the near names.
    """
    if isinstance(name, Standard):
        return name
    if isinstance(name, Path) or str(name).endswith(".toml"):
        return _from_file(Path(name))
    wanted = _plain(name)
    found = standards()
    for standard in found.items.values():
        if wanted in {_plain(standard.key), _plain(standard.name)}:
            return standard
    if name in found.broken:
        return found[name]
    raise ConfigError("standard", seen=name, allowed=[standard.name for standard in found.items.values()])


def standard_for(water_body: WaterBody) -> Standard | None:
    """Return the installed standard that judges a kind of water unasked, or None: then there is none.

    Where several do, the first by name.
    """
    applicable = [
        standard for standard in standards().items.values() if standard.by_default and water_body in standard.applies_to
    ]
    return min(applicable, key=lambda standard: standard.name, default=None)


def not_applicable(water_body: WaterBody) -> dict[str, Any]:
    """Return what stands in a verdict's place where no shipped standard applies, JSON-ready.

    Examples
    --------
    >>> not_applicable(WaterBody.SEA)["reason"]["en"]
    'no applicable standard for sea'
    """
    return {
        "standard": None, "applicable": False, "reason": no_standard(water_body.value).to_document(), "class": None,
        "target_class": None, "met": None, "limiting": [], "assessed": 0, "required": 0, "indicative": False,
        "indicative_reason": None, "start": None, "end": None, "class_without_suspect": None,
    }  # fmt: skip


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _from_file(path: Path) -> Standard:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("standard", seen=str(path), reason=error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("standard", file=path, reason=str(error)) from error
    return parse(DataFile(path.stem, str(path), content))


def parse(source: DataFile) -> Standard:
    """Return the standard that a data file describes.

    Raises
    ------
    ConfigError
        If it cannot be used as written: file, key, value and what would work.
    """
    reader = _Reader(source.file, source.content, "")
    classes = tuple(str(name) for name in reader.take("classes", list))
    applies_to = reader.water_bodies("applies_to")
    method = reader.section("method")
    period, censored, mean = method.section("period"), method.section("censored"), method.section("mean")
    items = tuple(
        _item(_Reader(source.file, row, f"item[{n}]."), classes, applies_to)
        for n, row in enumerate(reader.take("item", list))
    )
    _refuse_doubles(items, source.file)
    return Standard(
        key=reader.take("key", str),
        name=reader.take("name", str),
        edition=reader.take("edition", str),
        title=reader.words("title"),
        beyond=reader.words("beyond"),
        classes=classes,
        applies_to=applies_to,
        items=items,
        method=method.take("name", str),
        method_title=method.words("title"),
        required=method.take("required", int),
        shortest_days=float(period.take("shortest_days", (int, float))),
        period=period.words("text"),
        censored_below=censored.choice("below", _BELOW),
        sources={
            name: {"source": part.take("source", str, ""), "confidence": part.take("confidence", str, "")}
            for name, part in (
                ("table", reader),
                ("method", method),
                ("period", period),
                ("mean", mean),
                ("censored", censored),
            )
        },
        notes=tuple(
            _Reader(source.file, {"note": row}, f"note[{n}].").words("note")
            for n, row in enumerate(reader.take("note", list, []))
        ),
        file=source.file,
        by_default=bool(source.content.get("by_default", True)),
    )


def _item(row: _Reader, classes: tuple[str, ...], applies_to: frozenset[WaterBody]) -> Item:
    rule = Rule(row.choice("rule", tuple(Rule)))
    limits = tuple(float(limit) for limit in row.take("limits", list, []))
    wanted = 0 if rule in {Rule.WITHIN, Rule.CHANGE} else len(classes)
    if len(limits) != wanted:
        raise row.refusal("limits", list(limits), f"{wanted} numbers, one a class, best first")
    if list(limits) != sorted(limits, reverse=rule is not Rule.AT_MOST):
        raise row.refusal("limits", list(limits), "limits that never get stricter towards the worst class")
    lower, upper = row.take("lower", (int, float), None), row.take("upper", (int, float), None)
    ranges = _ranges(row, len(classes))
    if rule is Rule.WITHIN and lower is None and upper is None and not ranges:
        raise row.refusal("lower", None, "lower or upper, or ranges, for a rule of within")
    return Item(
        number=row.take("number", int),
        property=row.take("property", str),
        unit=row.take("unit", str),
        rule=rule,
        classes=len(classes),
        limits=limits,
        lower=lower,
        upper=upper,
        ranges=ranges,
        applies_to=row.water_bodies("applies_to", applies_to),
        role=Role(row.choice("role", tuple(Role), Role.ASSESSED)),
        mean=row.choice("mean", _MEANS, "arithmetic"),
        alternative=_alternative(row, classes),
        source=row.take("source", str),
        note=row.words("note") if "note" in row.content else None,
    )


def _ranges(row: _Reader, classes: int) -> tuple[tuple[float, float], ...]:
    ranges = row.take("ranges", list, [])
    allowed = f"{classes} pairs of numbers, one a class, best first, each within the next"
    if ranges and (len(ranges) != classes or any(not isinstance(one, list) or len(one) != 2 for one in ranges)):
        raise row.refusal("ranges", ranges, allowed)
    found = tuple((float(low), float(high)) for low, high in ranges)
    for (low, high), (wider_low, wider_high) in pairwise(found):
        if not wider_low <= low < high <= wider_high:
            raise row.refusal("ranges", ranges, allowed)
    return found


def _alternative(row: _Reader, classes: tuple[str, ...]) -> Alternative | None:
    if "alternative" not in row.content:
        return None
    part = row.section("alternative")
    return Alternative(
        property=part.take("property", str),
        unit=part.take("unit", str),
        at_least=float(part.take("at_least", (int, float))),
        index=classes.index(part.choice("class", classes)),
        source=part.take("source", str, ""),
    )


def _refuse_doubles(items: tuple[Item, ...], file: str) -> None:
    seen: set[tuple[str, WaterBody]] = set()
    for item in items:
        for water_body in item.applies_to:
            if (item.property, water_body) in seen:
                raise ConfigError(
                    "item.property", seen=item.property, file=file, reason=f"stands twice for {water_body.value}"
                )
            seen.add((item.property, water_body))


_REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Typed look-ups in one table of a file; each mistake is named with file, key and value."""

    file: str
    content: Mapping[str, Any]
    prefix: str

    def refusal(self, key: str, seen: object, allowed: str) -> ConfigError:
        return ConfigError(self.prefix + key, seen=seen, allowed=allowed, file=self.file)

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = _REQUIRED) -> Any:  # noqa: ANN401 -- TOML
        value = self.content.get(key, default)
        if value is _REQUIRED:
            raise ConfigError(self.prefix + key, file=self.file, reason="is required")
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            names = kind if isinstance(kind, tuple) else (kind,)
            raise self.refusal(key, value, " or ".join(name.__name__ for name in names))
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: Any = _REQUIRED) -> str:  # noqa: ANN401 -- sentinel
        value = str(self.take(key, str, default))
        if value not in allowed:
            raise self.refusal(key, value, ", ".join(allowed))
        return value

    def section(self, key: str) -> _Reader:
        return _Reader(self.file, self.take(key, dict), f"{self.prefix}{key}.")

    def words(self, key: str) -> Words:
        part = self.section(key)
        return Words(part.take("en", str), part.take("zh", str))

    def water_bodies(self, key: str, default: Any = _REQUIRED) -> frozenset[WaterBody]:  # noqa: ANN401 -- sentinel
        names = self.take(key, list, default)
        known = {kind.value: kind for kind in WaterBody}
        for name in names:
            if name not in known:
                raise self.refusal(key, name, ", ".join(known))
        return frozenset(known[name] for name in names)
