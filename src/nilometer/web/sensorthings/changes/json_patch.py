"""RFC 6902: operations on a JSON document, all of them or none."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from typing import Any

from nilometer.errors import RequestError

__all__ = ["patched"]

_INDEX = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_MEMBERS = {
    "add": ("value",),
    "replace": ("value",),
    "test": ("value",),
    "remove": (),
    "move": ("from",),
    "copy": ("from",),
}
MOST_OPERATIONS = 1000
MOST_COPIED = 100_000
"""Values that the operations of one patch may copy: each copy of a copy doubles."""


def patched(document: Any, operations: object) -> Any:  # noqa: ANN401 -- any JSON
    """Return a document with operations applied; the one that is given is not changed.

    Parameters
    ----------
    document : object
        JSON.
    operations : object
        The array of RFC 6902, section 3.

    Raises
    ------
    RequestError
        With the operation that cannot be done.

    Examples
    --------
    >>> patched({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}, {"op": "remove", "path": "/a/0"}])
    {'a': [2, 3]}
    """
    if not isinstance(operations, list):
        raise RequestError("expected an array of operations", place="$")
    if len(operations) > MOST_OPERATIONS:
        raise RequestError(f"more than {MOST_OPERATIONS} operations", place="$")
    whole = {"": copy.deepcopy(document)}
    copied = 0
    for number, operation in enumerate(operations):
        try:
            copied += _apply(whole, operation, f"$[{number}]", MOST_COPIED - copied)
        except RecursionError as error:
            raise RequestError("this leads too deep into the document", place=f"$[{number}]") from error
    if "" not in whole:
        raise RequestError("the patch leaves nothing", place="$")
    return whole[""]


def _apply(whole: dict[str, Any], given: object, at: str, room: int) -> int:
    """Do one operation, and return how many values it copied."""
    name, operation = _checked(given, at)
    copied = 0
    path = _pointer(operation.get("path"), f"{at}.path")
    value = copy.deepcopy(operation.get("value"))
    if name in {"move", "copy"}:
        source = _pointer(operation["from"], f"{at}.from")
        if name == "move" and path[: len(source)] == source and path != source:
            raise RequestError("nothing can be moved into itself", place=f"{at}.from")
        found = _read(whole, source, f"{at}.from")
        if name == "copy":
            copied = _size(found, room)
            if copied > room:
                raise RequestError(f"the patch copies more than {MOST_COPIED} values", place=f"{at}.from")
        value = copy.deepcopy(found)
        if name == "move":
            _change(whole, source, f"{at}.from", _remove)
        name = "add"
    if name == "test":
        if not _equal(_read(whole, path, f"{at}.path"), value):
            raise RequestError("the test fails", place=at)
    elif name == "remove":
        _change(whole, path, f"{at}.path", _remove)
    elif name == "replace":
        _read(whole, path, f"{at}.path")
        _change(whole, path, f"{at}.path", lambda parent, key, _at: parent.__setitem__(key, value))
    else:
        _change(whole, path, f"{at}.path", lambda parent, key, at: _add(parent, key, at, value))
    return copied


def _size(value: Any, most: int) -> int:  # noqa: ANN401 -- any JSON
    """Return how many values a value is made of; more than the most: it is not counted on."""
    counted, level = 0, [value]
    while level and counted <= most:
        counted += len(level)
        level = [item for node in level if isinstance(node, dict | list) for item in _items(node)]
    return counted


def _items(node: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def _checked(operation: object, at: str) -> tuple[str, dict[str, Any]]:
    name = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(operation, dict) or not isinstance(name, str) or name not in _MEMBERS:
        raise RequestError(f"expected an operation (allowed: {', '.join(_MEMBERS)})", place=f"{at}.op")
    for member in _MEMBERS[name]:
        if member not in operation:
            raise RequestError(f"{name} needs {member}", place=f"{at}.{member}")
    return name, operation


def _pointer(text: object, at: str) -> list[str]:
    """Return the steps of a JSON pointer (RFC 6901), the first of which is the whole document."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise RequestError("expected a JSON pointer such as /properties/depth", place=at)
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")]


def _read(whole: Any, path: list[str], at: str) -> Any:  # noqa: ANN401 -- any JSON
    found = whole
    for step in path:
        found = found[_key(found, step, at)]
    return found


def _key(parent: Any, step: str, at: str) -> Any:  # noqa: ANN401 -- a name or an index
    if isinstance(parent, dict) and step in parent:
        return step
    if isinstance(parent, list) and _INDEX.fullmatch(step) and int(step) < len(parent):
        return int(step)
    raise RequestError(f"there is no {step[:60]!r} here", place=at)


def _change(whole: Any, path: list[str], at: str, act: Callable[[Any, Any, str], None]) -> None:  # noqa: ANN401 -- any JSON
    parent = _read(whole, path[:-1], at)
    if not isinstance(parent, dict | list):
        raise RequestError("this has no members", place=at)
    step: Any = path[-1]
    if isinstance(parent, list):
        if step == "-":
            step = len(parent)
        elif _INDEX.fullmatch(step) and int(step) <= len(parent):
            step = int(step)
        else:
            raise RequestError(f"{step[:60]!r} is no place in an array of {len(parent)}", place=at)
    act(parent, step, at)


def _add(parent: Any, key: Any, at: str, value: Any) -> None:  # noqa: ANN401 -- any JSON
    del at
    if isinstance(parent, list):
        parent.insert(key, value)
    else:
        parent[key] = value


def _remove(parent: Any, key: Any, at: str) -> None:  # noqa: ANN401 -- any JSON
    if (isinstance(parent, dict) and key not in parent) or (isinstance(parent, list) and key >= len(parent)):
        raise RequestError(f"there is no {str(key)[:60]!r} here", place=at)
    del parent[key]


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401 -- any JSON
    """Compare as JSON does: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    return bool(one == other)
