"""Read the data files of flag schemes; the package's docstring has their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag
from nilometer.plugins import DataFile, Found, data_files
from nilometer.qc.marks import schemes as mark_schemes
from nilometer.qc.schemes.scheme import Code, FlagScheme

__all__ = ["scheme", "schemes"]

GROUP = "nilometer.flag_schemes"
_FLAGS = {flag.name.lower(): flag for flag in QartodFlag}
_KEYS = (
    "title", "source", "verified", "doubt", "code", "absent", "pattern", "several", "marks", "codes", "qualifiers",
    "from_qartod", "loses", "bits",
)  # fmt: skip
_CODE_KEYS = ("flag", "meaning", "censored")
_DIRECTIONS = ("to_qartod", "from_qartod")


def scheme(name: str) -> FlagScheme:
    """Return a scheme by name.

    Raises
    ------
    ConfigError
        If there is none, or its file cannot be used.
    """
    return schemes()[name]


@cache
def schemes() -> Found[FlagScheme]:
    """Return every installed scheme by name; what cannot be used is in `broken` with its reason."""
    return data_files(GROUP, _scheme)


def _scheme(item: DataFile) -> FlagScheme:
    content, file = item.content, item.file
    for key in content:
        if key not in _KEYS:
            raise ConfigError("key", seen=key, allowed=_KEYS, file=file)
    kind = content.get("code", "text")
    if kind not in {"text", "number"}:
        raise ConfigError("code", seen=kind, allowed="text, number", file=file)
    for key in ("title", "source"):
        if not isinstance(content.get(key), str) or not content[key]:
            raise ConfigError(key, seen=content.get(key), allowed="text", file=file)
    codes, absent = _codes(content, file)
    written = _written(content.get("from_qartod", {}), codes, numeric=kind == "number", file=file)
    loses = content.get("loses", {})
    if tuple(sorted(loses)) != tuple(sorted(_DIRECTIONS)):
        raise ConfigError("loses", seen=loses, allowed=f"a text for {' and '.join(_DIRECTIONS)}", file=file)
    return FlagScheme(
        name=item.name,
        title=content["title"],
        source=content["source"],
        verified=bool(content.get("verified", False)),
        doubt=content.get("doubt", ""),
        numeric=kind == "number",
        absent=absent,
        codes=codes,
        written=written,
        loses=loses,
        qualifiers=content.get("qualifiers", {}),
        pattern=_regex(content, "pattern", file),
        several=_regex(content, "several", file),
        bits=_bits(content, file),
    )


def _codes(content: Mapping[str, Any], file: str) -> tuple[dict[str, Code], QartodFlag]:
    if "marks" in content:
        if content["marks"] not in mark_schemes():
            raise ConfigError("marks", seen=content["marks"], allowed=mark_schemes(), file=file)
        table = mark_schemes()[content["marks"]]
        letters = {
            letter: Code(flag=said.flag, meaning=said.meaning, censored=said.censored)
            for letter, said in table.letters.items()
        }
        return letters, table.absent
    codes = {}
    for name, given in content.get("codes", {}).items():
        for key in given:
            if key not in _CODE_KEYS:
                raise ConfigError(f"codes.{name}", seen=key, allowed=_CODE_KEYS, file=file)
        if given.get("censored", 0) not in {-1, 0, 1}:
            raise ConfigError(f"codes.{name}.censored", seen=given["censored"], allowed="-1, 0, 1", file=file)
        if not given.get("meaning"):
            raise ConfigError(f"codes.{name}.meaning", seen=given.get("meaning"), allowed="text", file=file)
        flag = _flag(f"codes.{name}.flag", given.get("flag"), file)
        codes[name] = Code(flag=flag, meaning=given["meaning"], censored=given.get("censored", 0))
    if not codes and "bits" not in content:
        raise ConfigError("codes", allowed="a table per code, marks, or bits", file=file)
    return codes, _flag("absent", content.get("absent", "not_evaluated"), file)


def _written(given: Mapping[str, Any], codes: Mapping[str, Code], *, numeric: bool, file: str) -> dict[QartodFlag, str]:
    written = {}
    for name, code in given.items():
        flag = _flag("from_qartod", name, file)
        text = str(code)
        if not any(word in text for word in codes):
            raise ConfigError(f"from_qartod.{name}", seen=code, allowed=codes, file=file)
        written[flag] = text
    if numeric and len(written) != len(QartodFlag):
        raise ConfigError(
            "from_qartod", seen=sorted(given), allowed="a number for every flag, or code = text", file=file
        )
    return written


def _flag(key: str, seen: object, file: str) -> QartodFlag:
    if seen not in _FLAGS:
        raise ConfigError(key, seen=seen, allowed=_FLAGS, file=file)
    return _FLAGS[str(seen)]


def _bits(content: Mapping[str, Any], file: str) -> tuple[str, ...]:
    bits = content.get("bits", [])
    if not isinstance(bits, list) or not all(isinstance(name, str) and name for name in bits) or "rollup" in bits:
        raise ConfigError("bits", seen=bits, allowed="names of tests, the lowest bit first", file=file)
    return tuple(bits)


def _regex(content: Mapping[str, Any], key: str, file: str) -> re.Pattern[str] | None:
    if key not in content:
        return None
    try:
        return re.compile(content[key])
    except (re.error, TypeError) as error:
        raise ConfigError(
            key, seen=content[key], allowed="a regular expression", reason=str(error), file=file
        ) from None
