"""Read mark tables, and turn a column of marks into what the kernel takes."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag
from nilometer.qc.layout import NOT_WATER

__all__ = ["Letter", "MarkScheme", "Marks", "censored", "said", "schemes"]

_FLAGS = {flag.name.lower(): flag for flag in QartodFlag}
_KEYS = ("flag", "meaning", "meaning_zh", "censored", "water")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one mark says.

    Parameters
    ----------
    flag : QartodFlag
        Outcome of the mark test; MISSING: there is no value, whatever number was sent.
    meaning, meaning_zh : str
        In words.
    censored : int
        -1 the value is below, +1 above what can be measured, 0 neither.
    water : bool
        False: no measurement of the water; point tests only, and no test moves on.
    """

    flag: QartodFlag
    meaning: str = ""
    meaning_zh: str = ""
    censored: int = 0
    water: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkScheme:
    """The marks of one protocol in one edition; `absent` is the outcome for a value without a mark.

    `several` parts the letters of one mark, where a protocol says more than one (USGS: ``P,e``); the worst counts. A
    mark that ends in ``*`` stands for all that begin so and are not listed themselves. Those of a scheme that holds
    `everywhere` are judged by it whatever scheme a Datastream has: a current loop's, on any wire.
    """

    name: str
    protocol: str
    edition: str
    absent: QartodFlag
    letters: Mapping[str, Letter]
    several: str = ""
    everywhere: bool = False

    def letter(self, text: str) -> Letter | None:
        """Return what a mark says; None where a letter of it is not listed and no other says worse than pass."""
        known = self._listed(text)
        if known is not None or not self.several or self.several not in text:
            return known
        found = [self._listed(word) for word in text.split(self.several) if word]
        listed = [letter for letter in found if letter is not None]
        worst = max(listed, key=lambda letter: int(letter.flag), default=None)
        if worst is None or (None in found and worst.flag <= QartodFlag.NOT_EVALUATED):
            return None
        hints = [letter.censored for letter in listed if letter.censored]
        return replace(worst, censored=hints[0] if hints else 0, water=all(letter.water for letter in listed))

    def _listed(self, mark: str) -> Letter | None:
        found = self.letters.get(mark)
        if found is not None:
            return found
        families = (key for key in self.letters if key.endswith("*") and mark.startswith(key[:-1]))
        longest = max(families, key=len, default=None)
        return None if longest is None else self.letters[longest]


def _scheme(name: str, file: str, content: Mapping[str, Any]) -> MarkScheme:
    letters = {}
    for mark, table in content.get("marks", {}).items():
        for key in table:
            if key not in _KEYS:
                raise ConfigError(f"marks.{mark}", seen=key, allowed=_KEYS, file=file)
        values = dict(table)
        values["flag"] = _flag(f"marks.{mark}.flag", values.get("flag"), file)
        if values.get("censored", 0) not in (-1, 0, 1):
            raise ConfigError(f"marks.{mark}.censored", seen=values["censored"], allowed="-1, 0, 1", file=file)
        letters[mark] = Letter(**values)
    return MarkScheme(
        name=name,
        protocol=content.get("protocol", ""),
        edition=str(content.get("edition", "")),
        absent=_flag("absent", content.get("absent", "not_evaluated"), file),
        letters=letters,
        several=str(content.get("several", "")),
        everywhere=bool(content.get("everywhere", False)),
    )


def _flag(key: str, seen: object, file: str) -> QartodFlag:
    if seen not in _FLAGS:
        raise ConfigError(key, seen=seen, allowed=_FLAGS, file=file)
    return _FLAGS[str(seen)]


@cache
def schemes() -> Mapping[str, MarkScheme]:
    """Return the mark tables by name."""
    found = {}
    for item in sorted(importlib.resources.files("nilometer.qc.marks").iterdir(), key=lambda entry: entry.name):
        if item.name.endswith(".toml"):
            name = item.name.removesuffix(".toml")
            found[name] = _scheme(name, str(item), tomllib.loads(item.read_text(encoding="utf-8")))
    return found


def _named(name: str) -> MarkScheme:
    if name not in schemes():
        raise ConfigError("mark_scheme", seen=name, allowed=schemes())
    return schemes()[name]


def _coded(marks: Any) -> tuple[NDArray[np.int32], list[str]]:  # noqa: ANN401 -- pyarrow has no types
    """Return a code for each row and the marks they stand for; code 0 is no mark."""
    if isinstance(marks, pa.ChunkedArray):
        marks = marks.combine_chunks()
    if not pa.types.is_dictionary(marks.type):
        marks = marks.dictionary_encode()
    codes = np.asarray(
        marks.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False), np.int32
    ) + np.int32(1)
    return codes, [text or "" for text in marks.dictionary.to_pylist()]


def censored(marks: Any, scheme: str) -> NDArray[np.int8]:  # noqa: ANN401 -- pyarrow has no types
    """Return what the marks hint of censoring.

    Parameters
    ----------
    marks : pyarrow string array, shape (n,)
        Marks, verbatim.
    scheme : str
        Name of the table.

    Returns
    -------
    ndarray of int8, shape (n,)
        -1 below, +1 above the measurable, 0 neither. HJ 212 sends whatever number it has beside its T: only who knows
        that this number is the limit may store the hint as `censored`.

    Raises
    ------
    ConfigError
        If there is no such table.
    """
    named = _named(scheme)
    codes, texts = _coded(marks)
    letters = [_letter(named, text) for text in texts]
    hints = [0, *(0 if letter is None else letter.censored for letter in letters)]
    return np.array(hints, np.int8)[codes]


def said(scheme: str | None, mark: str) -> QartodFlag:
    """Return the flag that a mark stands for by a scheme; NOT_EVALUATED where none lists it.

    Raises
    ------
    ConfigError
        If there is no such scheme.

    Examples
    --------
    >>> said("hj212-2017", "D").name, said(None, "ne43:fail_low").name
    ('FAIL', 'FAIL')
    """
    letter = _letter(None if scheme is None else _named(scheme), mark)
    return QartodFlag.NOT_EVALUATED if letter is None else letter.flag


@dataclass(slots=True)
class Marks:
    """The schemes in use, one row each; row 0 is for Datastreams without a scheme."""

    _schemes: list[MarkScheme | None] = field(default_factory=lambda: [None])
    _plain: NDArray[np.uint8] | None = None

    def row(self, name: str | None) -> int:
        """Return the row of a scheme, added when new.

        Raises
        ------
        ConfigError
            If there is no such scheme.
        """
        scheme = None if name is None else _named(name)
        if scheme not in self._schemes:
            self._schemes.append(scheme)
            self._plain = None
        return self._schemes.index(scheme)

    def read(self, marks: Any) -> tuple[NDArray[np.int32] | None, NDArray[np.uint8]]:  # noqa: ANN401 -- pyarrow
        """Return a code for each row (None: no row has a mark) and a table of outcomes [scheme, code].

        Without a scheme no mark passes, for nothing was said against the value, and any mark is NOT_EVALUATED, for
        nobody knows its language. The same holds for a letter that a scheme does not list.
        """
        if marks is None or marks.null_count == len(marks):
            if self._plain is None:
                self._plain = np.array([[_absent(scheme)] for scheme in self._schemes], np.uint8)
            return None, self._plain
        codes, texts = _coded(marks)
        outcomes = [[_absent(scheme), *(_said(scheme, text) for text in texts)] for scheme in self._schemes]
        return codes, np.array(outcomes, np.uint8)


def _absent(scheme: MarkScheme | None) -> int:
    return int(QartodFlag.PASS if scheme is None else scheme.absent)


def _said(scheme: MarkScheme | None, text: str) -> int:
    if not text:
        return _absent(scheme)
    letter = _letter(scheme, text)
    if letter is None:
        return int(QartodFlag.NOT_EVALUATED)
    return int(letter.flag) | (0 if letter.water else NOT_WATER)


def _letter(scheme: MarkScheme | None, text: str) -> Letter | None:
    letter = None if scheme is None else scheme.letter(text)
    if letter is not None:
        return letter
    return next((found for one in schemes().values() if one.everywhere and (found := one.letters.get(text))), None)
