"""Members of properties that are JSON: ``unitOfMeasurement/symbol``, in paths and in ``$select``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nilometer.errors import NotFound, RequestError
from nilometer.web.sensorthings.schema import EntityType

__all__ = ["check_members", "chosen_members", "member_of", "pruned", "value_at"]

Chosen = dict[str, list[tuple[str, ...]]]
"""By property or relation the members that are chosen; none: all of it."""


def chosen_members(select: Iterable[str]) -> Chosen:
    """Return what ``$select`` names, by property or relation.

    Examples
    --------
    >>> chosen_members(["name", "properties/a", "properties/b/c"])
    {'name': [], 'properties': [('a',), ('b', 'c')]}
    """
    found: Chosen = {}
    whole: set[str] = set()
    for text in select:
        name, *members = text.split("/")
        if members:
            found.setdefault(name, []).append(tuple(members))
        else:
            found.setdefault(name, [])
            whole.add(name)
    return {name: [] if name in whole else members for name, members in found.items()}


def check_members(kind: EntityType, name: str, members: Sequence[str], place: str) -> None:
    """Refuse members of what has none.

    Raises
    ------
    RequestError
        If the property is no JSON, or has other members by the standard.
    """
    found = kind.properties.get(name)
    if found is None:
        raise kind.unknown("/".join((name, *members)), place)
    if found.kind != "json":
        raise RequestError(f"{name} of a {kind.name} has no members", place=place)
    if found.members and not found.column and tuple(members) not in found.members:
        known = ", ".join("/".join(member) for member in found.members)
        raise RequestError(f"{name} has no member {'/'.join(members)[:60]!r} (known: {known})", place=place)


def member_of(value: Any, members: Sequence[str]) -> Any:  # noqa: ANN401 -- any JSON
    """Return a member of JSON, or an element of an array such as ``[0]``, or None."""
    for name in members:
        if name.startswith("["):
            place = int(name[1:-1])
            value = value[place] if isinstance(value, list) and place < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def value_at(value: Any, members: Sequence[str], place: str) -> Any:  # noqa: ANN401 -- any JSON
    """Return a member of JSON, which may be null.

    Raises
    ------
    NotFound
        If there is none of that name.
    """
    for name in members:
        if not isinstance(value, Mapping) or name not in value:
            known = f" (known: {', '.join(str(one)[:40] for one in list(value)[:20])})" if value else ""
            raise NotFound(f"{place} has no member {name[:60]!r}{known if isinstance(value, Mapping) else ''}")
        value, place = value[name], f"{place}/{name}"
    return value


def pruned(value: Any, chosen: Sequence[tuple[str, ...]]) -> Any:  # noqa: ANN401 -- any JSON
    """Return JSON with the chosen members only, all of it where none is chosen; None where it has none of them.

    Examples
    --------
    >>> pruned({"a": 1, "b": {"c": None, "d": 2}}, [("b", "c"), ("e",)])
    {'b': {'c': None}}
    """
    if not chosen:
        return value
    if not isinstance(value, Mapping):
        return None
    inner: dict[str, list[tuple[str, ...]]] = {}
    for members in chosen:
        if members[0] in value:
            inner.setdefault(members[0], []).append(members[1:])
    found = {}
    for name, below in inner.items():
        if not all(below):
            found[name] = value[name]
        elif (part := pruned(value[name], below)) is not None:
            found[name] = part
    return found or None
