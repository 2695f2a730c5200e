"""What rollups have to be, counted row by row in plain Python from what `read` shows."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nilometer.model.schemas import ROLLUP

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FLAGS = {1: "pass", 2: "not_evaluated", 3: "suspect", 4: "fail", 9: "missing"}


def span_start(moment, span, zone):
    """The start of the hour of UTC or of the local day of a moment."""
    if span == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    return datetime(*moment.astimezone(ZoneInfo(zone)).timetuple()[:3], tzinfo=ZoneInfo(zone)).astimezone(UTC)


def rolled(table, span, zone="UTC", mean="arithmetic", own=0.0):
    """Rows of one Datastream, as `read` gives them, as rows of ROLLUP without `end`."""
    spans = {}
    for row in table.to_pylist():
        row["phenomenon_time"] = row["phenomenon_time"].astimezone(UTC)
        spans.setdefault(span_start(row["phenomenon_time"], span, zone), []).append(row)
    return [_one(start, rows, mean, own) for start, rows in sorted(spans.items())]


def _one(start, rows, mean, own):
    found = {"datastream": rows[0]["datastream"], "start": start, "count": len(rows)}
    found |= {name: sum(row["result_quality"] == flag for row in rows) for flag, name in FLAGS.items()}
    there = [row for row in rows if row["result"] is not None]
    enters = [row for row in there if row["result_quality"] < 4]
    for which, suspect in (("good", False), ("suspect", True)):
        mine = [row for row in enters if (row["result_quality"] == 3) == suspect]
        below = [row["result"] for row in mine if row["censored"] == -1]
        values = [row["result"] for row in mine]
        known = [
            row
            for row in mine
            if row.get("result_uncertainty") is not None and row["censored"] in (None, 0) and mean != "circular"
        ]
        weights = [10.0 ** -row["result"] if mean == "hydrogen_ion" else 1.0 for row in known]
        spreads = [(row["result_uncertainty"], min(own, row["result_uncertainty"])) for row in known]
        found |= {
            f"n_u_{which}": len(known),
            f"sum_u_{which}": math.fsum(
                w * math.sqrt(u * u - r * r) for w, (u, r) in zip(weights, spreads, strict=True)
            ),
            f"sum_r2_{which}": math.fsum((w * r) ** 2 for w, (_, r) in zip(weights, spreads, strict=True)),
            f"n_{which}": len(mine),
            f"below_{which}": len(below),
            f"above_{which}": sum(row["censored"] == 1 for row in mine),
            f"sum_{which}": math.fsum(values),
            f"sum_below_{which}": math.fsum(below),
            f"sum_h_{which}": math.fsum(10.0**-x for x in values) if mean == "hydrogen_ion" else None,
            f"sum_sin_{which}": math.fsum(math.sin(math.radians(x)) for x in values) if mean == "circular" else None,
            f"sum_cos_{which}": math.fsum(math.cos(math.radians(x)) for x in values) if mean == "circular" else None,
        }
    ends = {"min": (enters, min), "max": (enters, max), "lowest": (there, min), "highest": (there, max)}
    for name, (which, choose) in ends.items():
        found |= _named(name, choose(which, key=lambda row: row["result"], default=None))
    found |= _named("first", enters[0] if enters else None)
    return found | _named("last", enters[-1] if enters else None)


def _named(name, row):
    return {name: row and row["result"], f"{name}_time": row and row["phenomenon_time"]}


def same(found, wanted):
    """Compare rollups with those counted in Python: exactly, but for the last bits of sums."""
    assert found.schema == ROLLUP
    rows = found.to_pylist()
    assert len(rows) == len(wanted)
    for row, right in zip(rows, wanted, strict=True):
        assert row["start"] < row["end"] <= row["start"] + timedelta(hours=25)
        assert set(row) - {"end"} == set(right)
        for name, value in right.items():
            if name.startswith("sum") and value is not None:
                # A difference of squares that are nearly the same keeps half of the digits.
                close = 1e-7 if name.startswith("sum_u") else 1e-12
                assert math.isclose(row[name], value, rel_tol=close, abs_tol=1e-9), name
            else:
                assert row[name] == value, name
