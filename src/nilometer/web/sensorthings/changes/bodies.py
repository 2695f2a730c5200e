"""Posted entities as they were sent, checked member by member: what is wrong is said with its place in the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nilometer.errors import RequestError
from nilometer.web.sensorthings.schema import STREAMS, TYPES, EntityType, Relation
from nilometer.web.times import parse_interval, parse_time

__all__ = ["MANDATORY", "MOST_NESTED", "Draft", "check_nesting", "read_draft", "read_json", "read_link", "read_value"]

MOST_DEEP = 60
"""How deep entities may be nested in one body."""

MOST_NESTED = 200
"""How deep arrays and objects may be nested in JSON that is kept: those who copy and write it recurse."""

MANDATORY = {
    "Thing": ("name", "description"),
    "Location": ("name", "description", "encodingType", "location"),
    "HistoricalLocation": ("time",),
    "Datastream": ("name", "description", "unitOfMeasurement", "observationType"),
    "MultiDatastream": ("name", "description", "unitOfMeasurements", "multiObservationDataTypes"),
    "Sensor": ("name", "description", "encodingType", "metadata"),
    "ObservedProperty": ("name", "definition", "description"),
    "Observation": ("result",),
    "FeatureOfInterest": ("name", "description", "encodingType", "feature"),
}
_MAY_BE_NULL = {("Observation", "result"), ("FeatureOfInterest", "feature")}
"""Mandatory, and null where there is no value; or no place, which what this platform made by itself may lack."""
_COMPUTED = {(kind, name) for kind in STREAMS for name in ("observedArea", "phenomenonTime", "resultTime")}
_UNIT = frozenset({"name", "symbol", "definition"})


@dataclass(slots=True)
class Draft:
    """An entity as it was sent.

    Parameters
    ----------
    kind : EntityType
        What it is.
    values : dict
        Its properties by the standard's names; times are µs.
    links : dict
        By relation: the entities that come with it, or the ids of those that are there.
    place : str
        Where it stands in the body.
    """

    kind: EntityType
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[Draft | int]] = field(default_factory=dict)
    place: str = "$"


def read_json(body: bytes) -> Any:  # noqa: ANN401 -- any JSON
    """Return a body as JSON.

    Raises
    ------
    RequestError
        If it is none, or is nested deeper than it can be read.
    """
    try:
        document = msgspec.json.decode(body)
    except RecursionError as error:
        raise RequestError("this JSON is nested too deeply to be read", place="$") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"this is no JSON: {error}", place="$") from error
    check_nesting(document, "$")
    return document


def check_nesting(document: object, place: str) -> None:
    """Refuse JSON that is nested deeper than `MOST_NESTED`.

    Raises
    ------
    RequestError
        With the place of the whole.
    """
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(MOST_NESTED):
        inner = (node.values() if isinstance(node, dict) else node for node in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise RequestError(
        f"this JSON is nested too deeply: more than {MOST_NESTED} arrays and objects inside one another", place=place
    )


def read_link(given: object, place: str) -> int | None:
    """Return the id of ``{"@iot.id": 1}``; None where it is no link but an entity.

    Whatever stands beside an id is passed over: client libraries link with the whole entity as they know it.

    Raises
    ------
    RequestError
        If it is a link to nothing that an id could name.
    """
    if not isinstance(given, dict):
        raise RequestError('expected an entity, or a link {"@iot.id": …}', place=place)
    number = given.get("@iot.id")
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool):
        raise RequestError(f"{str(number)[:60]!r} is no id: ids are whole numbers", place=f"{place}.@iot.id")
    return number if 0 < number < 1 << 63 else 0


def read_draft(
    kind: EntityType, given: object, place: str = "$", *, whole: bool = True, links_only: bool = False, depth: int = 0
) -> Draft:
    """Return an entity of a body.

    Parameters
    ----------
    kind : EntityType
        What it is to be.
    given : object
        The JSON.
    place : str
        Where it stands in the body.
    whole : bool
        Whether what is mandatory has to be there.
    links_only : bool
        Whether related entities are linked only, as in an update.
    depth : int
        How many entities it stands in.

    Raises
    ------
    RequestError
        With the place of what is wrong.
    """
    if not isinstance(given, dict):
        raise RequestError(f"expected a {kind.name} as a JSON object", place=place)
    if depth > MOST_DEEP:
        raise RequestError(
            f"entities are nested more than {MOST_DEEP} deep; post them one after the other", place=place
        )
    draft = Draft(kind, place=place)
    for name, value in given.items():
        at = f"{place}.{name[:60]}"
        if name in kind.properties:
            if (kind.name, name) not in _COMPUTED:
                draft.values[name] = read_value(kind, name, value, at)
        elif name in kind.relations:
            draft.links[name] = _related(kind.relations[name], value, at, links_only=links_only, depth=depth)
        elif "@" not in name:
            raise kind.unknown(name, at)
    if draft.values.get("feature", ...) is None and "nilometer" not in (draft.values.get("properties") or {}):
        raise RequestError("feature of a FeatureOfInterest cannot be null", place=f"{place}.feature")
    missing = [name for name in MANDATORY[kind.name] if name not in draft.values]
    if whole and missing:
        raise RequestError(f"a {kind.name} needs {missing[0]}", place=f"{place}.{missing[0]}")
    return draft


def _related(relation: Relation, value: object, at: str, *, links_only: bool, depth: int) -> list[Draft | int]:
    if relation.many and not isinstance(value, list):
        raise RequestError(f"{relation.name} leads to many: expected an array", place=at)
    found: list[Draft | int] = []
    for index, item in enumerate(value if isinstance(value, list) and relation.many else [value]):
        here = f"{at}[{index}]" if relation.many else at
        number = read_link(item, here)
        if number is not None:
            found.append(number)
        elif links_only:
            raise RequestError('an update links entities, and makes none: {"@iot.id": …}', place=here)
        else:
            found.append(read_draft(TYPES[relation.target], item, here, depth=depth + 1))
    return found


def read_value(kind: EntityType, name: str, value: Any, at: str) -> Any:  # noqa: ANN401 -- any JSON
    """Return the value of a property, checked.

    Raises
    ------
    RequestError
        If it cannot be the value of this property.
    """
    if value is None:
        if name in MANDATORY[kind.name] and (kind.name, name) not in _MAY_BE_NULL:
            raise RequestError(f"{name} of a {kind.name} cannot be null", place=at)
        return None
    if kind.name != "Observation":
        _refuse_nul(value, at)
    if name in _SHAPED:
        return _SHAPED[name](value, at)
    declared = kind.properties[name].kind
    if declared in {"text", "time", "interval"} and not isinstance(value, str):
        raise RequestError(f"{name} is a text", place=at)
    if kind.name == "HistoricalLocation" or name == "resultTime":
        return parse_time(value, at)
    if declared == "interval":
        return parse_interval(value, at)
    return value


def _refuse_nul(value: object, at: str) -> None:
    """Refuse the character NUL anywhere in a value: not every database of the catalog can hold it."""
    waiting = [(value, at)]  # JSON may be nested deeper than Python calls itself
    while waiting:
        part, place = waiting.pop()
        if isinstance(part, str) and "\0" in part:
            raise RequestError("a text holds the character NUL", place=place)
        if isinstance(part, dict):
            waiting += [(name, place) for name in part]
            waiting += [(inner, f"{place}.{name[:60]}"[:200]) for name, inner in part.items()]
        elif isinstance(part, list):
            waiting += [(inner, f"{place}[{index}]"[:200]) for index, inner in enumerate(part)]


def _unit(value: object, at: str) -> Mapping[str, str | None]:
    if not isinstance(value, dict):
        raise RequestError("a unit is an object of name, symbol and definition", place=at)
    for name, part in value.items():
        if name not in _UNIT:
            raise RequestError(f"a unit has no {name[:60]!r} (known: name, symbol, definition)", place=at)
        if part is not None and not isinstance(part, str):
            raise RequestError(f"{name} of a unit is a text or null", place=f"{at}.{name}")
    return value


def _type(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise RequestError("the type of an Observation is a text", place=at)
    return value


def _object(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(f"{at.rpartition('.')[2]} is a JSON object", place=at)
    return value


def _each(read: _Reader) -> _Reader:
    def array(value: object, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise RequestError(f"{at.rpartition('.')[2]} is an array", place=at)
        return [read(item, f"{at}[{index}]") for index, item in enumerate(value)]

    return array


_Reader = Callable[[object, str], Any]
_SHAPED: dict[str, _Reader] = {
    "properties": _object,
    "parameters": _object,
    "unitOfMeasurement": _unit,
    "unitOfMeasurements": _each(_unit),
    "multiObservationDataTypes": _each(_type),
}
"""Properties that are objects or arrays of a form, with what reads them."""
