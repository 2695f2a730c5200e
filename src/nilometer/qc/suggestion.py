"""Thresholds proposed from history: a profile that a person reads, changes and keeps, each number with its evidence.

A suggestion is a starting point. It is learnt from a record that nobody has cleaned, so it knows what was usual, not
what was right: a sensor that was wrong for months looks usual. What it would have flagged stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.errors import ConfigError
from nilometer.model.properties import vocabulary
from nilometer.qc import proposals
from nilometer.qc.checking import CheckResult, check
from nilometer.qc.history import History
from nilometer.qc.profile import Draft, Profile, load, resolve
from nilometer.qc.profile_text import document_text
from nilometer.qc.proposals import Proposal, Span
from nilometer.qc.qartod import DEFINITIONS
from nilometer.qc.thresholds import Place
from nilometer.series import unpack

__all__ = ["PROPOSED", "RATE", "SEASONS", "Suggestion", "suggest"]

RATE = 1e-4  # of values every 15 minutes, three or four a year
SEASONS = ("auto", "month", "quarter", "none")
PROPOSED = (
    "gap",
    "gross_range",
    "climatology",
    "spike",
    "rate_of_change",
    "flat_line",
    "attenuated_signal",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A proposed profile.

    Parameters
    ----------
    document : dict
        The profile as a file would hold it.
    evidence : dict of str to str
        By key (``tests.spike``: the rule; ``tests.spike.suspect``: from what the number came).
    history : History
        What it was learnt from.
    about : tuple of str
        What a reader should know first.
    profile : Profile
        The document read.
    would_flag : CheckResult
        What it makes of the series it was learnt from, as arrays in the series' order.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC of that series.
    season : str
        ``month``, ``quarter`` or ``none``.
    """

    document: dict[str, Any]
    evidence: dict[str, str]
    history: History
    about: tuple[str, ...]
    profile: Profile
    would_flag: CheckResult
    times: NDArray[np.int64]
    season: str

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many values each test flags in each quarter of the year, and in all."""
        month = self.times.astype("datetime64[us]").astype("datetime64[M]").astype(int) % 12
        seasons = {
            name: month // 3 == quarter for quarter, name in enumerate(("Jan-Mar", "Apr-Jun", "Jul-Sep", "Oct-Dec"))
        }
        seasons["all"] = np.ones(len(month), bool)
        return {
            test: {name: int(np.isin(outcome[rows], (3, 4)).sum()) for name, rows in seasons.items()}
            for test, outcome in {**self.would_flag.tests, "any": self.would_flag.flags}.items()
        }

    def text(self) -> str:
        """Return the profile as TOML, with its evidence as comments."""
        return document_text(self.document, head=self.about, notes=self.evidence)


def suggest(
    series: Any,  # noqa: ANN401 -- any library's series
    time: Any = None,  # noqa: ANN401 -- any library's times
    *,
    unit: str = "",
    property: str = "",  # noqa: A002 -- as profiles call it
    base: str | Path | Mapping[str, Any] | Profile | None = None,
    season: str = "auto",
    rate: float | Mapping[str, float] = RATE,
    name: str = "suggested",
) -> Suggestion:
    """Propose thresholds from a series' own history.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series, xarray.DataArray or pyarrow.Array, shape (n,)
        Results as recorded: gaps, fill values, spikes and stuck values may be in it.
    time : array_like or str, optional
        Times of the values, where the series does not bring them.
    unit : str
        Unit of the series; empty: the base's.
    property : str
        Vocabulary key; empty: the base's.
    base : str, path, mapping or Profile, optional
        A profile to inherit from: the sensor's limits, what is usual for such water, and which tests make sense.
        A test that it leaves out is not proposed, but for climatology and attenuated signal.
    season : str
        ``month``, ``quarter``, ``none``, or ``auto``: months from two years of history on, quarters from one.
    rate : float or mapping of str to float
        The share of good values that a test may call suspect, for all tests or by name; a hundredth of it may fail.
    name : str
        Of the profile.

    Returns
    -------
    Suggestion
        The profile, and from what each number came.

    Raises
    ------
    ConfigError
        If the season or a rate is not one of those allowed, or base, unit and property do not go together.
    ValueError
        If the series has no times, or fewer than 100 usable values.

    Examples
    --------
    >>> t = np.datetime64("2024-01-01") + np.arange(5000) * np.timedelta64(15, "m")
    >>> level = 2 + 0.3 * np.sin(np.arange(5000) / 500) + np.random.default_rng(1).normal(0, 0.01, 5000).round(3)
    >>> made = suggest(level.round(3), t, unit="m", property="water_level")
    >>> made.document["tests"]["gap"]["suspect"], made.document["tests"]["flat_line"]["tolerance"]
    ('1 h', 0.0005)
    """
    part = unpack(series, time)
    if part.times is None:
        raise ValueError("the series has no times: give them")
    parent = None if base is None else load(base)
    parent, unit, quantity = _settled(parent, unit, property)
    rates = _rates(rate)
    sensor = _span(parent, "fail")
    history = History.of(part.times, part.values, sensor)
    chosen = _season(season, history)
    document = _head(parent, base, quantity, unit, name)
    made = _proposals(history, parent, rates, chosen, sensor)
    evidence: dict[str, str] = {}
    for test in PROPOSED:
        if test in made:
            document["tests"][test] = made[test].table
            evidence[f"tests.{test}"] = made[test].rule
            evidence |= {f"tests.{test}.{key}": note for key, note in made[test].notes.items()}
    if parent is None:
        document["tests"]["mark"] = {}
        document["required"] = [test for test in ("gap", "gross_range") if test in made]
    _reconcile(document, parent)
    profile = _profile(document, parent, name)
    order = np.argsort(part.times, kind="stable")
    judged = check(part.values[order], profile, part.times[order], unit=unit)
    back = np.argsort(order, kind="stable")
    flags = CheckResult(
        np.asarray(judged.flags)[back],
        {test: np.asarray(outcome)[back] for test, outcome in judged.tests.items()},
        judged.profile,
    )
    return Suggestion(
        document=document,
        evidence=evidence,
        history=history,
        about=_about(history, flags, chosen, rates),
        profile=profile,
        would_flag=flags,
        times=part.times,
        season=chosen,
    )


def _settled(parent: Profile | None, unit: str, key: str) -> tuple[Profile | None, str, str]:
    """Return base, unit and property as they go together."""
    key = key or (parent.property if parent is not None else "")
    if unit:
        unit = units.canonical(unit)
    elif parent is not None:
        unit = parent.unit
    elif key in vocabulary():
        unit = vocabulary()[key].unit
    if parent is not None and unit:
        parent = parent.in_unit(unit)
    if parent is not None and parent.property and key and parent.property != key:
        raise ConfigError("base", seen=parent.name, reason=f"it judges {parent.property}, and the series is {key}")
    return parent, unit, key


def _rates(rate: float | Mapping[str, float]) -> dict[str, float]:
    given = dict(rate) if isinstance(rate, Mapping) else dict.fromkeys(PROPOSED, rate)
    for test, share in given.items():
        if test not in PROPOSED:
            raise ConfigError("rate", seen=test, allowed=PROPOSED, reason="no thresholds are proposed for this test")
        if not 1e-6 <= share <= 0.1:
            raise ConfigError(f"rate.{test}", seen=share, allowed="0.000001 to 0.1: a share of the good values")
    return dict.fromkeys(PROPOSED, RATE) | {test: float(share) for test, share in given.items()}


def _season(season: str, history: History) -> str:
    if season not in SEASONS:
        raise ConfigError("season", seen=season, allowed=SEASONS)
    if season != "auto":
        return season
    if history.days >= 700:
        return "month"
    return "quarter" if history.days >= 330 else "none"


def _span(parent: Profile | None, key: str) -> Span | None:
    for test in parent.tests if parent is not None else ():
        if test.kind == "gross_range":
            return test.parameters.get(key)
    return None


def _head(
    parent: Profile | None, base: str | Path | Mapping[str, Any] | Profile | None, key: str, unit: str, name: str
) -> dict[str, Any]:
    term = vocabulary().get(key)
    document: dict[str, Any] = {"title": f"{term.name_en if term is not None else name}, from its own history"}
    document["version"] = "1"
    if parent is not None:
        document["inherits"] = str(base) if isinstance(base, str | Path) else parent.name
    if key:
        document["property"] = key
    if unit:
        document["unit"] = unit
    return document | {"required": [], "tests": {}} if parent is None else document | {"tests": {}}


def _proposals(
    history: History, parent: Profile | None, rates: Mapping[str, float], season: str, sensor: Span | None
) -> dict[str, Proposal]:
    """Return what each rule proposes; each learns from what the ones before it have left."""
    kinds = {test.name: test for test in parent.tests} if parent is not None else None
    made: dict[str, Proposal | None] = {
        "gap": proposals.gap(history, rates["gap"]),
        "flat_line": proposals.flat_line(history, rates["flat_line"]),
    }
    moving = _without(history, made["flat_line"])
    year = proposals.gross_range(moving, rates["gross_range"], sensor, _span(parent, "suspect"))
    made["gross_range"] = year
    made["spike"] = proposals.spike(moving, rates["spike"])
    clean = _without(moving, made["spike"])
    with_fail = kinds is not None and "rate_of_change" in kinds and "fail" in kinds["rate_of_change"].parameters
    made["rate_of_change"] = proposals.rate_of_change(clean, rates["rate_of_change"], with_fail=with_fail)
    if season != "none" and "climatology" in DEFINITIONS:
        low, high = year.table["suspect"]  # a season goes no farther than the year
        made["climatology"] = proposals.climatology(clean, rates["climatology"], season, (low, high))
    if "attenuated_signal" in DEFINITIONS:
        made["attenuated_signal"] = proposals.attenuated_signal(clean, rates["attenuated_signal"])
    added = {"climatology", "attenuated_signal"}
    return {
        test: proposal
        for test, proposal in made.items()
        if proposal is not None and (kinds is None or test in kinds or test in added)
    }


def _without(history: History, proposal: Proposal | None) -> History:
    if proposal is None or proposal.bad is None or len(history) - int(proposal.bad.sum()) < 100:
        return history
    return history.taken(~proposal.bad)


def _reconcile(document: dict[str, Any], parent: Profile | None) -> None:
    """Take away inherited levels that the proposed ones would contradict."""
    for test in parent.tests if parent is not None else ():
        table = document["tests"].get(test.name)
        if table is None or test.kind == "gross_range":
            continue
        for key in ("suspect", "fail"):
            if key in test.parameters and key not in table:
                table[key] = False


def _profile(document: Mapping[str, Any], parent: Profile | None, name: str) -> Profile:
    draft = Draft(name, Place(name), document)
    return resolve(draft, lambda _: parent if parent is not None else Profile(name=name))


def _about(history: History, flags: CheckResult, season: str, rates: Mapping[str, float]) -> tuple[str, ...]:
    first, last = (str(time.astype("datetime64[us]").astype("datetime64[D]")) for time in history.times[[0, -1]])
    shares = sorted(set(rates.values()))
    asked = " to ".join(f"{share:g}" for share in dict.fromkeys((shares[0], shares[-1])))
    lines = [
        "Proposed by nilometer from history: read it, change it, keep it.",
        f"{len(history)} of {history.given} values, {first} to {last}; season: {season}; "
        f"asked for: at most {asked} of the good values suspect, per test.",
    ]
    if history.fill:
        told = ", ".join(f"{number:g} ({count} times)" for number, count in sorted(history.fill.items()))
        lines.append(f"Taken for no measurement: {told}.")
    if history.outside:
        lines.append(f"Outside the sensor's limits, not learnt from: {history.outside} values.")
    by_test = [
        f"{test} {suspect}+{fail}"
        for test, outcome in flags.tests.items()
        if (suspect := _count(outcome, 3)) + (fail := _count(outcome, 4))
    ]
    total = _count(flags.flags, 3), _count(flags.flags, 4)
    share = sum(total) / max(1, len(flags.flags))
    lines.append(
        f"Of this history it flags {total[0]} suspect, {total[1]} fail ({share:.2%}); "
        f"by test, suspect+fail: {', '.join(by_test) or 'none'}."
    )
    return tuple(lines)


def _count(flags: NDArray[np.int8], flag: int) -> int:
    return int((np.asarray(flags) == flag).sum())
