"""Flags against labels: how well thresholds find what people called bad.

Each series is cut in two by time. The first half, raw and with its labels unread, is the history that
`nilometer.qc.suggest` learns from; the second half is judged and scored by (a) the suggested profile, (b) `ioos_qc`
with the same thresholds, (c) the shipped generic profile. Labels are the publishers'. A value counts as found when a
test of the value itself calls it SUSPECT or FAIL; values that are missing are not scored.

    python benchmarks/qc_labels.py [FOLDER] [--rate 0.0001] [--swap]

FOLDER holds `water_quality/` (default ../shared/data). --rate is the share of good values that a test may call suspect;
--swap learns from the second half and scores the first.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from ioos_qc import qartod

from nilometer.acquisition.formats.reading import read
from nilometer.qc import Profile, check, suggest
from nilometer.qc.profile import profiles
from nilometer.qc.suggestion import RATE

LRO = ("MainStreet2019", "TonyGrove2019", "BlackSmithFork2019", "FranklinBasin2014")
VALUE_TESTS = ("gross_range", "climatology", "spike", "rate_of_change", "flat_line", "attenuated_signal")
METHODS = ("suggested", "ioos_qc", "shipped")


@dataclass
class Series:
    """One labelled series."""

    source: str
    name: str
    times: np.ndarray  # µs
    values: np.ndarray
    unit: str
    observed_property: str | None
    bad: np.ndarray  # what people called bad
    withdrawn: np.ndarray | None = None  # the part of it that they took out for good


@dataclass
class Score:
    """Counts over one or more series."""

    hit: int = 0
    wrong: int = 0
    missed: int = 0
    event_hit: int = 0  # labelled events that were found
    event_missed: int = 0
    flagged_right: int = 0  # flagged events that touch a labelled one
    flagged_wrong: int = 0
    rows: int = 0

    def add(self, other: Score) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def points(self) -> tuple[float, float, float]:
        return _figures(self.hit, self.hit + self.wrong, self.hit, self.hit + self.missed)

    @property
    def events(self) -> tuple[float, float, float]:
        flagged, labelled = self.flagged_right + self.flagged_wrong, self.event_hit + self.event_missed
        return _figures(self.flagged_right, flagged, self.event_hit, labelled)


def _figures(right: int, flagged: int, found: int, labelled: int) -> tuple[float, float, float]:
    precision = right / flagged if flagged else np.nan
    recall = found / labelled if labelled else np.nan
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 0 else (np.nan if np.isnan(total) else 0.0)


def score(flagged: np.ndarray, bad: np.ndarray) -> Score:
    """Return the counts; events are runs of rows, holes of up to an hour's worth (4 rows) closed."""
    made = Score(
        hit=int((flagged & bad).sum()),
        wrong=int((flagged & ~bad).sum()),
        missed=int((~flagged & bad).sum()),
        rows=len(bad),
    )
    near_flagged, near_bad = _widened(flagged), _widened(bad)  # a spike's neighbours count as the spike
    for start, end in _runs(bad):
        found = near_flagged[start:end].any()
        made.event_hit += int(found)
        made.event_missed += int(not found)
    for start, end in _runs(flagged):
        right = near_bad[start:end].any()
        made.flagged_right += int(right)
        made.flagged_wrong += int(not right)
    return made


def _widened(rows: np.ndarray) -> np.ndarray:
    wide = rows.copy()
    wide[1:] |= rows[:-1]
    wide[:-1] |= rows[1:]
    return wide


def _runs(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    where = np.flatnonzero(rows)
    if len(where) == 0:
        return
    cuts = np.flatnonzero(np.diff(where) > 4)
    for start, end in zip(np.concatenate([[0], cuts + 1]), np.concatenate([cuts, [len(where) - 1]]), strict=True):
        yield int(where[start]), int(where[end]) + 1


def lro(folder: Path) -> Iterator[Series]:
    for site in LRO:
        recording = read(folder / "lro" / f"{site}.csv.gz")
        for name, part in recording.columns.items():
            quality = recording.aside[f"{name}_qual"].to_pylist()
            corrected = recording.aside[f"{name}_cor"].to_pylist()
            bad = np.array([value not in (None, "", "NULL") for value in quality])
            gone = bad & np.array([value not in (None, "", "NULL") and float(value) == -9999 for value in corrected])
            yield Series(
                "Logan River", name, recording.times, part.values, part.unit, part.observed_property, bad, gone
            )


def queensland(folder: Path) -> Iterator[Series]:
    recording = read(folder / "queensland" / "sandy_creek_labelled.csv")
    for name, part in recording.columns.items():
        bad = np.array([int(float(value or 0)) == 1 for value in recording.aside[f"label_{name}"].to_pylist()])
        yield Series("Sandy Creek", name, recording.times, part.values, part.unit, part.observed_property, bad)


def saqc(folder: Path) -> Iterator[Series]:
    recording = read(folder / "saqc" / "hydro_data.csv.gz")
    bad = np.zeros(len(recording), bool)
    with (folder / "saqc" / "hydro_maint.csv").open(encoding="utf-8") as file:
        for row in csv.reader(file):
            times = [_time(cell) for cell in row]
            spans = [time for time in times if time is not None]
            if len(spans) >= 2:
                bad |= (recording.times >= spans[0]) & (recording.times <= spans[1])
    for name, part in recording.columns.items():
        yield Series("SaQC hydro", name, recording.times, part.values, part.unit, part.observed_property, bad)


def _time(cell: str) -> int | None:
    try:
        return int(np.datetime64(datetime.fromisoformat(cell.strip())).astype("datetime64[us]").astype(int))
    except ValueError:
        return None


def by_nilometer(profile: Profile, series: Series, rows: np.ndarray) -> np.ndarray:
    result = check(series.values[rows], profile, series.times[rows].view("datetime64[us]"), unit=series.unit)
    found = np.zeros(len(rows), bool)
    for name, outcome in result.tests.items():
        if name in VALUE_TESTS:
            found |= np.isin(outcome, (3, 4))
    return found


def by_ioos_qc(profile: Profile, series: Series, rows: np.ndarray) -> np.ndarray:
    """Return what `ioos_qc` flags with the thresholds of a profile, in the unit of the series."""
    profile = profile.in_unit(series.unit)
    values, times = series.values[rows], series.times[rows].view("datetime64[us]")
    given = {test.kind: test.parameters for test in profile.tests}
    found = np.zeros(len(rows), bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, p in given.items():
            if kind == "gross_range":
                fail = p.get("fail", (-np.inf, np.inf))
                flags = qartod.gross_range_test(values, fail_span=fail, suspect_span=p.get("suspect", fail))
            elif kind == "spike":
                flags = qartod.spike_test(values, suspect_threshold=p.get("suspect"), fail_threshold=p.get("fail"))
            elif kind == "rate_of_change":
                flags = qartod.rate_of_change_test(values, times, threshold=p["suspect"] / p["per"])
            elif kind == "flat_line":
                flags = qartod.flat_line_test(
                    values, times, p["suspect"], p.get("fail", 10 * p["suspect"]), tolerance=p["tolerance"]
                )
            elif kind == "climatology":
                flags = _climatology(values, times, p["members"])
            elif kind == "attenuated_signal":
                flags = qartod.attenuated_signal_test(
                    values, times, p["suspect"], p.get("fail", 0.0), test_period=p["over"], check_type="std"
                )
            else:
                continue
            found |= np.isin(np.ma.filled(flags, 9), (3, 4))
    return found


def _climatology(values: np.ndarray, times: np.ndarray, members: list[dict]) -> np.ndarray:
    config = qartod.ClimatologyConfig()
    for member in members:
        config.add(tspan=tuple(member["time"]), vspan=tuple(member["suspect"]), period=member["period"])
    return qartod.climatology_test(config, values, times, np.zeros(len(values)))


@dataclass
class Table:
    """Scores by source and column."""

    scores: dict[tuple[str, str], dict[str, Score]] = field(
        default_factory=lambda: defaultdict(lambda: {method: Score() for method in METHODS})
    )

    def add(self, series: Series, bad: np.ndarray, found: dict[str, np.ndarray], kept: np.ndarray) -> None:
        for method, flagged in found.items():
            self.scores[series.source, series.name][method].add(score(flagged[kept], bad[kept]))

    def show(self, kind: str) -> None:
        print("| set | column | rows | labelled |" + "".join(f" {method} P / R / F1 |" for method in METHODS))
        print("|---|---|---|---|" + "---|" * len(METHODS))
        for (source, name), by_method in self.scores.items():
            one = by_method["suggested"]
            count = one.hit + one.missed if kind == "points" else one.event_hit + one.event_missed
            cells = [f"{source}", name, str(one.rows), str(count)]
            for method in METHODS:
                of = by_method[method]
                cells.append("–" if of.rows == 0 else " / ".join(_cell(x) for x in getattr(of, kind)))
            print("| " + " | ".join(cells) + " |")


def _cell(number: float) -> str:
    return "–" if np.isnan(number) else f"{number:.2f}"


def judge(series: Series, rate: float, *, swap: bool) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what each method flags of the half that is scored, and which rows these are."""
    order = np.argsort(series.times, kind="stable")
    middle = series.times[order[0]] + (series.times[order[-1]] - series.times[order[0]]) // 2
    history, rows = order[series.times[order] < middle], order[series.times[order] >= middle]
    if swap:
        history, rows = rows, history
    generic = profiles().items.get(f"river/{series.observed_property}")
    made = suggest(
        series.values[history],
        series.times[history].view("datetime64[us]"),
        unit=series.unit,
        property=series.observed_property or "",
        base=generic,
        rate=rate,
    )
    found = {
        "suggested": by_nilometer(made.profile, series, rows),
        "ioos_qc": by_ioos_qc(made.profile, series, rows),
    }
    if generic is not None:
        found["shipped"] = by_nilometer(generic, series, rows)
    return found, rows


def _sensor(series: Series) -> tuple[float, float]:
    """Return what the sensor can give, by the shipped profile, in the unit of the series."""
    generic = profiles().items.get(f"river/{series.observed_property}")
    for test in generic.in_unit(series.unit).tests if generic is not None else ():
        if test.kind == "gross_range":
            return test.parameters.get("fail", (-np.inf, np.inf))
    return -np.inf, np.inf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--swap", action="store_true")
    given = parser.parse_args()
    folder = given.folder / "water_quality"
    labelled, withdrawn = Table(), Table()
    impossible: dict[tuple[str, str], int] = defaultdict(int)
    for series in (*lro(folder), *queensland(folder), *saqc(folder)):
        found, rows = judge(series, given.rate, swap=given.swap)
        there = np.isfinite(series.values[rows])
        labelled.add(series, series.bad[rows], found, there)
        low, high = _sensor(series)
        values = series.values[rows]
        impossible[series.source, series.name] += int(
            ((values < low) | (values > high))[there & ~series.bad[rows]].sum()
        )
        if series.withdrawn is not None:
            # What was labelled and kept is neither good nor bad here.
            kept = there & (series.withdrawn[rows] | ~series.bad[rows])
            withdrawn.add(series, series.withdrawn[rows], found, kept)
    told = ", ".join(f"{source} {name} {count}" for (source, name), count in impossible.items() if count)
    print(f"Beyond the sensor's limits and without a label, among the scored rows: {told}")
    print("\nPoint by point\n")
    labelled.show("points")
    print("\nEvent by event\n")
    labelled.show("events")
    print("\nLogan River, values that were withdrawn, point by point\n")
    withdrawn.show("points")
    print("\nLogan River, values that were withdrawn, event by event\n")
    withdrawn.show("events")


if __name__ == "__main__":
    main()
