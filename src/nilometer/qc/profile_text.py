"""A profile as a TOML file: what people read, keep and change. Comments say where each number comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nilometer.qc.profile import Profile
from nilometer.qc.qartod import DEFINITIONS
from nilometer.units import same_dimension

__all__ = ["document_text", "duration_text", "profile_text"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STEPS = ((86400.0, "day"), (3600.0, "h"), (60.0, "min"))
_WIDTH = 44  # comments begin in this column, where the line is not longer
_WRITTEN = 15  # a decimal of so many digits survives a double; nobody writes more, a conversion of units does
_SHOWN = 12
_NOTHING = 1e-12  # what is left of zero after a detour through K: 5.7e-14 degree_Fahrenheit


def duration_text(seconds: float) -> str:
    """Return a time as a profile writes it.

    Examples
    --------
    >>> duration_text(5400.0), duration_text(7200.0), duration_text(0.5)
    ('90 min', '2 h', '0.5 s')
    """
    for size, name in _STEPS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.15g} s"


def document_text(
    document: Mapping[str, Any], *, head: Iterable[str] = (), notes: Mapping[str, str] | None = None
) -> str:
    """Return a profile's document as TOML.

    Parameters
    ----------
    document : mapping
        As `nilometer.qc.profile` reads it.
    head : iterable of str
        Comment lines that come first.
    notes : mapping of str to str
        Comments by key: ``unit``, ``tests.spike`` (above the table), ``tests.spike.suspect`` (behind the line),
        ``tests.climatology.members[0]`` (behind the member).

    Returns
    -------
    str
        Text that reads back to the same document.
    """
    said = notes or {}
    lines = [f"# {line}".rstrip() for line in head]
    for key, value in document.items():
        if key != "tests" and value not in ("", None):
            lines.append(_line(key, _value(value), said.get(key, "")))
    tests = document.get("tests", {})
    left_out = [name for name, table in tests.items() if table is False]
    if left_out:
        lines += ["", "[tests]"]
        lines += [_line(name, "false", said.get(f"tests.{name}", "")) for name in left_out]
    for name, table in tests.items():
        if name in left_out:
            continue
        where = f"tests.{name}"
        lines.append("")
        lines += [f"# {line}" for line in said.get(where, "").splitlines()]
        lines.append(f"[tests.{_key(name)}]")
        for key, value in table.items():
            if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
                lines += _members(key, value, f"{where}.{key}", said)
            else:
                lines.append(_line(key, _value(value), said.get(f"{where}.{key}", "")))
    return "\n".join(lines) + "\n"


def profile_text(profile: Profile, *, origins: bool = True, exact: bool = False) -> str:
    """Return an effective profile, everything inherited written out, as TOML.

    A threshold that has more digits than people write, as a conversion of units leaves them, is shown with 12
    significant digits: 0.009 for 0.009000000000000001.

    Parameters
    ----------
    profile : Profile
        The profile.
    origins : bool
        Say behind each threshold which profile it comes from.
    exact : bool
        Show every digit instead, so that the text reads back to the same profile.

    Returns
    -------
    str
        Text that reads back to the profile, its thresholds to 5 in 10¹².

    Examples
    --------
    >>> from nilometer.qc import load
    >>> profile = load({"unit": "degC", "tests": {"spike": {"suspect": 0.1}}}).in_unit("degF")
    >>> [line for line in profile_text(profile, origins=False).splitlines() if "suspect" in line]
    ['suspect = 0.18']
    """
    document = profile.to_document()
    del document["lineage"], document["slots"]
    document["tests"] = {test.name: _table(test.name, test.kind, test.parameters) for test in profile.tests}
    if not exact:
        nothing = _NOTHING if profile.unit and same_dimension(profile.unit, "K") else 0.0
        document["tests"] = _as_written(document["tests"], nothing)
    if profile.along == "time":
        del document["along"]
    ancestry = " <- ".join([*profile.lineage, f"{profile.name} {profile.version}"])
    head = (f"{profile.name}, version {profile.version}, digest {profile.digest[:16]}", ancestry)
    return document_text(document, head=head[: 1 + bool(profile.lineage)], notes=profile.origins if origins else {})


def _table(name: str, kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    known = DEFINITIONS[kind].parameters
    table = {} if kind == name else {"test": kind}
    for key, value in parameters.items():
        is_time = known[key].role.name == "DURATION"
        table[key] = duration_text(value) if is_time else value
    return table


def _as_written(value: Any, nothing: float) -> Any:  # noqa: ANN401 -- whatever TOML holds
    """Return what stands in tables with its numbers as a person writes them."""
    if isinstance(value, Mapping):
        return {key: _as_written(item, nothing) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_written(item, nothing) for item in value]
    if not isinstance(value, float):
        return value
    if abs(value) < nothing:
        return 0.0
    return value if float(f"{value:.{_WRITTEN}g}") == value else float(f"{value:.{_SHOWN}g}")


def _members(key: str, members: Sequence[Any], where: str, notes: Mapping[str, str]) -> list[str]:
    lines = [f"{key} = ["]
    for index, member in enumerate(members):
        lines.append(_line("", f"  {_value(member)},", notes.get(f"{where}[{index}]", "")))
    return [*lines, "]"]


def _line(key: str, value: str, note: str) -> str:
    line = f"{_key(key)} = {value}" if key else value
    return f"{line:<{_WIDTH}}  # {' '.join(note.split())}" if note else line


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which TOML does not take bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:  # noqa: ANN401 -- whatever TOML holds
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value)).removesuffix(".0")  # the shortest text that reads back to the same number
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None)
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    return _text(str(value))
