"""Read flag schemes, and turn columns of codes into QARTOD flags and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag
from nilometer.plugins import DataFile, Found, data_files
from nilometer.qc.marks import schemes as mark_schemes

__all__ = ["Code", "FlagScheme", "scheme", "schemes"]

GROUP = "nilometer.flag_schemes"
_FLAGS = {flag.name.lower(): flag for flag in QartodFlag}
_KEYS = (
    "title", "source", "verified", "doubt", "code", "absent", "pattern", "several", "marks", "codes", "qualifiers",
    "from_qartod", "loses",
)  # fmt: skip
_CODE_KEYS = ("flag", "meaning", "censored")
_DIRECTIONS = ("to_qartod", "from_qartod")
_WORST_LAST = (
    QartodFlag.PASS,
    QartodFlag.NOT_EVALUATED,
    QartodFlag.SUSPECT,
    QartodFlag.FAIL,
    QartodFlag.MISSING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What one code says: its QARTOD flag, its meaning in words, and -1 or +1 where the value is a limit."""

    flag: QartodFlag
    meaning: str
    censored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagScheme:
    """One scheme of codes.

    Parameters
    ----------
    name, title : str
        For programs and for people.
    source : str
        Where the meanings were read.
    verified : bool
        Whether each was; `doubt` says what was not.
    numeric : bool
        Codes are whole numbers.
    absent : QartodFlag
        What no code at all means.
    codes : mapping of str to Code
        By code, as text.
    written : mapping of QartodFlag to str
        The code for each flag; a flag that is not here has none.
    loses : mapping of str to str
        What ``to_qartod`` and ``from_qartod`` cannot keep.
    qualifiers : mapping of str to str
        Words that may stand beside a code and explain it.
    """

    name: str
    title: str
    source: str
    verified: bool
    doubt: str
    numeric: bool
    absent: QartodFlag
    codes: Mapping[str, Code]
    written: Mapping[QartodFlag, str]
    loses: Mapping[str, str]
    qualifiers: Mapping[str, str] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    several: re.Pattern[str] | None = None

    def to_qartod(self, codes: ArrayLike, *, strict: bool = False) -> NDArray[np.int8]:
        """Return the QARTOD flag of each code.

        Parameters
        ----------
        codes : array_like, shape (n,)
            As the scheme writes them: texts, bytes or whole numbers; None, NaN, masked and blank are absent.
        strict : bool
            Refuse a code that the scheme does not list, instead of calling it NOT_EVALUATED.

        Returns
        -------
        ndarray of int8, shape (n,)
            QARTOD flags.

        Raises
        ------
        ConfigError
            If `strict` and a code is not of the scheme.

        Examples
        --------
        >>> schemes()["argo"].to_qartod(["1", "2", "4", " "]).tolist()
        [1, 1, 4, 2]
        """
        texts, places = _unique(codes)
        if strict:
            for text in texts:
                for unknown in self._unknown(text):
                    raise ConfigError(f"{self.name} code", seen=unknown, allowed=self.codes)
        flags = np.array([int(self._flag(text)) for text in texts], np.int8)
        return flags[places]

    def censored(self, codes: ArrayLike) -> NDArray[np.int8]:
        """Return -1 where a code says that the value is a lower limit of measurement, +1 an upper one, else 0."""
        texts, places = _unique(codes)
        hints = np.array([self._hint(text) for text in texts], np.int8)
        return hints[places]

    def from_qartod(self, flags: ArrayLike, *, strict: bool = False) -> NDArray[Any]:
        """Return the scheme's code for each QARTOD flag.

        Parameters
        ----------
        flags : array_like, shape (n,)
            QARTOD flags.
        strict : bool
            Refuse a flag that the scheme has no code for, instead of leaving it blank.

        Returns
        -------
        ndarray of str or int8, shape (n,)
            Codes; an empty text where the scheme has none.

        Raises
        ------
        ConfigError
            If a number is no QARTOD flag, if the scheme has no code for any flag, or, when `strict`, for one of these.

        Examples
        --------
        >>> schemes()["seadatanet"].from_qartod([1, 2, 3, 4, 9]).tolist()
        ['1', '0', '3', '4', '9']
        """
        given = np.asarray(flags)
        if not self.written:
            raise ConfigError("scheme", seen=self.name, reason=self.loses["from_qartod"])
        numbers, places = np.unique(given.ravel(), return_inverse=True)
        words = []
        for number in numbers.tolist():
            if number not in set(QartodFlag):
                raise ConfigError("flag", seen=number, allowed=", ".join(str(int(flag)) for flag in QartodFlag))
            flag = QartodFlag(number)
            if strict and flag not in self.written:
                said = [known.name for known in self.written]
                raise ConfigError("flag", seen=flag.name, allowed=said, reason=f"{self.name} has no code for it")
            words.append(self.written.get(flag, ""))
        table = np.array([int(word) for word in words], np.int8) if self.numeric else np.array(words, np.str_)
        return table[places].reshape(given.shape)

    def unknown(self, codes: ArrayLike) -> tuple[str, ...]:
        """Return the codes among these that the scheme does not list, sorted."""
        return tuple(sorted({word for text in _unique(codes)[0] for word in self._unknown(text)}))

    def meaning(self, code: object) -> str:
        """Return what one code says, in words; with what its qualifiers say.

        Examples
        --------
        >>> schemes()["nerrs"].meaning("<-3> [SSD]")
        'data rejected due to QAQC; sensor drift'
        """
        text = _plain(code)
        said = [self.codes[word].meaning for word in self._words(text) if word in self.codes]
        said += [self.qualifiers[word] for word in re.findall(r"\w+", text) if word in self.qualifiers]
        return "; ".join(said)

    def _words(self, text: str) -> list[str]:
        if self.pattern is not None:
            found = self.pattern.search(text)
            return [found[1]] if found else []
        words = [text] if self.several is None else self.several.split(text)
        return [word for word in words if word]

    def _unknown(self, text: str) -> list[str]:
        words = self._words(text)
        if not words and text and not set(re.findall(r"\w+", text)) <= set(self.qualifiers):
            return [text]
        return [word for word in words if word not in self.codes]

    def _flag(self, text: str) -> QartodFlag:
        words = self._words(text)
        if not words:
            return self.absent
        said = (self.codes[word].flag if word in self.codes else QartodFlag.NOT_EVALUATED for word in words)
        return max(said, key=_WORST_LAST.index)

    def _hint(self, text: str) -> int:
        hints = (self.codes[word].censored for word in self._words(text) if word in self.codes)
        return next((hint for hint in hints if hint), 0)


def _unique(codes: Any) -> tuple[list[str], NDArray[np.intp]]:  # noqa: ANN401 -- any library's column
    """Return the different codes as text, and which of them each element is."""
    # A masked array lists what is masked as None.
    array = np.array(codes.tolist(), object) if isinstance(codes, np.ma.MaskedArray) else np.asarray(codes)
    if array.dtype.kind in "iu":
        numbers, places = np.unique(array, return_inverse=True)
        return [str(number) for number in numbers.tolist()], places.reshape(array.shape)
    plain = np.array([_plain(item) for item in array.ravel().tolist()], np.str_)
    texts, places = np.unique(plain, return_inverse=True)
    return texts.tolist(), places.reshape(array.shape)


def _plain(item: Any) -> str:  # noqa: ANN401 -- one code, as whoever read it gives it
    # NaN is not equal to itself; pandas' NA answers no comparison.
    if item is None or type(item).__name__ == "NAType" or item != item:  # noqa: PLR0124
        return ""
    if isinstance(item, bytes):
        item = item.decode("ascii", "replace")
    if isinstance(item, float) and item.is_integer():
        item = int(item)
    return str(item).strip("\0 \t\r\n")


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
    if not codes:
        raise ConfigError("codes", allowed="a table per code, or marks", file=file)
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


def _regex(content: Mapping[str, Any], key: str, file: str) -> re.Pattern[str] | None:
    if key not in content:
        return None
    try:
        return re.compile(content[key])
    except (re.error, TypeError) as error:
        raise ConfigError(
            key, seen=content[key], allowed="a regular expression", reason=str(error), file=file
        ) from None
