"""The words of a report in two languages, from its data files; and text that shows what it holds.

Sentences of the engine (notes, reasons) are English: those that ``phrases.toml`` knows are told in Chinese, others stay
as they are and are marked as such. Nothing here writes a document.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from nilometer.errors import ConfigError
from nilometer.trials.inference.endpoint import Outcome
from nilometer.trials.wording import outcome_words

__all__ = ["LANGUAGES", "Language", "Words", "visible"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

# Controls, what turns the direction of a line round, halves of surrogate pairs, and what is no character: none of them
# may work in a report, and none may vanish from it either.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_BEYOND = re.compile(r"(it was not shown|shown) alone at (\w+) (.*)")
_STRATUM = re.compile(r"(\S+) to (\S+)(?= \()")
_COUNT = re.compile(r" \((\d+) pairs\)")
_HOLE = re.compile(r"\\\{\w*\\\}")


def visible(text: str) -> str:
    """Return text with every character that is not shown told by its number.

    Examples
    --------
    >>> visible(f"a{chr(0x202E)}b")
    'a⟨U+202E⟩b'
    """
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language.

    Parameters
    ----------
    language : str
        ``en`` or ``zh``.
    """

    language: Language

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ConfigError("language", seen=self.language, allowed=LANGUAGES)

    def __call__(self, key: str, **parts: object) -> str:
        """Return the text of ``section.name`` with its holes filled."""
        return _table()[key][LANGUAGES.index(self.language)].format(**parts)

    def outcome(self, outcome: str) -> str:
        """Return what an outcome is called, as it begins a line."""
        text = outcome_words(Outcome(outcome), self.language)
        return text[:1].upper() + text[1:]

    def name(self, section: str, key: str) -> str:
        """Return the word of a key that others may add to; one that is not known is told as it is written."""
        if f"{section}.{key}" in _table():
            return self(f"{section}.{key}")
        text = key.replace("_", " ")
        return text[:1].upper() + text[1:] if section == "statistic" else text

    def terms(self, section: str = "term") -> list[tuple[str, str, str]]:
        """Return the terms: word, the word in the other language, what it means."""
        here = LANGUAGES.index(self.language)
        rows = [texts for key, texts in _table().items() if key.startswith(f"{section}.")]
        return [(texts[here], texts[1 - here], texts[2 + here]) for texts in rows]

    def joined(self, parts: list[str]) -> str:
        """Return some names as one list: a, b and c."""
        if len(parts) < 2:
            return "".join(parts)
        return self("page.and_more", first=self("page.list").join(parts[:-1]), last=parts[-1])

    def told(self, sentence: str) -> tuple[str, bool]:
        """Return a sentence of the engine in this language, and whether it could be told so."""
        if self.language == "en" or not sentence:
            return visible(sentence), True
        # Notes are joined by semicolons, which some sentences hold themselves.
        for parts in (sentence.split("; "), [sentence]):
            found = [_translated(part) for part in parts]
            if all(found):
                return visible("；".join(str(part) for part in found)), True
        return visible(sentence), False


def _translated(sentence: str) -> str | None:
    if f"condition.{sentence}" in _table():
        return _table()[f"condition.{sentence}"][LANGUAGES.index("zh")]
    beyond = _BEYOND.fullmatch(sentence)
    if beyond:
        told = _COUNT.sub(r"（\1 个数据对）", _STRATUM.sub(r"\1 至 \2", beyond[3])).replace(", ", "、")
        found = "单独得到证实" if beyond[1] == "shown" else "未单独得到证实"
        return f"{_translated(beyond[2]) or beyond[2]}为下列区间时{found}：{told}"
    for pattern, chinese in _phrases():
        match = pattern.fullmatch(sentence)
        if match:
            parts = [_translated(part) or part for part in match.groups()]
            return chinese.format(*parts)
    return None


@cache
def _table() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in ("words.toml", "bench_words.toml"):
        sections = tomllib.loads((resources.files(__package__) / file).read_text(encoding="utf-8"))
        found |= {f"{section}.{name}": texts for section, names in sections.items() for name, texts in names.items()}
    return found


@cache
def _phrases() -> list[tuple[re.Pattern[str], str]]:
    document = tomllib.loads((resources.files(__package__) / "phrases.toml").read_text(encoding="utf-8"))
    return [(re.compile(_HOLE.sub("(.+?)", re.escape(one["en"])), re.DOTALL), one["zh"]) for one in document["phrase"]]
