"""Resource paths: ``Things(1)/Datastreams(2)/Observations/$ref`` as steps; what they lead to is `resolution`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from nilometer.errors import NilometerError, NotFound, RequestError

__all__ = ["ResourcePath", "Step", "parse_path"]

MOST_STEPS = 24
_STEP = re.compile(r"(?P<name>@?[^\W\d][\w.]*)(?:\((?P<id>.*)\))?", re.DOTALL)
_ID = re.compile(r"-?\d+", re.ASCII)
_QUOTED_ID = re.compile(r"'\d+'", re.ASCII)
_TEXT_ID = re.compile(r"'(?:[^']|'')*'")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Step:
    """A name, and the id in parentheses where there is one, which clients may have in quotes.

    `text` is the step as it was written: below a property it names a member. `error` says why it can be nothing else.
    """

    name: str
    id: int | None = None
    text: str = field(default="", repr=False, compare=False)
    error: NilometerError | None = field(default=None, repr=False, compare=False)


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
        If it is not UTF-8, or its first step is malformed.
    NotFound
        If the id there is of a form that no entity here has: a text, or beyond 64 bits.

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
    steps = tuple(_step(name, number) for number, name in enumerate(names, 1))
    if steps[0].error is not None:
        raise steps[0].error
    return ResourcePath(steps, ending)


def _step(text: str, number: int) -> Step:
    match = _STEP.fullmatch(text)
    place = f"path step {number}"
    if match is None:
        wrong = RequestError(f"{text[:60]!r} is not a step such as Things or Things(1)", place=place)
        return Step("", text=text, error=wrong)
    name, given = match["name"], match["id"]
    if given is None:
        return Step(name, text=text)
    if _QUOTED_ID.fullmatch(given):
        given = given[1:-1]
    if _TEXT_ID.fullmatch(given):
        return Step(name, text=text, error=NotFound(f"no {name} has a text for an id: {text[:60]}"))
    if not _ID.fullmatch(given):
        wrong = RequestError(f"{text[:60]!r}: an id is a whole number", place=place)
        return Step(name, text=text, error=wrong)
    number_id = int(given) if len(given) < 20 else 0
    if not 0 < number_id <= _LARGEST:
        return Step(name, text=text, error=NotFound(f"there is no {text[:60]}"))
    return Step(name, number_id, text)
