"""Turn columns of codes into QARTOD flags and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag

__all__ = ["Code", "FlagScheme"]

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
    bits : tuple of str
        Names of tests, the lowest bit first, where the codes are bit fields: one of the tests that were run, one of
        those that were passed. Such a scheme is read by `tests_of_bits`.
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
    bits: tuple[str, ...] = ()

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
        >>> from nilometer.qc.schemes import schemes
        >>> schemes()["argo"].to_qartod(["1", "2", "4", " "]).tolist()
        [1, 1, 4, 2]
        """
        if self.bits:
            raise ConfigError("scheme", seen=self.name, reason="its codes are bit fields: use tests_of_bits")
        texts, places = _unique(codes)
        if strict:
            for text in texts:
                for unknown in self._unknown(text):
                    raise ConfigError(f"{self.name} code", seen=unknown, allowed=self.codes)
        flags = np.array([int(self._flag(text)) for text in texts], np.int8)
        return flags[places]

    def tests_of_bits(self, run: ArrayLike, passed: ArrayLike) -> dict[str, NDArray[np.int8]]:
        """Return the outcome of each test that bit fields tell of, by name, and their worst as ``rollup``.

        Parameters
        ----------
        run, passed : array_like, shape (n,)
            Whole numbers: which tests were run, and which of these were passed. NaN: none.

        Returns
        -------
        dict of str to ndarray of int8, shape (n,)
            PASS, SUSPECT where a test that was run was not passed, NOT_EVALUATED where it was not run; in ``rollup``
            NOT_EVALUATED only where none was.

        Raises
        ------
        ConfigError
            If the scheme has no bit fields.

        Examples
        --------
        >>> from nilometer.qc.schemes import schemes
        >>> found = schemes()["ooi"].tests_of_bits([0b101, 0], [0b100, 0])
        >>> found["global_range"].tolist(), found["spike"].tolist(), found["rollup"].tolist()
        ([3, 2], [1, 2], [3, 2])
        """
        if not self.bits:
            raise ConfigError("scheme", seen=self.name, reason="its codes are no bit fields: use to_qartod")
        ran, good = (np.nan_to_num(np.asarray(field, np.float64)).astype(np.int64) for field in (run, passed))
        outcomes: dict[str, NDArray[np.int8]] = {}
        rollup = np.full(ran.shape, int(QartodFlag.NOT_EVALUATED), np.int8)
        for place, name in enumerate(self.bits):
            is_run, is_good = (ran >> place & 1).astype(bool), (good >> place & 1).astype(bool)
            flags = np.select([~is_run, is_good], [2, 1], 3).astype(np.int8)
            outcomes[name] = flags
            rollup[is_run & is_good & (rollup == 2)] = int(QartodFlag.PASS)
            rollup[flags == 3] = int(QartodFlag.SUSPECT)
        return outcomes | {"rollup": rollup}

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
        >>> from nilometer.qc.schemes import schemes
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
        >>> from nilometer.qc.schemes import schemes
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
