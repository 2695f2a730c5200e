"""What `nilometer qc` says of a file: how many values each test flagged, and whether a pipeline should stop."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nilometer.acquisition.formats.recording import Recording, RecordingColumn
    from nilometer.qc import CheckResult

__all__ = ["LEVELS", "JudgedColumn", "show", "stop_on", "summary"]

LEVELS = ("suspect", "fail", "missing")


@dataclass(frozen=True, slots=True)
class JudgedColumn:
    """One column with its flags, or with the reason why it has none."""

    part: RecordingColumn
    values: NDArray[Any]
    result: CheckResult | None
    reason: str = ""


def summary(recording: Recording, judged: list[JudgedColumn]) -> dict[str, Any]:
    """Return what `--json` prints: the file, and for each column its profile and the flags of each test."""
    import numpy as np

    from nilometer.model import QartodFlag

    def counted(flags: Any) -> dict[str, int]:  # noqa: ANN401 -- an array
        return {flag.name: int((np.asarray(flags) == flag).sum()) for flag in QartodFlag}

    first, last = (str(time.astype("datetime64[us]").astype("datetime64[s]")) for time in recording.times[[0, -1]])
    columns: list[dict[str, Any]] = []
    for one in judged:
        about = {"column": one.part.name, "property": one.part.observed_property, "unit": one.part.unit}
        if one.result is None:
            columns.append({**about, "profile": None, "reason": one.reason})
            continue
        made_by = one.result.profile
        columns.append(
            {
                **about,
                "profile": {"name": made_by.name, "version": made_by.version, "digest": made_by.digest},
                "flags": counted(one.result.flags),
                "tests": {test: counted(outcome) for test, outcome in one.result.tests.items()},
            }
        )
    rows = len(recording.times)
    return {"file": str(recording.path), "rows": rows, "first": f"{first}Z", "last": f"{last}Z", "columns": columns}


def show(told: dict[str, Any]) -> None:
    """Print a row for each column and each of its tests."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    head = f"{told['file']}: {told['rows']} rows, {told['first']} to {told['last']}"
    console.print(head, highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("column / test", overflow="fold")
    for name in ("suspect", "fail", "missing", "not eval.", "pass"):
        table.add_column(name, justify="right")
    for line in told["columns"]:
        if line["profile"] is None:
            continue
        passed = line["flags"]["PASS"]
        # 99.98 % is not all: the whole hundred is written only where it is so.
        share = "100%" if passed == told["rows"] else f"{min(passed / told['rows'], 0.999):.1%}"
        name = f"{line['column']} ({line['profile']['name']} {line['profile']['version']})"
        table.add_row(name, *_cells(line["flags"]), share, style="bold")
        for test, counts in line["tests"].items():
            table.add_row(f"  {test}", *_cells(counts), "")
    console.print(table)
    for line in told["columns"]:
        if line["profile"] is None:
            console.print(f"{line['column']}: not judged, {line['reason']}", highlight=False, markup=False)


def _cells(counts: dict[str, int]) -> list[str]:
    return [str(counts[flag] or "·") for flag in ("SUSPECT", "FAIL", "MISSING", "NOT_EVALUATED")]


def stop_on(fail_on: Collection[str], told: dict[str, Any]) -> None:
    """End with status 1 when values of a level, or worse, were found, or for `missing` a column without any value."""
    judged = [line for line in told["columns"] if line["profile"]]
    reasons = []
    levels = ["SUSPECT", "FAIL"] if "suspect" in fail_on else ["FAIL"] if "fail" in fail_on else []
    found = sum(line["flags"][level] for line in judged for level in levels)
    if found:
        reasons.append(f"{found} values are {' or '.join(levels)}")
    if "missing" in fail_on:
        empty = [line["column"] for line in judged if line["flags"]["MISSING"] == told["rows"]]
        reasons += [f"every value of {column} is MISSING" for column in empty]
    for reason in reasons:
        typer.echo(reason, err=True)
    if reasons:
        raise typer.Exit(1)
