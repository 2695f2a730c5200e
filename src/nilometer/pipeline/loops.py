"""What a current loop says of rows, beside what their instrument says: the worse word is the mark, none is lost."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.acquisition.current_loop import WORDS, CurrentLoop
from nilometer.acquisition.driver import RawBatch
from nilometer.model.flags import QartodFlag
from nilometer.qc.marks import said

__all__ = ["LoopRoute", "mark_loops"]

_ORDER = (QartodFlag.PASS, QartodFlag.NOT_EVALUATED, QartodFlag.SUSPECT, QartodFlag.FAIL, QartodFlag.MISSING)


@dataclass(frozen=True, slots=True)
class LoopRoute:
    """A channel's loop, the unit that its raw results are kept in, and the scheme of its instrument's own marks."""

    loop: CurrentLoop
    raw_unit: str
    scheme: str | None


def mark_loops(raw: RawBatch, results: NDArray[np.float64], loops: dict[int, LoopRoute]) -> RawBatch:
    """Mark the rows of current loops.

    Parameters
    ----------
    raw : RawBatch
        Changed in place; columns that it got are copied, never written to.
    results : ndarray of float64, shape (n,)
        Raw results in the raw units of their Datastreams.
    loops : dict of int to LoopRoute
        By place of the channel.

    Returns
    -------
    RawBatch
        The same. Where the instrument says of a value what is as bad, its mark stays, and the loop's word stands in
        `extra` as ``loop``; else its mark stands there as ``mark``.
    """
    for place, route in loops.items():
        rows = np.flatnonzero(raw.channel == place)
        codes = route.loop.codes(route.loop.current(results[rows], route.raw_unit))
        spoken = np.flatnonzero(codes)
        if not len(spoken):
            continue
        marks: list[str | None] = [None] * len(raw) if raw.mark is None else list(raw.mark)
        extras: list[str | None] = [None] * len(raw) if raw.extra is None else list(raw.extra)
        for row, code in zip(rows[spoken].tolist(), codes[spoken].tolist(), strict=True):
            word, own = WORDS[code], marks[row]
            if own is not None and _ORDER.index(said(route.scheme, own)) >= _ORDER.index(said(None, str(word))):
                extras[row] = _with(extras[row], "loop", str(word))
                continue
            marks[row] = word
            if own is not None:
                extras[row] = _with(extras[row], "mark", own)
        raw.mark, raw.extra = marks, extras
    return raw


def _with(extra: str | None, name: str, value: str) -> str:
    return json.dumps({**(json.loads(extra) if extra else {}), name: value}, ensure_ascii=False, sort_keys=True)
