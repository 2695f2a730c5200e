"""A series judged by several profiles: what an `ioos_qc` configuration with contexts asks of a stream.

The tests of a context see only the rows inside, as one series, and a row outside is NOT_EVALUATED by them. Tests that
run down a cast have a profile of their own. What only a series that is there as a whole can answer (one verdict for all
of it, a count that follows from its median interval) is settled here, before the kernel judges. Live rows know nothing
of this: they are judged by the profile of their Datastream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.peer_contexts import Context
from nilometer.qc.profile import Profile
from nilometer.qc.qartod.syntax import flag_records
from nilometer.series import unpack

if TYPE_CHECKING:
    from nilometer.qc.checking import CheckResult

__all__ = ["MIN_PERIOD", "RECEIVED", "RECORDS", "WHOLE", "Part", "Parts"]

MIN_PERIOD: Final = "@min_period"
"""Key of a translated test: `least` follows from these seconds and the median interval;"""
WHOLE: Final = "@whole"
"""one verdict for the whole series;"""
RECEIVED: Final = "@received"
"""when it was received, µs;"""
RECORDS: Final = "@records"
"""how records of text are judged, as `flag_records` takes it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tests that one program can run: those of one context along one axis.

    Parameters
    ----------
    context : Context
        Where and when they hold.
    tests : mapping of str to table
        As a profile writes them, with `MIN_PERIOD`, `WHOLE`, `RECEIVED` and `RECORDS` where only a whole series knows.
    """

    context: Context
    tests: Mapping[str, Mapping[str, Any]]

    @property
    def along(self) -> str:
        """Along what the tests run."""
        return "depth" if any(table["test"] == "density_inversion" for table in self.tests.values()) else "time"

    @property
    def is_profile(self) -> bool:
        """Whether a profile can say it all."""
        return self.context.is_everywhere and not any(key.startswith("@") for t in self.tests.values() for key in t)

    def profile(self, name: str, values: NDArray[np.float64], times: NDArray[np.int64] | None) -> Profile:
        """Return the profile for these rows, with what follows from them."""
        tests = {test: _settled(table, values, times) for test, table in self.tests.items()}
        document = {"title": self.context.title, "tests": tests, "rollup": "ioos_qc", "along": self.along}
        return Profile.from_document(document, name=name)

    def hint(self, key: str) -> Mapping[str, Any]:
        """Return what the tests say under a key that only a whole series answers, by their names."""
        return {test: table[key] for test, table in self.tests.items() if key in table}


def _settled(table: Mapping[str, Any], values: NDArray[np.float64], times: NDArray[np.int64] | None) -> dict[str, Any]:
    settled = {key: value for key, value in table.items() if not key.startswith("@")}
    has_steps = times is not None and len(times) > 1
    if WHOLE in table:
        # A window that holds everything there is: its last verdict is that on the whole series.
        settled |= {"over": 1.0 + (np.ptp(times) / 1e6 if times is not None and has_steps else 0.0), "least": 1}
    if MIN_PERIOD in table:
        interval = float(np.median(np.diff(times))) // 1_000_000 if times is not None and has_steps else 1.0
        settled["least"] = max(int(table[MIN_PERIOD] / max(interval, 1.0)), 1)
    return settled


@dataclass(frozen=True, slots=True)
class Parts:
    """Several profiles for one series: what a configuration with contexts asks of a stream.

    Parameters
    ----------
    name : str
        The stream.
    parts : tuple of Part
        In the order of the configuration.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def along(self) -> str:
        """Along what all of them run; time where they do not agree."""
        return "depth" if all(part.along == "depth" for part in self.parts) else "time"

    def check(self, series: Any, time: Any = None, *, unit: str = "", **beside: Any) -> CheckResult:  # noqa: ANN401
        """Return the QARTOD flags of a series, as `nilometer.qc.check` gives them.

        Parameters
        ----------
        series, time, unit, **beside
            As `nilometer.qc.check` takes them. A series of text is taken as records, for their syntax.

        Returns
        -------
        CheckResult
            A test that stands in several contexts has a name in each: ``gross_range``, ``gross_range_2``.

        Raises
        ------
        ValueError
            If a context has a window or a region and the series no times or places.
        """
        from nilometer.qc.checking import CheckResult, check  # noqa: PLC0415 -- check hands configurations to this

        records = _records(series)
        part_of = unpack(series if records is None else _nothing(series), time)
        values, times, n = part_of.values, part_of.times, len(part_of.values)
        columns = {key: _column(value, n) for key, value in beside.items() if key not in {"received", "others"}}
        tests: dict[str, NDArray[np.int8]] = {}
        judged: list[Profile] = []
        for part in self.parts:
            rows = part.context.holds(n, times, columns.get("latitude"), columns.get("longitude"))
            when = None if times is None else times[rows]
            profile = part.profile(self.name, values[rows], when)
            given: dict[str, Any] = {key: column[rows] for key, column in columns.items()}
            given |= {key: beside[key] for key in ("received", "others") if beside.get(key) is not None}
            for since in part.hint(RECEIVED).values():
                given["received"] = int(since)
            found = check(values[rows], profile, when, unit=unit, **given)
            judged.append(found.profile)
            for test, flags in found.tests.items():
                tests[test] = np.full(n, NOT_EVALUATED, np.int8)
                tests[test][rows] = _spread(flags) if test in part.hint(WHOLE) else flags
            for test, how in part.hint(RECORDS).items():
                if records is not None:
                    tests[test][rows] = flag_records([records[row] for row in np.flatnonzero(rows)], **how)
        wrapped = {test: part_of.rewrap(flags) for test, flags in tests.items()}
        return CheckResult(part_of.rewrap(_rolled_up(tests, n)), wrapped, self._whole(judged))

    def _whole(self, judged: list[Profile]) -> Profile:
        first = judged[0] if judged else Profile(name=self.name)
        return replace(
            first, along="time", required=frozenset(), tests=tuple(test for one in judged for test in one.tests)
        )


def _records(series: Any) -> list[Any] | None:  # noqa: ANN401 -- any library's series
    values = np.asarray(series)
    if values.dtype.kind not in "USO":
        return None
    items = values.tolist()
    return items if any(isinstance(item, str | bytes) for item in items) else None


def _nothing(series: Any) -> Any:  # noqa: ANN401 -- any library's series
    """Return a series without a number, as long as one of records."""
    n = len(series)
    return [np.nan] * n if isinstance(series, list | tuple) else np.full(n, np.nan)


def _column(values: Any, n: int) -> NDArray[np.float64]:  # noqa: ANN401 -- any library's series
    column = np.full(n, float(values)) if isinstance(values, int | float) else unpack(values).values
    if len(column) != n:
        raise ValueError(f"{n} values and {len(column)} beside them: one a value is needed")
    return column


def _spread(flags: NDArray[np.int8]) -> NDArray[np.int8]:
    """Give the last verdict to every value."""
    there = np.flatnonzero(flags != MISSING)
    spread: NDArray[np.int8] = np.where(flags == MISSING, flags, flags[there[-1]] if len(there) else NOT_EVALUATED)
    return spread


def _rolled_up(tests: Mapping[str, NDArray[np.int8]], n: int) -> NDArray[np.int8]:
    """Return the roll-up by `ioos_qc`'s rule."""
    rolled = np.full(n, MISSING if tests else NOT_EVALUATED, np.int8)
    for flag in (NOT_EVALUATED, PASS, SUSPECT, FAIL):
        for flags in tests.values():
            rolled[flags == flag] = flag
    return rolled
