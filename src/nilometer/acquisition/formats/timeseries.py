"""Several time series of one file set side by side: a row a site and time, a column a quantity.

For formats whose files hold a list of series, each with its own times (WaterML, WaterML-JSON).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats.tables import RawTable
from nilometer.errors import ReadError

__all__ = ["Series", "side_by_side"]


@dataclass(slots=True, kw_only=True)
class Series:
    """One series: whose, of what, in which unit; texts as the file has them."""

    site: str
    name: str
    unit: str = ""
    quantity: str | None = None
    statistic: str = ""
    missing: str = ""
    times: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    qualifiers: list[str] = field(default_factory=list)


def side_by_side(series: Sequence[Series], path: Path, format_name: str, metadata: dict[str, str]) -> RawTable:
    """Return series as one table: ``time``, ``site``, values, and ``…_qualifiers``.

    Of two values of a series at one time the later in the file stands, and is said.

    Raises
    ------
    ReadError
        If there is no value in any of them.
    """
    series = [one for one in series if one.times]
    if not series:
        raise ReadError("there is not one value in it", path=path, format=format_name)
    rows: dict[tuple[str, str], int] = {}
    for one in series:
        for stamp in one.times:
            rows.setdefault((one.site, stamp), len(rows))
    labels = _labels(series)
    by_label: dict[str, list[Series]] = {}
    for one, label in zip(series, labels, strict=True):
        by_label.setdefault(label, []).append(one)
    names, columns, units = ["time", "site"], [pa.array([stamp for _, stamp in rows])], ["", ""]
    columns.append(pa.array([site for site, _ in rows]))
    twice = 0
    for label, parts in by_label.items():
        cells, marks = [""] * len(rows), [""] * len(rows)
        for one in parts:
            twice += len(one.times) - len(set(one.times))
            for at, stamp in enumerate(one.times):
                row = rows[one.site, stamp]
                cells[row] = "" if one.values[at] == one.missing else one.values[at]
                marks[row] = one.qualifiers[at] if one.qualifiers else ""
        names.append(label)
        columns.append(pa.array(cells))
        units.append(parts[0].unit)
        if any(marks):
            names.append(f"{label}_qualifiers")
            columns.append(pa.array(marks))
            units.append("")
    return RawTable(
        path=path,
        format=format_name,
        names=names,
        columns=columns,
        unit_texts=units,
        unit_source="file",
        metadata=metadata | {"station": "; ".join(dict.fromkeys(one.site for one in series if one.site))},
        notes=[f"{twice} times of a series stand twice in it: the later value is kept"] if twice else [],
        statistics={label: parts[0].statistic for label, parts in by_label.items()},
        called={label: parts[0].quantity or "·" for label, parts in by_label.items()},
        beside=["site"],
    )


def _labels(series: Sequence[Series]) -> list[str]:
    """Return a column name for each series; the second of one quantity at one site gets a number."""
    seen: dict[tuple[str, str, str], int] = {}
    labels: list[str] = []
    for one in series:
        label = f"{one.name} {one.statistic}" if one.statistic not in {"", "point"} else one.name
        kind = (one.site, label, one.unit)
        seen[kind] = seen.get(kind, 0) + 1
        other_unit = any(label == other and one.unit != unit for (_, other, unit) in seen)
        label = f"{label} [{one.unit}]" if other_unit else label
        labels.append(f"{label} ({seen[kind]})" if seen[kind] > 1 else label)
    return labels
