"""What a whole run comes to: the worst finding of its tests, never better than the surest of its limits."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from nilometer.trials.bench.limits import Finding
from nilometer.trials.bench.results import TestResult

__all__ = ["Overall", "overall"]


class Overall(StrEnum):
    """What a run comes to."""

    MET = "met"
    NOT_MET = "not_met"
    MET_UNVERIFIED = "met_unverified"
    NOT_MET_UNVERIFIED = "not_met_unverified"
    INCOMPLETE = "incomplete"
    NO_LIMIT = "no_limit"
    NOTHING = "nothing"


def overall(results: Sequence[TestResult]) -> Overall:
    """Return what the tests of a run come to together.

    Parameters
    ----------
    results : sequence of TestResult
        All of a procedure, made or not.

    Returns
    -------
    Overall
        ``not_met`` where one limit is not; ``incomplete`` where a test that has a limit was not made or decided (or any
        test, where none has a limit); ``met`` where all are and every limit was verified.
    """
    found = {one.finding for one in results}
    figures = [(one.finding not in _LACKING, one.limit is not None) for one in results]
    is_limited = bool(found & _JUDGED)
    if not any(has_figure for has_figure, _ in figures):
        return Overall.NOTHING
    if (worst := next((one for one in _WORST if one in found), None)) is not None:
        return Overall(worst)
    if any(not has_figure and (has_limit or not is_limited) for has_figure, has_limit in figures):
        return Overall.INCOMPLETE
    return Overall(next((one for one in (Finding.MET_UNVERIFIED, Finding.MET) if one in found), Finding.NO_LIMIT))


_LACKING: Final = {Finding.NOT_MADE, Finding.NOT_DECIDED}
_WORST: Final = (Finding.NOT_MET, Finding.NOT_MET_UNVERIFIED)
_JUDGED: Final = {Finding.MET, Finding.MET_UNVERIFIED, *_WORST}
