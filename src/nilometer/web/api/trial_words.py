"""The words of a trial's result in both languages, as its report has them, for whoever shows it elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nilometer.trials.report.words import Words
from nilometer.units import symbol

__all__ = ["names_of", "words_of"]

_KEYS = {
    "statistic": "statistic",
    "method": "interval",
    "condition": "condition",
    "margin_origin": "origin",
    "origin": "origin",
}
_SENTENCES = frozenset({"reason", "note", "notes"})


def names_of(section: str, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what keys of a section of the words are called: ``{"section.key": {"en": …, "zh": …}}``."""
    both = (Words("en"), Words("zh"))
    return {f"{section}.{key}": {one.language: one.name(section, key) for one in both} for key in keys}


def words_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is needed to tell a result.

    Returns
    -------
    dict
        ``names``: of statistics, intervals, conditions, origins and reasons, by section and key, in both languages;
        ``sentences``: of the engine, in Chinese where there are words for it; ``symbols`` of units.
    """
    names: dict[str, dict[str, str]] = {}
    sentences: dict[str, str] = {}
    symbols: dict[str, str] = {}
    chinese = Words("zh")
    for key, value in _parts(document):
        if key in _KEYS:
            names |= names_of(_KEYS[key], [value])
        elif key == "figure_name":
            names |= names_of("statistic", [value])
        elif key == "left_out":
            names |= names_of("reason", [value])
        elif key == "unit" and value not in symbols:
            symbols[value] = "" if value == "1" else symbol(value)
        elif key in _SENTENCES and value:
            told, is_known = chinese.told(value)
            if is_known:
                sentences[value] = told
    return {"names": names, "sentences": sentences, "symbols": symbols}


def _parts(document: Any, key: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 -- JSON
    """Yield every text of a document with the key it stands under."""
    if isinstance(document, Mapping):
        if key in {"candidate_left_out", "reference_left_out"}:
            yield from (("left_out", str(name)) for name in document)
            return
        is_figure = {"name", "interval", "method"} <= document.keys()
        for name, part in document.items():
            yield from _parts(part, "figure_name" if is_figure and name == "name" else name)
    elif isinstance(document, list | tuple):
        for part in document:
            yield from _parts(part, key)
    elif isinstance(document, str):
        yield key, document
