"""Where things stand in the kernel's tables. Constants only: the kernel compiles them in.

One row of `state` is 128 bytes, seen as 16 int64, 16 float64 or 128 bytes at once, so that a Datastream met out of
order
costs two cache lines and not one per field::

    int64     0 newest        µs of the newest row (NO_TIME: none yet)
              1 last_time     µs of the last value that is there
              2 seen          bit 0: a last value is known; bit 1: the newest row has it
              3 pending       0, or `OPEN` and a summary of its other tests: the newest row waits for its spike verdict
              4 pending_id    its id
              5 pending_row   its row in the batch that `pending_epoch` numbers
              6 pending_epoch
              7 spare
    float64   8 x1            last value
              9 x2            the value before it
    bytes    80 …127          the digits of the pending row's tests: at most 48 tests in a profile
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BASE",
    "BLOCKER",
    "CAPACITY",
    "COUNT",
    "DIGITS",
    "HIGH_HEAD",
    "HIGH_LENGTH",
    "KIND",
    "LAST_TIME",
    "LOW_HEAD",
    "LOW_LENGTH",
    "MOST_POINTS",
    "MOST_TESTS",
    "NEVER",
    "NEWEST",
    "NOT_WATER",
    "OPEN",
    "PENDING",
    "PENDING_EPOCH",
    "PENDING_ID",
    "PENDING_ROW",
    "PROGRAM",
    "REQUIRED",
    "RESTART",
    "RULE",
    "SCHEME",
    "SEEN",
    "SPIKES",
    "START",
    "STATE_WIDTH",
    "WINDOW",
    "WINDOWS",
    "WINDOW_START",
    "X1",
    "X2",
]

# state
NEWEST: Final = 0
LAST_TIME: Final = 1
SEEN: Final = 2
PENDING: Final = 3
PENDING_ID: Final = 4
PENDING_ROW: Final = 5
PENDING_EPOCH: Final = 6
X1: Final = 8
X2: Final = 9
DIGITS: Final = 80
STATE_WIDTH: Final = 16
MOST_TESTS: Final = 48

# streams: one row a Datastream
PROGRAM: Final = 0
SCHEME: Final = 1
WINDOW: Final = 2  # its first window; slots count on from there

# programs: one row a profile in a unit
START: Final = 0
COUNT: Final = 1
RULE: Final = 2
RESTART: Final = 3  # µs: a longer step starts every sequence test anew
SPIKES: Final = 4  # its first spike slot, or its count where it has none
WINDOWS: Final = 5
NEVER: Final = 1 << 62

# slots: one row a test of a program
KIND: Final = 0
REQUIRED: Final = 1
# slots[:, 2] is the slot's window, counted from its Datastream's first (`WINDOW`)

# windows: one row a flat-line test of a Datastream
BASE: Final = 0
CAPACITY: Final = 1  # a power of two
LOW_HEAD: Final = 2
LOW_LENGTH: Final = 3
HIGH_HEAD: Final = 4
HIGH_LENGTH: Final = 5
BLOCKER: Final = 6  # µs of the newest point that does not belong to the run (NO_TIME: none)
WINDOW_START: Final = 7  # µs of the first point since the record began (NO_TIME: none)
MOST_POINTS: Final = 1024  # extremes remembered; see qartod/flat_line.py for what happens past them

OPEN: Final = 1 << 20
"""Bit of `PENDING`: a verdict is open."""

NOT_WATER: Final = 16
"""Bit of a mark's outcome that says: this was no measurement of the water."""
