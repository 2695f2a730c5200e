"""What the tests mean, written as slowly and as plainly as possible, from all rows at once.

A number is compared with a threshold as the manuals write it. Where rounding decides (a standard deviation beside its
threshold), the answer is a set of flags, any of which is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from nilometer.qc.profile import Profile
from nilometer.qc.qartod.parameter import moment

FLAGS = {"N": 1, "F": 9, "M": 4, "S": 3, "D": 4, "C": 4, "T": 3, "B": 9}
UNIT_SCALE = {"degree_Celsius": (1.0, 0.0), "degree_Fahrenheit": (1.8, 32.0)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOSE = 1e-9


@dataclass
class Row:
    """One row, and what is found out about it."""

    time: int
    value: float
    id: int = 0
    supersedes: bool = False
    mark: str | None = None
    water: bool = True
    depth: float = math.nan
    latitude: float = math.nan
    longitude: float = math.nan
    syntax: int | None = None
    received: int | None = None
    said: int = 1
    present: bool = False
    in_order: bool = False
    where: int = 0  # µs, or µm along the cast the way it goes


@dataclass
class Record:
    """The rows in order since a gap, or of one cast, and the places before."""

    rows: list[Row] = field(default_factory=list)
    way: int = 0  # 1 down, -1 up

    @property
    def values(self):
        return [row for row in self.rows if row.present]


def judge(profile: Profile, rows: list[Row], marked: bool):  # noqa: C901 -- a row's life on one page
    """Outcomes of each test, a set of flags where rounding decides, of the rows of one Datastream as they arrived."""
    answers, history, record, newest, waiting, place = [], [], Record(), None, None, None
    limits = [microseconds(s) for p in profile.tests if p.kind == "gap" for s in p.parameters.values()]
    for row in rows:
        row.said = FLAGS.get(row.mark, 2) if marked and row.mark else (2 if marked or row.mark else 1)
        row.present = math.isfinite(row.value) and row.said != 9
        row.in_order = row.water and not row.supersedes and not (marked and row.mark == "C")
        row.in_order = row.in_order and not impossible(row, profile)
        along = profile.along == "depth"
        if along:
            row.in_order = row.in_order and abs(row.depth) < 1e9 and (newest is None or row.time >= newest.time)
        else:
            row.in_order = row.in_order and (newest is None or row.time > newest.time)
        step = row.time - newest.time if row.in_order and newest is not None else None
        anew = step is not None and bool(limits) and step > min(limits)
        row.where = row.time
        if along and row.in_order and row.present:
            row.where = round(row.depth * 1e6)
            if record.values and not anew:
                last = record.values[-1].where
                row.in_order = row.where != last
                step = step if row.in_order else None
                if row.in_order and record.way and (row.where > last) != (record.way > 0):
                    anew = True  # it turned: another cast
        if row.in_order:
            if anew:
                record, waiting = Record(), None
            before = record.rows[-1] if record.rows and record.rows[-1].present else None
            if along and record.values and row.present:
                record.way = 1 if row.where > record.values[-1].where else -1
            if waiting is not None and row.present:
                settle(profile, answers[waiting], record, row)
            waiting = None
        elif row.supersedes and waiting is not None and rows[waiting].id == row.id:
            waiting = None
        from_place = place
        if row.in_order:
            record.rows.append(row)
            newest = row
            if row.present:
                history = (record.values[:-1] if along else history) + [row]
            if abs(row.latitude) <= 90 and abs(row.longitude) <= 180:
                place = (row.latitude, row.longitude)
        answers.append([one(test, row, step, record, history, from_place) for test in profile.tests])
        if row.in_order and row.present and (before is not None or along):
            waiting = len(answers) - 1
    return answers


def one(test, row, step, record, history, place):  # noqa: C901 -- a table of tests
    p = test.parameters
    if test.kind == "gap":
        return 2 if step is None else level(step, p, 1e6)
    if test.kind == "mark":
        return row.said
    if test.kind == "syntax":
        return 2 if row.syntax is None else row.syntax
    if test.kind == "location":
        return location(row, p, place)
    if test.kind == "impossible_date":
        return 4 if impossible_by(row, p) else 1
    if test.kind == "data_reception":
        return 2 if row.received is None else level(row.received - row.time, p, 1e6)
    if not row.present:
        return 9
    if test.kind == "gross_range":
        return span(row.value, p)
    if test.kind == "calibration_valid":
        return doubtful(row.time, p)
    if test.kind == "climatology":
        return climatology(row, p)
    if test.kind == "percentile_range":
        low, high = p.get("span", (math.nan, math.nan))
        pad = p.get("pad", 0)
        return 2 if math.isnan(low) else (1 if low - pad <= row.value <= high + pad else 3)
    if not row.in_order or test.kind in ("spike", "multi_variate", "neighbor", "ts_curve"):
        return 2
    if test.kind == "density_inversion":
        pair = record.rows[-2:]
        return inversion(*pair, p, record.way) if len(pair) == 2 and pair[0].present else 2
    if test.kind == "rate_of_change":
        return rate(record, history, p)
    if test.kind == "flat_line":
        return flat([(row, row.where, row.value if row.present else None) for row in record.rows], p)
    assert test.kind == "attenuated_signal"
    return attenuated(history, p)


def settle(profile, answer, record, row):
    """What the next row says of the one before it."""
    for slot, test in enumerate(profile.tests):
        if test.kind == "spike" and len(record.rows) > 1 and record.rows[-2].present:
            answer[slot] = spike(record.rows[-2].value, record.rows[-1].value, row.value, test.parameters)
        elif test.kind == "density_inversion":
            found = inversion(record.rows[-1], row, test.parameters, record.way)
            answer[slot] = found if answer[slot] == 2 else max(answer[slot], found)


def doubtful(time, p):
    if any(moment(one["from"]) <= time and ("to" not in one or time < moment(one["to"])) for one in p["doubts"]):
        return 3
    return 1 if "since" in p and time >= moment(p["since"]) else 2


def impossible_by(row, p):
    early = "earliest" in p and row.time < moment(p["earliest"])
    late = "latest" in p and row.time > moment(p["latest"])
    return early or late or (row.received is not None and row.time - row.received > microseconds(p["future"]))


def impossible(row, profile):
    return any(impossible_by(row, test.parameters) for test in profile.tests if test.kind == "impossible_date")


def microseconds(seconds):
    return round(seconds * 1e6)


def level(size, p, scale):
    """Beyond fail is 4, beyond suspect 3; a scale of a million makes whole µs of thresholds in seconds."""
    limits = {key: p[key] * scale for key in ("suspect", "fail") if key in p}
    if scale == 1e6:
        limits = {key: round(limit) for key, limit in limits.items()}
    if size > limits.get("fail", math.inf):
        return 4
    return 3 if size > limits.get("suspect", math.inf) else 1


def span(x, p):
    for flag, key in ((4, "fail"), (3, "suspect")):
        if key in p and not p[key][0] <= x <= p[key][1]:
            return flag
    return 1


def spike(x0, x1, x2, p):
    if p["method"] == "average":
        size = abs(x1 - (x0 + x2) / 2)
    else:
        size = min(abs(x1 - x0), abs(x2 - x1)) if (x1 - x0) * (x2 - x1) < 0 else 0
    return level(size, p, 1) if size < math.inf else 2


def inversion(upper_or_earlier, later, p, way):
    """Density must not drop by more than DT on the way down."""
    return level((upper_or_earlier.value - later.value) * way, p, 1)


def location(row, p, place):
    latitude, longitude = row.latitude, row.longitude
    there = [math.isfinite(latitude), math.isfinite(longitude)]
    if not all(there):
        return 4 if any(there) else 9
    if abs(latitude) > 90 or abs(longitude) > 180:
        return 4
    if "bounds" in p:
        west, south, east, north = p["bounds"]
        inside = west <= longitude <= east if west <= east else longitude >= west or longitude <= east
        if not (inside and south <= latitude <= north):
            return 4
    origin = p.get("place", place if row.in_order else None)
    if origin is None or "displacement" not in p:
        return 1
    away = great_circle(origin, (latitude, longitude))
    if abs(away - p["displacement"]) < 1e-3:
        return {1, 3}
    return 3 if away > p["displacement"] else 1


def great_circle(one, other):
    """Metres between two places, by the angle between their unit vectors."""

    def vector(place):
        north, east = math.radians(place[0]), math.radians(place[1])
        return (math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north))

    return 6_371_000 * 2 * math.asin(min(math.dist(vector(one), vector(other)) / 2, 1))


def climatology(row, p):
    sign = -1 if p["utc_offset"][0] == "-" else 1
    hours, minutes = p["utc_offset"][1:].split(":")
    local = EPOCH + timedelta(microseconds=row.time) + sign * timedelta(hours=int(hours), minutes=int(minutes))
    holding = [member for member in p["members"] if holds(member, row, local)]
    return span(row.value, holding[-1]) if holding else 2


def holds(member, row, local):
    if "depth" in member and not member["depth"][0] <= row.depth <= member["depth"][1]:
        return False
    if "time" not in member:
        return True
    first, last = member["time"]
    if "period" not in member:
        return moment(first) <= row.time <= moment(last)
    now = {
        "year": local.year,
        "quarter": (local.month - 1) // 3 + 1,
        "month": local.month,
        "week": local.isocalendar().week,
        "day_of_year": local.timetuple().tm_yday,
        "day_of_week": local.weekday(),
        "hour": local.hour,
    }[member["period"]]
    return first <= now <= last if first <= last else now >= first or now <= last


def flat(record, p):
    """Record: (anything, where, value or None) of the rows in order; the newest has a value."""

    def window(seconds):
        now = record[-1][1]
        there = [row for row in record if row[2] is not None]
        inside = [row[2] for row in there if abs(now - row[1]) <= microseconds(seconds)]
        if max(inside) - min(inside) >= p["tolerance"]:
            return 1
        if len(inside) < 2:
            return 2
        return 4 if abs(now - there[0][1]) >= microseconds(seconds) else 2

    if "fail" in p:
        outcome = window(p["fail"])
        if outcome == 4 or "suspect" not in p:
            return outcome
    outcome = window(p["suspect"])
    return 3 if outcome == 4 else outcome


def rate(record, history, p):
    """A change in the time (or along the depth) it took, and against the deviation of what went before."""
    if len(record.values) < 2:
        return 2
    last, row = record.values[-2:]
    change = abs(row.value - last.value)
    limits = {key: p[key] / p["per"] for key in ("suspect", "fail") if key in p}
    fixed = level(change / (abs(row.where - last.where) / 1e6), limits, 1)
    if "n_dev" not in p:
        return fixed
    judged, answers = "suspect" in p or "fail" in p, set()
    for window in windows(history[:-1], row, p["tim_dev"], p.get("points", 128)):
        if len(window) < p.get("least", 10):
            answers.add(fixed if judged else 2)
            continue
        usual = deviation(window)
        excess = change - p.get("allowance", 0) - p["n_dev"] * usual
        near = usual > 0 and abs(excess) <= CLOSE * max(map(abs, [*window, row.value, last.value]))
        answers |= {max(fixed, flag) for flag in ((1, 3) if near else (3 if excess > 0 else 1,))}
    return answers


def attenuated(history, p):
    answers = set()
    row = history[-1]
    for window in windows(history, row, p["over"], p.get("points", 128)):
        if "least" in p:
            judged = len(window) >= p["least"]
        else:
            judged = len(window) >= 2 and abs(row.where - since(history, p)) >= microseconds(p["over"])
        if not judged:
            answers.add(2)
            continue
        size = max(window) - min(window) if p["measure"] == "range" else deviation(window)
        near = 0 if p["measure"] == "range" else CLOSE * max(map(abs, window))
        for around in (size - near, size, size + near):
            answers.add(4 if around < p.get("fail", -1) else (3 if around < p.get("suspect", -1) else 1))
    return answers


def since(history, p):
    """Where the first value stands since the last time that a whole window held none before it."""
    first = history[0]
    for earlier, later in pairwise(history):
        if abs(later.where - earlier.where) >= microseconds(p["over"]):
            first = later
    return first.where


def windows(history, row, seconds, points):
    """Values less than so long before: the exact window, and where values are denser than its parts also longer ones.

    A part may keep values up to its own length past the end of the window, never part of a value, none in between.
    """
    period = microseconds(seconds)
    width = max(1, period // points)
    ages = [abs(row.where - one.where) for one in history]
    values = [one.value for one in history]
    exact = sum(age < period for age in ages)
    denser = any(0 < abs(b.where - a.where) < width for a, b in pairwise(history))
    most = sum(age < period + width for age in ages) if denser else exact
    return [values[len(values) - n :] for n in range(exact, most + 1)]


def deviation(values):
    """Of the population; the mean by exact addition."""
    if len(set(values)) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((x - mean) ** 2 for x in values) / len(values))


def roll_up(profile: Profile, answer, present):
    if profile.rollup.name == "IOOS_QC":
        return next(flag for flag in (4, 3, 1, 2, 9) if flag in answer)
    if not present:
        return 9
    for flag in (4, 3):
        if flag in answer:
            return flag
    skipped = any(flag in (2, 9) and name in profile.required for name, flag in zip(profile.names, answer, strict=True))
    return 2 if skipped or 1 not in answer else 1
