"""What reprocessing moved, Datastream by Datastream: how many rows, how far, from which flag to which, by what.

Counts and extremes are exact. A median is exact up to 65,536 changed rows of a Datastream; beyond that it is known to a
thousandth of itself, so that no more than some hundred kilobytes are kept of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, QartodFlag
from nilometer.pipeline.reprocess_judging import Judged
from nilometer.store import Catalog
from nilometer.store.ledger import ProvenanceRow

__all__ = ["Differences", "Moved", "Spread", "differences", "report_document"]

MOST_EXACT = 1 << 16
_SHIFT = 42  # leaves 10 bits of the mantissa of a float64: a step of a thousandth
_FLAGS = {int(flag): flag.name.lower() for flag in QartodFlag}


@dataclass(slots=True)
class Differences:
    """Which rows come out otherwise.

    Parameters
    ----------
    result, uncertainty, flag, tests, way : ndarray of bool, shape (n,)
        What differs; `way`: the calibration, the profile version or the definition.
    """

    result: NDArray[np.bool_]
    uncertainty: NDArray[np.bool_]
    flag: NDArray[np.bool_]
    tests: NDArray[np.bool_]
    way: NDArray[np.bool_]

    @property
    def numbers(self) -> NDArray[np.bool_]:
        """Rows of which a number, a flag or the outcome of a test differs."""
        return self.result | self.uncertainty | self.flag | self.tests

    @property
    def any(self) -> NDArray[np.bool_]:
        """Rows that are to be written."""
        return self.numbers | self.way

    def take(self, rows: NDArray[np.int64] | slice) -> Differences:
        """Return those of some of the rows."""
        return Differences(self.result[rows], self.uncertainty[rows], self.flag[rows], self.tests[rows], self.way[rows])


def differences(judged: Judged, way: NDArray[np.bool_]) -> Differences:
    """Compare rows as they are stored with what they are today."""
    old, new = judged.old, judged.new
    assert old.result is not None  # noqa: S101 -- finished rows
    assert new.result is not None  # noqa: S101
    return Differences(
        ~_same(old.result, new.result),
        ~_same(_uncertainty(old), _uncertainty(new)),
        np.asarray(old.result_quality != new.result_quality),
        _other_words(old.tests, new.tests),
        way,
    )


@dataclass(slots=True)
class Spread:
    """Largest, mean and median of numbers from 0 that come in parts."""

    count: int = 0
    total: float = 0.0
    largest: float = 0.0
    when: int | None = None
    _exact: list[NDArray[np.float64]] = field(default_factory=list)
    _bins: NDArray[np.int64] | None = None
    _least: int = 0

    def add(self, values: NDArray[np.float64], time: NDArray[np.int64]) -> None:
        """Take more of them, with the times they belong to."""
        if not len(values):
            return
        most = int(np.argmax(values))
        if self.when is None or values[most] > self.largest:
            self.largest, self.when = float(values[most]), int(time[most])
        self.count += len(values)
        self.total += float(values.sum())
        self._exact.append(values)
        self._bin()

    def take_over(self, other: Spread) -> None:
        """Take the numbers of another, which ends with that."""
        if not other.count:
            return
        if self.when is None or other.largest > self.largest:
            self.largest, self.when = other.largest, other.when
        self.count, self.total = self.count + other.count, self.total + other.total
        self._exact += other._exact
        if other._bins is not None:
            self._add_bins(other._least, other._bins)
        self._bin()

    def _bin(self) -> None:
        """Keep only how many numbers are about how large, where there are very many."""
        if not self._exact or (self._bins is None and self.count <= MOST_EXACT):
            return
        for part in self._exact:
            about = part.view(np.int64) >> _SHIFT
            least = int(about.min())
            about -= least
            self._add_bins(least, np.bincount(about))
        self._exact = []

    def _add_bins(self, least: int, bins: NDArray[np.int64]) -> None:
        if self._bins is None:
            self._least, self._bins = least, bins
            return
        start = min(least, self._least)
        both = np.zeros(max(least + len(bins), self._least + len(self._bins)) - start, np.int64)
        both[self._least - start :][: len(self._bins)] = self._bins
        both[least - start :][: len(bins)] += bins
        self._least, self._bins = start, both

    @property
    def mean(self) -> float:
        """The mean."""
        return self.total / self.count if self.count else 0.0

    @property
    def median(self) -> float:
        """The median, see the module."""
        if not self.count:
            return 0.0
        if self._bins is None:
            return float(np.median(np.concatenate(self._exact)))
        place = self._least + int(np.searchsorted(np.cumsum(self._bins), (self.count + 1) // 2))
        return float(np.array([(place << _SHIFT) + (1 << (_SHIFT - 1))], np.int64).view(np.float64)[0])

    def to_document(self) -> dict[str, Any] | None:
        """Return JSON-ready data; None: there was nothing."""
        if not self.count:
            return None
        return {"max": self.largest, "mean": self.mean, "median": self.median, "when": _text(self.when)}


@dataclass(slots=True)
class Moved:
    """What was moved of one Datastream."""

    datastream: int
    rows: int = 0
    revised: int = 0
    restated: int = 0
    signed: int = 0
    late: int = 0
    added: int = 0
    appeared: int = 0
    vanished: int = 0
    first: int | None = None
    last: int | None = None
    absolute: Spread = field(default_factory=Spread)
    relative: Spread = field(default_factory=Spread)
    uncertainty: Spread = field(default_factory=Spread)
    uncertainty_changed: int = 0
    tests: int = 0
    flags: NDArray[np.int64] = field(default_factory=lambda: np.zeros((10, 10), np.int64))
    ways: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, judged: Judged, found: Differences, kept: NDArray[np.bool_]) -> None:
        """Take rows of which those that are `kept` stay as they are, though they come out otherwise."""
        old, new = judged.old, judged.new
        self.rows += len(judged)
        writes = found.any
        if kept.any():
            self.signed += int(np.count_nonzero(writes & kept))
            writes &= ~kept
        if not writes.any():
            return
        written = _chosen(writes)
        numbers = found.numbers & writes
        revised = int(np.count_nonzero(numbers))
        self.revised += revised
        self.restated += int(np.count_nonzero(writes)) - revised
        self.tests += int(np.count_nonzero(found.tests & writes))
        self._reach(old.phenomenon_time[written])
        self._results(old, new, _chosen(found.result & writes))
        self._uncertainties(old, new, _chosen(found.uncertainty & writes))
        assert old.result_quality is not None  # noqa: S101 -- finished rows
        assert new.result_quality is not None  # noqa: S101
        some = _chosen(numbers)
        pair = old.result_quality[some].astype(np.int64) * 10 + new.result_quality[some]
        self.flags += np.bincount(pair, minlength=100).reshape(10, 10)
        assert old.provenance is not None  # noqa: S101
        assert new.provenance is not None  # noqa: S101
        self._pass(old.provenance[written], new.provenance[written])

    def _pass(self, old: NDArray[np.int32], new: NDArray[np.int32]) -> None:
        """Count which calibration, profile version and definition took the place of which; mostly in long stretches."""
        starts = np.flatnonzero(np.append(True, (old[1:] != old[:-1]) | (new[1:] != new[:-1])))
        lengths = np.diff(np.append(starts, len(old)))
        for key, count in zip(
            zip(old[starts].tolist(), new[starts].tolist(), strict=True), lengths.tolist(), strict=True
        ):
            self.ways[key] = self.ways.get(key, 0) + count

    def add_new(self, time: NDArray[np.int64]) -> None:
        """Take rows, by their times, that had none before."""
        self.added += len(time)
        self._reach(time)

    def _reach(self, time: NDArray[np.int64]) -> None:
        self.first = int(time.min()) if self.first is None else min(self.first, int(time.min()))
        self.last = int(time.max()) if self.last is None else max(self.last, int(time.max()))

    def take_over(self, other: Moved) -> None:
        """Add what another counted of other rows of the same Datastream."""
        for name in ("rows", "revised", "restated", "signed", "late", "added", "appeared", "vanished", "tests"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.uncertainty_changed += other.uncertainty_changed
        if other.first is not None and other.last is not None:
            self.first = other.first if self.first is None else min(self.first, other.first)
            self.last = other.last if self.last is None else max(self.last, other.last)
        for mine, theirs in (
            (self.absolute, other.absolute),
            (self.relative, other.relative),
            (self.uncertainty, other.uncertainty),
        ):
            mine.take_over(theirs)
        self.flags += other.flags
        for key, count in other.ways.items():
            self.ways[key] = self.ways.get(key, 0) + count

    def _results(self, old: ObservationBatch, new: ObservationBatch, rows: NDArray[np.int64] | slice) -> None:
        assert old.result is not None  # noqa: S101 -- finished rows
        assert new.result is not None  # noqa: S101
        before, after, time = old.result[rows], new.result[rows], old.phenomenon_time[rows]
        moved = _moved(before, after)
        if not np.isfinite(moved).all():
            self.appeared += int((np.isnan(before) & ~np.isnan(after)).sum())
            self.vanished += int((~np.isnan(before) & np.isnan(after)).sum())
            both = np.isfinite(before) & np.isfinite(after)
            before, moved, time = before[both], moved[both], time[both]
        self.absolute.add(moved, time)
        base = np.abs(before)
        known = base > 0
        if not known.all():
            base, moved, time = base[known], moved[known], time[known]
        self.relative.add(moved / base, time)

    def _uncertainties(self, old: ObservationBatch, new: ObservationBatch, rows: NDArray[np.int64] | slice) -> None:
        before, after, time = _uncertainty(old)[rows], _uncertainty(new)[rows], old.phenomenon_time[rows]
        self.uncertainty_changed += len(time)
        moved = _moved(before.astype(np.float64), after.astype(np.float64))
        finite = np.isfinite(before) & np.isfinite(after)
        if not finite.all():
            moved, time = moved[finite], time[finite]
        self.uncertainty.add(moved, time)

    def to_document(self, catalog: Catalog) -> dict[str, Any]:
        """Return JSON-ready data; times are ISO 8601."""
        named = catalog.datastream(self.datastream)
        flags = [
            {"old": _FLAGS.get(old, str(old)), "new": _FLAGS.get(new, str(new)), "rows": int(self.flags[old, new])}
            for old, new in np.argwhere(self.flags).tolist()
        ]
        return {
            "datastream": named.key,
            "unit": named.unit,
            "rows": self.rows,
            "added": self.added,
            "unchanged": self.rows - self.revised - self.restated - self.signed - self.late,
            "revised": self.revised,
            "restated": self.restated,
            "signed": self.signed,
            "changed_meanwhile": self.late,
            "first": _text(self.first),
            "last": _text(self.last),
            "result": {
                "changed": self.absolute.count + self.appeared + self.vanished,
                "appeared": self.appeared,
                "vanished": self.vanished,
                "absolute": self.absolute.to_document(),
                "relative": self.relative.to_document(),
            },
            "uncertainty": {"changed": self.uncertainty_changed, "absolute": self.uncertainty.to_document()},
            "tests": self.tests,
            "flags": flags,
            **self._replaced(catalog),
        }

    def _replaced(self, catalog: Catalog) -> dict[str, Any]:
        """Return which calibrations, profile versions and definitions took the place of which."""
        calibrations: dict[tuple[int | None, int | None], int] = {}
        profiles: dict[tuple[int | None, int | None], int] = {}
        definitions: dict[tuple[int | None, int | None], int] = {}
        for (old, new), count in self.ways.items():
            was, now = _way(catalog, old), _way(catalog, new)
            for found, pair in (
                (calibrations, (was.calibration, now.calibration)),
                (profiles, (was.profile_version, now.profile_version)),
                (definitions, (was.definition, now.definition)),
            ):
                if pair[0] != pair[1]:
                    found[pair] = found.get(pair, 0) + count
        told = {row.id: row for row in catalog.calibrations(self.datastream)}
        return {
            "calibrations": [
                {"old": _calibration(told, old), "new": _calibration(told, new), "rows": count}
                for (old, new), count in calibrations.items()
            ],
            "profiles": [
                {"old": _profile(catalog, old), "new": _profile(catalog, new), "rows": count}
                for (old, new), count in profiles.items()
            ],
            "definitions": [
                {"old": _definition(catalog, old), "new": _definition(catalog, new), "rows": count}
                for (old, new), count in definitions.items()
            ],
        }


def report_document(moved: list[Moved], catalog: Catalog, **about: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """Return the report of a whole run: what is told of it, sums, and every Datastream; times in µs become ISO 8601."""
    about |= {name: _text(about.get(name)) for name in ("start", "end", "since")}
    parts = [one.to_document(catalog) for one in moved]
    sums = ("rows", "added", "unchanged", "revised", "restated", "signed", "changed_meanwhile")
    return {**about, **{name: sum(part[name] for part in parts) for name in sums}, "datastreams": parts}


def _calibration(told: dict[int, Any], number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    row = told.get(number)
    if row is None:
        return {"id": number}
    document = row.document
    valid_from = None if row.valid_from == np.iinfo(np.int64).min else row.valid_from
    return {"id": number, "valid_from": _text(valid_from), "certificate": document.get("certificate", "")}


def _profile(catalog: Catalog, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    row = catalog.profile_version_row(number)
    return {"id": number, "name": row.name, "version": row.version}


def _definition(catalog: Catalog, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    row = catalog.definitions.row(number)
    return {"id": number, "function": row.document.get("function", ""), "entered": _text(row.time)}


def _text(moment: int | None) -> str | None:
    """Return a time as ISO 8601, UTC."""
    return None if moment is None else f"{np.datetime64(moment, 'us')}Z"


def _way(catalog: Catalog, number: int) -> ProvenanceRow:
    return catalog.provenance_row(number) if number else ProvenanceRow(0, None, None, "", "")


def _chosen(rows: NDArray[np.bool_]) -> NDArray[np.int64] | slice:
    """Return which rows are chosen; where all are nothing will be copied."""
    return slice(None) if rows.all() else np.flatnonzero(rows)


def _moved(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):  # infinite results have no distance
        moved = after - before
    return np.abs(moved, out=moved)


def _same(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = one == other
    rest = np.flatnonzero(~same)
    if len(rest) > len(same) // 8:
        same |= np.isnan(one) & np.isnan(other)
    else:
        same[rest] = np.isnan(one[rest]) & np.isnan(other[rest])
    return same


def _uncertainty(rows: ObservationBatch) -> NDArray[np.floating]:
    if rows.result_uncertainty is None:
        return np.full(len(rows), np.nan, np.float32)
    with np.errstate(over="ignore"):
        return rows.result_uncertainty.astype(np.float32)  # as it is stored


def _other_words(one: Any, other: Any) -> NDArray[np.bool_]:  # noqa: ANN401 -- pyarrow has no types
    n = len(one)
    if one.null_count == n and other.null_count == n:
        return np.zeros(n, bool)
    if one.null_count + other.null_count > n:  # where most rows passed every test, only the others are looked at
        rows = pc.indices_nonzero(pc.or_(one.is_valid(), other.is_valid()))
        found = np.zeros(n, bool)
        found[rows.to_numpy()] = pc.not_equal(
            pc.fill_null(one.take(rows), ""), pc.fill_null(other.take(rows), "")
        ).to_numpy(zero_copy_only=False)
        return found
    differ: NDArray[np.bool_] = pc.not_equal(pc.fill_null(one, ""), pc.fill_null(other, "")).to_numpy(
        zero_copy_only=False
    )
    return differ
