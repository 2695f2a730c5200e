"""Where things stand in the kernel's tables. Constants and the names of columns only: the kernel compiles them in.

The state of a Datastream is one stretch of 8-byte words, seen as int64, float64 or bytes at once, that begins at a
cache line. Its first line is all that a series which moves and passes costs::

    word  0 NEWEST    µs of the newest row (NO_TIME: none yet)
          1 LAST      where the last value stands: µs, or µm along a cast
          2 LAST2     where the value before it stands (NO_TIME: none since the record began)
          3 X1        last value
          4 X2        the value before it
          5 OPEN_ID   id of the row whose verdict is open
          6 WHERE     its batch (high half) and its row there (low half)
          7 BITS      what is known, and the summary of the open row's other tests

Behind it, by the program: the digits of the open row where they are not all PASS, then what single tests keep
(`QUEUE_WORDS` for a flat line, `WINDOW_WORDS` for a test over a time, `PLACE_WORDS` for a location). Points of queues
and windows lie in one pool and grow there.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

# state of a Datastream
NEWEST: Final = 0
LAST: Final = 1
LAST2: Final = 2
X1: Final = 3
X2: Final = 4
OPEN_ID: Final = 5
WHERE: Final = 6
BITS: Final = 7
DIGITS: Final = 8
LINE: Final = 8
"""Words of a cache line; the stretch of a Datastream is a multiple of it."""

# BITS
KNOWN: Final = 1  # a last value is known
NEXT: Final = 2  # the newest row has it
OPEN: Final = 4  # a verdict is open
FLANKED: Final = 8  # the open row has a value right before it
DIRECTION: Final = 4  # shift: 0 not known, 1 down, 2 up the cast
SUMMARY: Final = 8  # shift: outcomes of the open row's other tests
LIVE: Final = 32  # shift: a bit for each flat-line test whose queue is not empty
KEPT_BITS: Final = ~((1 << LIVE) - 1)
MOST_TESTS: Final = 64
MOST_FLAT: Final = 16

# streams: one row a Datastream
PROGRAM: Final = 0
SCHEME: Final = 1
PLACE: Final = 2  # its line in the state

# programs: one row a profile in a unit
START: Final = 0
COUNT: Final = 1
RULE: Final = 2
RESTART: Final = 3  # µs: a longer step starts every sequence test anew
LATE: Final = 4  # its first slot that the next row settles, or its count where it has none
EARLIEST: Final = 5  # µs: an earlier row, or one after LATEST, has an impossible date and moves no state
LATEST: Final = 6
FUTURE: Final = 7  # µs after the reception that a row may be dated
ALONG: Final = 8  # 1: rows follow each other down a cast, by depth
SPACE: Final = 9  # words of state
ROOM: Final = 10  # words of pool that one Datastream's windows may ever ask for
WANTS: Final = 11  # what its tests read (`qartod.definition.Wants`)
FETCH: Final = 12  # a bit for each line of the state that most rows touch
PROGRAM_COLUMNS: Final = 13
NEVER: Final = 1 << 62

# slots: one row a test of a program
KIND: Final = 0
REQUIRED: Final = 1
KEPT: Final = 2  # word of the Datastream's state where the test keeps its own
FIRST_ROW: Final = 3  # of its rows in `Tables.rows`
ROWS: Final = 4
BIT: Final = 5  # of `LIVE`
SLOT_COLUMNS: Final = 6
NUMBERS: Final = 8
TABLE_COLUMNS: Final = 10

# what a flat-line test keeps
BLOCKER: Final = 0  # where the newest value stands that does not belong to the run (NO_TIME: none)
BEGIN: Final = 1  # where the first value stands since the record began
LOW: Final = 2  # word of the pool where the queue of minima begins; the queue of maxima follows it
ROOMS: Final = 3  # points a queue has room for, a power of two
LOW_HEAD: Final = 4
LOW_LENGTH: Final = 5
HIGH_HEAD: Final = 6
HIGH_LENGTH: Final = 7
QUEUE_WORDS: Final = 8
MOST_POINTS: Final = 1024  # extremes remembered; see qartod/flat_line.py for what happens past them
POINT: Final = 2  # words of a point in a queue: where, value

# what a test over a time keeps: a line that a row touches which only adds to the open bucket,
UNTIL: Final = 0  # µs: a row before only adds (NO_TIME: the window is empty)
COUNTS: Final = (
    1  # values in the open bucket, from bit 31 on in the closed ones, from bit 62 on whether it reaches back
)
BUCKET: Final = 2  # two sums of the open bucket
ASIDE: Final = 4  # two sums of all closed buckets in the window, as if what SHIFT holds were subtracted there
SHIFT: Final = 6  # what was subtracted from each value of the open bucket before summing
FINAL: Final = 7  # µs of the last value of the open bucket
# and the rest
FIRST: Final = 8  # µs of the first value of the open bucket (NO_TIME: the window is empty)
OLDEST: Final = 9  # µs of the last value of the oldest closed bucket (NEVER: there is none)
SINCE: Final = 10  # µs of the first value since the window was last empty
HEAD: Final = 11
LENGTH: Final = 12
FRONT: Final = 13  # buckets at the head whose sums already hold those behind them
BUCKETS: Final = 14  # buckets it has room for, a power of two
RING: Final = 15  # word of the pool where its buckets begin
ANCHOR: Final = 16  # what was subtracted from the values of closed buckets
REST: Final = 17  # two sums of all closed buckets in the window
BACK: Final = 19  # three sums of those behind the front
WINDOW_WORDS: Final = 24
BUCKET_WORDS: Final = 4  # µs of its last value, three sums
FEW: Final = 4  # points or buckets there is room for at first

# what a location test keeps
PLACE_WORDS: Final = 2

NOT_WATER: Final = 16
"""Bit of a mark's outcome that says: this was no measurement of the water."""

BLOCK: Final = 512
"""Rows judged at a time: their columns stay in the processor's first cache."""

RUN: Final = 8192
"""Rows of a plain run judged at a time: its columns are those of the batch."""

# columns of a block: `Scratch.numbers` ...
X: Final = 0
LAST_X: Final = 1
BEFORE_X: Final = 2
# ... and `Scratch.whole`
T: Final = 0
LAST_T: Final = 1
BEFORE_T: Final = 2
STEP: Final = 3
BASE: Final = 4
EARLIER: Final = 5  # where the row stands whose verdict this one brings
ROW: Final = 6  # its row in the batch
PROGRAM_OF: Final = 7
STREAM: Final = 8
AT: Final = 9  # where a row of the batch stands in the block, grouped by program
FOUND: Final = 10  # the state of a row's Datastream, in the order of arrival
WAY: Final = 11  # 1 down the cast, -1 up, 0 where no value is right before
WHOLE_COLUMNS: Final = 12

# `Scratch.status`
PRESENT: Final = 1  # there is a value
IN_ORDER: Final = 2  # it moves the state
LINKED: Final = 4  # a last value is known
STEPPED: Final = 8  # there is a row before
HERE: Final = 16  # it brings a verdict for a row of this block,
BATCH: Final = 32  # of this batch,
SETTLED: Final = 64  # or of an earlier batch
OPENED: Final = 128  # its own verdict is open when the block ends
SPIKED: Final = 1 << 24
"""Bit of `Scratch.earlier`: the row that waits can be judged for a spike."""


class Rows(NamedTuple):
    """The columns of a batch. An array without elements stands for a column that says nothing for any row."""

    datastream: NDArray[Any]  # int32; one element: all rows are of that Datastream
    time: NDArray[Any]
    result: NDArray[Any]
    id: NDArray[Any]  # empty: the row's number
    supersedes: NDArray[Any]
    water: NDArray[Any]
    mark: NDArray[Any]
    mark_flags: NDArray[Any]
    depth: NDArray[Any]
    latitude: NDArray[Any]
    longitude: NDArray[Any]
    syntax: NDArray[Any]


class Tables(NamedTuple):
    """Programs, and where Datastreams stand."""

    lookup: NDArray[Any]
    streams: NDArray[Any]
    programs: NDArray[Any]
    slots: NDArray[Any]
    numbers: NDArray[Any]
    rows: NDArray[Any]


class Memory(NamedTuple):
    """State and pool, each under the names of its types."""

    words: NDArray[Any]
    values: NDArray[Any]
    octets: NDArray[Any]
    pool: NDArray[Any]
    pool_values: NDArray[Any]
    used: NDArray[Any]  # words of the pool in use


class Written(NamedTuple):
    """What a walk writes: flags of the rows, a column a test, and flags of rows of earlier batches, a row each."""

    flags: NDArray[Any]
    spans: NDArray[Any]
    quality: NDArray[Any]
    settled_id: NDArray[Any]
    settled_flags: NDArray[Any]
    settled_spans: NDArray[Any]
    settled_quality: NDArray[Any]
    settled: NDArray[Any]  # how many
    entered: NDArray[Any]  # how rows stand (`PRESENT`, `IN_ORDER`, `LINKED`); empty where nobody asks


class Scratch(NamedTuple):
    """The columns of one block."""

    numbers: NDArray[Any]
    whole: NDArray[Any]
    status: NDArray[Any]
    mark: NDArray[Any]
    flags: NDArray[Any]
    verdicts: NDArray[Any]  # of one late test
    own: NDArray[Any]  # summaries of what the row itself settles,
    late: NDArray[Any]  # of what the next row settles,
    earlier: NDArray[Any]  # and of the row that this one settles
    place: NDArray[Any]  # rows counted by program
    any_of: NDArray[Any]  # outcomes of a run, by their bits
    counted: NDArray[Any]  # what windows hold: how many values,
    spread: NDArray[Any]  # how far they spread,
    since: NDArray[Any]  # and since when; room for numbers of rows, too
    full: NDArray[Any]  # status of a plain run: everything is there
    moves: NDArray[Any]  # whether values leave the last ones, for flat lines
