"""What the tests mean, written as slowly and as plainly as possible, from all rows at once."""

from __future__ import annotations

import math

from nilometer.qc.profile import Profile

FLAGS = {"N": 1, "F": 9, "M": 4, "S": 3, "D": 4, "C": 4, "T": 3, "B": 9}
UNIT_SCALE = {"degree_Celsius": (1.0, 0.0), "degree_Fahrenheit": (1.8, 32.0)}


def judge(profile: Profile, rows, water, marked):  # noqa: C901 -- the whole meaning on one page
    """Outcome of each test and roll-up of the rows of one Datastream, in arrival order."""
    answers = []
    record = []  # (row, time, value or None) of rows in order, since the last gap
    newest = None
    waiting = None
    for k, ((_, t, value, ident, supersedes, mark), is_water) in enumerate(zip(rows, water, strict=True)):
        said = FLAGS.get(mark, 2) if marked and mark else (2 if marked or mark else 1)
        present = math.isfinite(value) and said != 9
        in_order = is_water and not supersedes and not (marked and mark == "C") and (newest is None or t > newest)
        first = newest is None
        step = 0 if first or not in_order else t - newest
        if in_order:
            limits = [s * 1e6 for p in profile.tests if p.kind == "gap" for s in p.parameters.values()]
            if limits and step > min(limits):
                record, waiting = [], None
            if waiting is not None and present:
                x0, x1 = record[-2][2], record[-1][2]
                for slot, test in enumerate(profile.tests):
                    if test.kind == "spike":
                        answers[waiting][slot] = spike(x0, x1, value, test.parameters)
            waiting = None
        elif supersedes and waiting is not None and rows[waiting][3] == ident:
            waiting = None
        if in_order:
            record.append((k, t, value if present else None))
            newest = t
        answer = []
        for test in profile.tests:
            p = test.parameters
            if test.kind == "gap":
                answer.append(2 if not in_order or first else level(step, p, 1e6))
            elif test.kind == "mark":
                answer.append(said)
            elif not present:
                answer.append(9)
            elif test.kind == "gross_range":
                answer.append(span(value, p))
            elif not in_order or test.kind == "spike":
                answer.append(2)
            elif test.kind == "rate_of_change":
                last = [row for row in record[:-1] if row[2] is not None][-1:]
                rate = [abs((value - row[2]) / ((t - row[1]) / 1e6)) for row in last]
                answer.append(level(rate[0], p, 1 / p["per"]) if rate else 2)
            elif test.kind == "flat_line":
                answer.append(flat(record, p))
        answers.append(answer)
        if in_order and present and len(record) > 1 and record[-2][2] is not None:
            waiting = k
    return answers


def level(size, p, scale):
    if size > p.get("fail", math.inf) * scale:
        return 4
    return 3 if size > p.get("suspect", math.inf) * scale else 1


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
    return level(size, p, 1)


def flat(record, p):
    def window(seconds):
        now = record[-1][1]
        there = [row for row in record if row[2] is not None]
        inside = [row[2] for row in there if now - row[1] <= seconds * 1e6]
        if max(inside) - min(inside) >= p["tolerance"]:
            return 1
        if len(inside) < 2:
            return 2
        return 4 if now - there[0][1] >= seconds * 1e6 else 2

    if "fail" in p:
        outcome = window(p["fail"])
        if outcome == 4 or "suspect" not in p:
            return outcome
    outcome = window(p["suspect"])
    return 3 if outcome == 4 else outcome


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
