"""What a bench run says, in two languages: findings, figures, and the sentences of the engine, from ``wording.toml``.

The engine speaks English; a sentence that the file does not know stays as it is, so that nothing said is lost.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["told", "word"]

_HOLE = re.compile(r"\\\{\\\}")
_STEP = re.compile(r"(?!aborted)(\w+): (.+)", re.DOTALL)


def word(section: str, key: str, language: str) -> str:
    """Return the word of a finding, a figure or a part of the output; a key that is not known as it is written."""
    known = _table()[section]
    if key in known:
        return str(known[key][language == "zh"])
    # Figures of several steps are called after what they are and the step: bias_level20.
    key = key.replace("_to_", " → ")
    what = max((name for name in known if key.startswith(f"{name}_")), key=len, default="")
    if not what:
        return key.replace("_", " ")
    return f"{known[what][language == 'zh']} {key[len(what) + 1 :]}"


def told(sentence: str, language: str) -> str:
    """Return a sentence of the engine in a language.

    Examples
    --------
    >>> told("it scatters by 2 % of the range (allowed: 1 %)", "zh")
    '读数波动为量程的2 %（允许1 %）'
    """
    if language != "zh" or not sentence:
        return sentence
    found = _translated(sentence)
    if found is None and "; " in sentence:
        parts = sentence.split("; ")
        found = "；".join(_translated(part) or part for part in parts)
    return found or sentence


def _translated(sentence: str) -> str | None:
    match = _STEP.fullmatch(sentence)  # what a result says of one of its steps
    about = _translated(match[2]) if match else None
    if match and about is not None:
        return f"{match[1]}：{about}"
    for pattern, chinese in _phrases():
        match = pattern.fullmatch(sentence)
        if match:
            return chinese.format(*(_translated(part) or part for part in match.groups()))
    return None


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / "wording.toml").read_text(encoding="utf-8"))


@cache
def _phrases() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(_HOLE.sub("(.+?)", re.escape(one["en"])), re.DOTALL), one["zh"]) for one in _table()["phrase"]]
