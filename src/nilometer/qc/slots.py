"""One test over a block of rows, whatever its kind: the table from kinds to the passes in `qartod`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.flags import MISSING, NOT_EVALUATED
from nilometer.qc.layout import (
    BASE,
    BIT,
    FIRST_ROW,
    KEPT,
    KIND,
    PRESENT,
    ROW,
    ROWS,
    WAY,
    Memory,
    Rows,
    Scratch,
    Tables,
)
from nilometer.qc.qartod.attenuated_signal import flag_attenuated_signal
from nilometer.qc.qartod.calibration_valid import flag_calibration_valid
from nilometer.qc.qartod.climatology import flag_climatology
from nilometer.qc.qartod.dates import flag_data_reception, flag_impossible_date
from nilometer.qc.qartod.definition import Kind
from nilometer.qc.qartod.density_inversion import flag_density_inversion
from nilometer.qc.qartod.flat_line import flag_flat_line
from nilometer.qc.qartod.gap import flag_gap
from nilometer.qc.qartod.gross_range import flag_gross_range
from nilometer.qc.qartod.location import flag_location
from nilometer.qc.qartod.rate_of_change import flag_rate_of_change, flag_rate_of_deviation

__all__ = ["flag_slot"]

_GAP = int(Kind.GAP)
_SYNTAX = int(Kind.SYNTAX)
_LOCATION = int(Kind.LOCATION)
_GROSS_RANGE = int(Kind.GROSS_RANGE)
_CLIMATOLOGY = int(Kind.CLIMATOLOGY)
_RATE_OF_CHANGE = int(Kind.RATE_OF_CHANGE)
_FLAT_LINE = int(Kind.FLAT_LINE)
_ATTENUATED_SIGNAL = int(Kind.ATTENUATED_SIGNAL)
_DENSITY_INVERSION = int(Kind.DENSITY_INVERSION)
_DATA_RECEPTION = int(Kind.DATA_RECEPTION)
_IMPOSSIBLE_DATE = int(Kind.IMPOSSIBLE_DATE)
_PERCENTILE_RANGE = int(Kind.PERCENTILE_RANGE)
_RATE_OF_DEVIATION = int(Kind.RATE_OF_DEVIATION)
_MARK = int(Kind.MARK)
_CALIBRATION_VALID = int(Kind.CALIBRATION_VALID)


@inlined
def flag_slot(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    before_t: NDArray[np.int64],
    step: NDArray[np.int64],
    status: NDArray[np.uint8],
    a: int,
    g: int,
    received: int,
    rows: Rows,
    tables: Tables,
    memory: Memory,
    scratch: Scratch,
) -> None:
    """Write the outcomes of slot `g` for the rows from place `a` on."""
    kind = tables.slots[g, KIND]
    numbers = tables.numbers[g]
    kept = tables.slots[g, KEPT]
    b = a + flags.size
    if kind == _GROSS_RANGE or kind == _PERCENTILE_RANGE:
        flag_gross_range(flags, x, status, numbers)
    elif kind == _RATE_OF_CHANGE:
        flag_rate_of_change(flags, x, last, t, last_t, status, numbers)
    elif kind == _FLAT_LINE:
        bit = tables.slots[g, BIT]
        base = scratch.whole[BASE][a:b]
        flag_flat_line(flags, x, last, t, last_t, before_t, status, base, kept, bit, memory, numbers, scratch.moves)
    elif kind == _GAP:
        flag_gap(flags, step, status, numbers)
    elif kind == _ATTENUATED_SIGNAL:
        base = scratch.whole[BASE][a:b]
        flag_attenuated_signal(
            flags, x, t, last_t, status, base, kept, memory, numbers, scratch.counted, scratch.spread, scratch.since
        )
    elif kind == _RATE_OF_DEVIATION:
        base = scratch.whole[BASE][a:b]
        flag_rate_of_deviation(
            flags, x, last, t, last_t, status, base, kept, memory, numbers,
            scratch.counted, scratch.spread, scratch.since,
        )  # fmt: skip
    elif kind == _CLIMATOLOGY:
        members = tables.rows[tables.slots[g, FIRST_ROW] : tables.slots[g, FIRST_ROW] + tables.slots[g, ROWS]]
        row, times = scratch.whole[ROW][a:b], scratch.since[: flags.size]
        for k in range(flags.size):
            times[k] = rows.time[row[k]]
        flag_climatology(flags, x, times, row, rows.depth, status, numbers, members)
    elif kind == _MARK:
        flags[:] = scratch.mark[a:b]
    elif kind == _LOCATION:
        row, base = scratch.whole[ROW][a:b], scratch.whole[BASE][a:b]
        flag_location(flags, row, rows.latitude, rows.longitude, status, base, kept, memory, numbers)
    elif kind == _SYNTAX:
        _said(flags, rows.syntax, scratch.whole[ROW][a:b])
    elif kind == _IMPOSSIBLE_DATE:
        flag_impossible_date(flags, scratch.whole[ROW][a:b], rows.time, received, numbers)
    elif kind == _DATA_RECEPTION:
        flag_data_reception(flags, scratch.whole[ROW][a:b], rows.time, received, numbers)
    elif kind == _CALIBRATION_VALID:
        doubts = tables.rows[tables.slots[g, FIRST_ROW] : tables.slots[g, FIRST_ROW] + tables.slots[g, ROWS]]
        flag_calibration_valid(flags, status, scratch.whole[ROW][a:b], rows.time, numbers, doubts)
    elif kind == _DENSITY_INVERSION:
        flag_density_inversion(flags, x, last, scratch.whole[WAY][a:b], status, numbers)
    else:
        leave_unjudged(flags, status)


@compiled
def leave_unjudged(flags: NDArray[np.uint8], status: NDArray[np.uint8]) -> None:
    for k in range(flags.size):
        flags[k] = np.uint8(NOT_EVALUATED) if status[k] & PRESENT else np.uint8(MISSING)


@compiled
def _said(flags: NDArray[np.uint8], said: NDArray[np.uint8], row: NDArray[np.int64]) -> None:
    for k in range(flags.size):
        flags[k] = said[row[k]] if said.size else np.uint8(NOT_EVALUATED)
