"""Rating tables of others: points of stage and discharge, and what lies between them by logarithms.

Between two points a logarithmic table is a power law, ``ln Q`` straight in ``ln(h - e)`` with the table's offset e; so
it becomes a `RatingCurve` of as many segments. Reads the RDB files of the USGS (their *expanded* or *base* ratings).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from nilometer.derivation.rating import ALWAYS, RatingCurve
from nilometer.errors import CalibrationError, ReadError
from nilometer.series import microseconds

__all__ = ["from_points", "read_usgs"]

_FIELD = re.compile(r'(\w[\w ]*?)=("[^"]*"|\S+)')


def from_points(
    stage: ArrayLike,
    discharge: ArrayLike,
    *,
    offsets: Sequence[float] = (0.0,),
    breakpoints: Sequence[float] = (),
    station: str = "",
    source: str = "",
    valid_from: int = ALWAYS,
    unit_stage: str = "m",
    unit_discharge: str = "m3 s-1",
) -> RatingCurve:
    """Return the curve through points, straight between them in logarithms.

    Parameters
    ----------
    stage, discharge : array_like, shape (n,)
        Both rising. The first discharge may be 0: from there to the next point the flow is proportional to the stage.
    offsets : sequence of float
        What is taken from the stage before its logarithm, one more than breakpoints.
    breakpoints : sequence of float
        Stages where the next offset begins.
    station, source, valid_from, unit_stage, unit_discharge
        As in `RatingCurve`. The gauged range and the limits are those of the table; its uncertainty is not known.

    Raises
    ------
    CalibrationError
        If the points do not rise, or an offset is not below them.

    Examples
    --------
    >>> curve = from_points([3.0, 4.0, 6.0], [10.0, 40.0, 160.0], offsets=[2.0])
    >>> curve([3.5, 6.0]).round(3).tolist()
    [22.5, 160.0]
    """
    h, q = (np.asarray(column, np.float64) for column in (stage, discharge))
    if h.shape != q.shape or h.ndim != 1 or len(h) < 2:
        raise _refusal(
            station, f"{h.shape} stages and {q.shape} discharges: two points or more are needed, of one of each"
        )
    if not (np.diff(h) > 0).all() or not (np.diff(q) > 0).all() or q[0] < 0:
        raise _refusal(station, "stage and discharge of a table rise from each point to the next")
    if len(offsets) != len(breakpoints) + 1:
        raise _refusal(station, f"{len(offsets)} offsets and {len(breakpoints)} breakpoints: one offset more is needed")
    offset = np.asarray(offsets, np.float64)[np.searchsorted(np.asarray(breakpoints, np.float64), h[:-1], side="right")]
    exponent = np.ones(len(h) - 1)
    if q[0] == 0.0:
        offset[0] = h[0]
    if (offset[int(q[0] == 0.0) :] >= h[int(q[0] == 0.0) : -1]).any():
        raise _refusal(station, "an offset lies above the lowest stage of its part: its logarithm has no meaning")
    some = slice(int(q[0] == 0.0), None)
    low, high = h[:-1][some] - offset[some], h[1:][some] - offset[some]
    exponent[some] = np.log(q[1:][some] / q[:-1][some]) / np.log(high / low)
    scale = q[1:] / (h[1:] - offset) ** exponent
    ends = (float(h[0]), float(h[-1]))
    return RatingCurve(
        start=np.concatenate([[-np.inf], h[1:-1]]), offset=offset, scale=scale, exponent=exponent, gauged_range=ends,
        limits=ends, station=station, source=source, valid_from=valid_from, unit_stage=unit_stage,
        unit_discharge=unit_discharge,
    )  # fmt: skip


def read_usgs(path: Path | str) -> RatingCurve:
    """Return the rating of a USGS file (RDB, columns INDEP and DEP).

    The table's own range is both gauged range and limits: the file says neither which part was gauged nor an
    uncertainty. A shift (column SHIFT of an expanded rating) is not applied: it is `Shift`'s.

    Parameters
    ----------
    path : path
        As the USGS water services give it.

    Raises
    ------
    ReadError
        If it is no such file.
    CalibrationError
        If its points do not rise.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    told: dict[str, str] = {}
    for line in lines:
        if line.startswith("# //"):
            kind = line[4:].split(" ", 1)[0]
            for key, value in _FIELD.findall(line[4:]):
                told.setdefault(f"{kind} {key.split()[-1]}" if kind not in key else key, value.strip('"').strip())
    table = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    if len(table) < 4 or "INDEP" not in table[0] or "DEP" not in table[0]:
        raise ReadError("this is no USGS rating: a table with the columns INDEP and DEP is expected", path=path)
    at, to = table[0].index("INDEP"), table[0].index("DEP")
    try:
        points = np.array([[float(row[at]), float(row[to])] for row in table[2:] if row[at] and row[to]])
    except (ValueError, IndexError) as error:
        raise ReadError(f"a row of the rating is no pair of numbers: {error}", path=path) from error
    expansion = told.get("RATING EXPANSION", "logarithmic")
    if expansion != "logarithmic":
        raise ReadError(f"the rating is expanded by {expansion!r}: only logarithmic ones are read", path=path)
    offsets = _numbered(told, "OFFSET") or [0.0]
    number = told.get("STATION NUMBER", path.stem)
    return from_points(
        points[:, 0], points[:, 1], offsets=offsets, breakpoints=_numbered(told, "BREAKPOINT"), station=number,
        source=f"USGS rating {told.get('RATING ID', '')}, {path.name}", valid_from=_begin(lines), unit_stage="ft",
        unit_discharge="ft3 s-1",
    )  # fmt: skip


def _numbered(told: dict[str, str], word: str) -> list[float]:
    found = []
    for number in range(1, 10):
        value = told.get(f"RATING {word}{number}")
        if value is not None:
            found.append(float(value))
    return found


def _begin(lines: Sequence[str]) -> int:
    """Return since when the rating holds: the beginning of its last period."""
    found = [
        match
        for line in lines
        if (match := re.search(r"RATING_DATETIME BEGIN=(\d{14}) BZONE=([+-]\d\d:\d\d)", line)) is not None
    ]
    if not found:
        return ALWAYS
    stamp = datetime.strptime(found[-1][1] + found[-1][2], "%Y%m%d%H%M%S%z")
    return int(microseconds([stamp])[0])


def _refusal(station: str, message: str) -> CalibrationError:
    return CalibrationError(f"rating table: {message}", sensor=station, certificate="")
