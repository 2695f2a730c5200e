"""Resource paths: ``Things(1)/Datastreams(2)/Observations/$ref`` as steps; what they lead to is `resolution`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from nilometer.errors import NotFound, RequestError

__all__ = ["ResourcePath", "Step", "parse_path"]

MOST_STEPS = 24
_STEP = re.compile(r"(?P<name>@?[^\W\d][\w.]*)(?:\((?P<id>.*)\))?", re.DOTALL)
_ID = re.compile(r"-?\d+", re.ASCII)
_TEXT_ID = re.compile(r"'(?:[^']|'')*'")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Step:
    """A name, and the id in parentheses where there is one."""

    name: str
    id: int | None = None


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """The steps below the service root; `ending` is ``$value``, ``$ref`` or nothing."""

    steps: tuple[Step, ...]
    ending: str = ""


def parse_path(raw: bytes) -> ResourcePath:
    """Return the steps of a path.

    Parameters
    ----------
    raw : bytes
        What follows the service root, percent-encoded as the URL has it.

    Raises
    ------
    RequestError
        If it is not UTF-8, or a step is malformed.
    NotFound
        If an id is of a form that no entity here has: a text, or beyond 64 bits.

    Examples
    --------
    >>> parse_path(b"Things(1)/name/$value")
    ResourcePath(steps=(Step(name='Things', id=1), Step(name='name', id=None)), ending='$value')
    """
    parts = [part for part in raw.strip(b"/").split(b"/") if part]
    if len(parts) > MOST_STEPS:
        raise RequestError(f"more than {MOST_STEPS} steps", place="path")
    try:
        names = [unquote_to_bytes(part).decode("utf-8") for part in parts]
    except UnicodeDecodeError as error:
        raise RequestError("the path is not UTF-8", place="path") from error
    ending = names.pop() if names and names[-1] in {"$value", "$ref"} else ""
    if not names:
        raise RequestError(f"{ending} follows an entity set or a property", place="path")
    return ResourcePath(tuple(_step(name, number) for number, name in enumerate(names, 1)), ending)


def _step(text: str, number: int) -> Step:
    match = _STEP.fullmatch(text)
    if match is None:
        raise RequestError(f"{text[:60]!r} is not a step such as Things or Things(1)", place=f"path step {number}")
    if match["id"] is None:
        return Step(match["name"])
    if _TEXT_ID.fullmatch(match["id"]):
        raise NotFound(f"no {match['name']} has a text for an id: {text[:60]}")
    if not _ID.fullmatch(match["id"]):
        raise RequestError(f"{text[:60]!r}: an id is a whole number", place=f"path step {number}")
    number_id = int(match["id"]) if len(match["id"]) < 20 else 0
    if not 0 < number_id <= _LARGEST:
        raise NotFound(f"there is no {text[:60]}")
    return Step(match["name"], number_id)
