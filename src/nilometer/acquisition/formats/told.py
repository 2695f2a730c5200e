"""What the lines above a table tell of the instrument: its serial number, its model, where it stood."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["missing_by", "told_by"]

_KEYS = {
    "serial number": r"(?:(?:sonde|logger|device|instrument)[ _]?)?(?:serial(?:[ _]?(?:number|num|no))?|s/n|sn|id)",
    "model": r"(?:(?:device|instrument|logger|sonde)[ _]?(?:model|type)|model(?:[ _]name)?|device|instrument)",
    "station": r"(?:(?:site|station|location)(?:[ _]?(?:name|id))?)",
}
_BARE_IDS = re.compile(r"^id$|^sn$", re.IGNORECASE)
_LINES = {
    name: re.compile(
        rf"^[\s\"'#%*;,]*(?P<key>{key})[ .\"]*\s*(?P<mark>[:=,;\t])[\s\"=]*(?P<text>.*?)[\s,;\"]*$", re.IGNORECASE
    )
    for name, key in _KEYS.items()
}
# What tells of an instrument is short; patterns need not look at a line of values.
_LONGEST = 2000
_MISSING = re.compile(
    r"(?:no[ _-]?data|missing|fill)(?:[ _]?value)?s?\W*(?:[=:]|is)\s*([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*$",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"^[\W_]*$")


def missing_by(lines: Sequence[str]) -> list[str]:
    """Return the numbers that lines name as standing for no value.

    Examples
    --------
    >>> missing_by(["# NODATA Value = -9.99", "# station A"])
    ['-9.99']
    """
    found = [_MISSING.search(line) for line in lines if len(line) <= _LONGEST]
    return [match[1] for match in found if match]


def told_by(lines: Sequence[str]) -> dict[str, str]:
    """Return what lines tell under ``serial number``, ``model`` and ``station``; the first that says it counts.

    Parameters
    ----------
    lines : sequence of str
        ``Serial Number: 123``, ``Site,DCL``, ``Location =bay``, or a key with a colon above its value.

    Examples
    --------
    >>> told_by(["Sonde ID,Sonde 15H104217,,", "Site,DCL,,", "Serial_number:", "1067933"])
    {'serial number': 'Sonde 15H104217', 'station': 'DCL'}
    """
    found: dict[str, str] = {}
    for at, line in enumerate(lines):
        if len(line) > _LONGEST:
            continue
        for name, pattern in _LINES.items():
            match = pattern.match(line)
            if match is None or name in found or (_BARE_IDS.match(match["key"]) and match["mark"] in ",;\t"):
                continue
            text = match["text"]
            if not text and match["mark"] == ":" and at + 1 < len(lines) and ":" not in lines[at + 1]:
                text = lines[at + 1].strip(' \t",;')
            if text and len(text) <= 200 and not _EMPTY.match(text):
                found[name] = text
    return found
