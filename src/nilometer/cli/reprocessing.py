"""``nilometer reprocess``: stored rows calibrated, derived and judged again, and what moved; by a server or not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["register"]

_LOOK_S = 0.1
_Told = Callable[[int, int], None]


def reprocess(
    datastreams: Annotated[list[str] | None, typer.Argument(help="Keys of Datastreams; default: all.")] = None,
    *,
    data: Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")],
    start: Annotated[str | None, typer.Option(help="ISO 8601 with Z or an offset; inclusive.")] = None,
    end: Annotated[str | None, typer.Option(help="ISO 8601 with Z or an offset; exclusive.")] = None,
    what: Annotated[str, typer.Option(help="What is done anew, by commas.")] = "calibration,qc,derivation",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where somebody has signed.")] = False,
    changes: Annotated[Path | None, typer.Option(help="Every changed row: FILE.csv or FILE.parquet.")] = None,
    by: Annotated[str, typer.Option(help="Who does it, for the audit trail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Recompute stored rows with the calibrations, definitions and profiles of today; what differs becomes a revision.

    Raw results never change, the manual review stands over the new rows, and as of an earlier moment everything is as
    it was. Cut short, the same command goes on.

    Example: nilometer reprocess mill/ph --data station --start 2024-03-01T00:00Z --dry-run
    """
    from nilometer.cli.review_door import ask
    from nilometer.errors import ConfigError

    if changes is not None and changes.suffix not in {".csv", ".parquet"}:
        raise ConfigError("--changes", seen=str(changes), allowed=["FILE.csv", "FILE.parquet"])
    order = {
        "datastreams": datastreams or [],
        "start": start,
        "end": end,
        "what": [part.strip() for part in what.split(",") if part.strip()],
        "dry_run": dry_run,
        "force": force,
        "changes": changes is not None,
        "by": by,
    }

    def through(door: Any) -> dict[str, Any]:  # noqa: ANN401 -- a client, or a pipeline of our own with its calls
        with _progress() as told:
            report = _followed(door, order, told)
        if changes is not None:
            _write_changes(door.reprocess_changes(), changes)
        return report

    report = ask(data, through)
    if as_json:
        import json

        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    _show(report)
    if changes is not None:
        typer.echo(f"{changes}: every changed row")


def _followed(door: Any, order: dict[str, Any], told: _Told) -> dict[str, Any]:  # noqa: ANN401 -- as above
    from nilometer.errors import StoreError

    state = door.reprocess(**order)
    while state["running"]:
        told(state["rows"], state["of"])
        time.sleep(_LOOK_S)
        state = door.reprocessing()
    if state["report"] is None:
        raise StoreError(state["error"] or "the server was stopped meanwhile; the same command goes on from there")
    report: dict[str, Any] = state["report"]
    return report


def _write_changes(content: bytes, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    if target.suffix == ".parquet":
        target.write_bytes(content)
    else:
        pc.write_csv(pq.read_table(pa.BufferReader(content)), target)


@contextmanager
def _progress() -> Iterator[_Told]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("reprocessing", total=None)

        def told(rows: int, of: int) -> None:
            bar.update(task, completed=rows, total=of or None)

        yield told


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe or a file has no edge to cut at
        console.width = 10_000
    console.print(_rows(report))
    for part in report["datastreams"]:
        for line in _details(part):
            console.print(f"{part['datastream']}: {line}", soft_wrap=True, markup=False)
    done = "would be" if report["dry_run"] else "were"
    typer.echo(
        f"{report['rows']} rows read, {report['unchanged']} unchanged; {report['revised']} {done} revised, "
        f"{report['restated']} {done} given their new provenance alone"
        + (f"; {report['added']} {done} added" if report["added"] else "")
        + (f"; {report['signed']} signed rows stay (--force)" if report["signed"] else "")
        + (f"; {report['changed_meanwhile']} changed meanwhile: run it again" if report["changed_meanwhile"] else "")
    )
    if report["since"] is not None:
        typer.echo(f"as of before {report['since']} everything is as it was")


def _rows(report: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("datastream", overflow="fold")
    heads = ("rows", "unchanged", "revised", "restated", "max", "mean", "median", "median %", "largest at")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for part in report["datastreams"]:
        absolute, relative = part["result"]["absolute"], part["result"]["relative"]
        numbers = ["·"] * 3 if absolute is None else [f"{absolute[name]:.4g}" for name in ("max", "mean", "median")]
        percent = "·" if relative is None else f"{100 * relative['median']:.3g}"
        when = "·" if absolute is None else absolute["when"]
        counts = [str(part[name]) for name in ("rows", "unchanged", "revised", "restated")]
        table.add_row(part["datastream"], *counts, *numbers, percent, when)
    return table


def _details(part: dict[str, Any]) -> Iterator[str]:
    for name in ("calibrations", "profiles", "definitions"):
        for one in part[name]:
            yield f"{name[:-1]} {_named(one['old'])} → {_named(one['new'])}: {one['rows']} rows"
    for one in part["flags"]:
        if one["old"] != one["new"]:
            yield f"flag {one['old']} → {one['new']}: {one['rows']} rows"
    uncertainty = part["uncertainty"]
    if uncertainty["changed"]:
        absolute = uncertainty["absolute"]
        most = "" if absolute is None else f", by {absolute['max']:.2g} at most"
        yield f"uncertainty (k = 1): {uncertainty['changed']} rows{most}"
    if part["added"]:
        yield f"new: {part['added']} rows that were not derived before"
    if part["first"] is not None:
        yield f"from {part['first']} to {part['last']}"


def _named(one: dict[str, Any] | None) -> str:
    if one is None:
        return "none"
    words = [str(one[name]) for name in ("name", "version", "certificate", "function") if one.get(name)]
    since = f" valid from {one['valid_from']}" if one.get("valid_from") else ""
    since += f" of {one['entered']}" if one.get("entered") else ""
    return f"{one['id']} ({' '.join(words) or 'no certificate'}{since})"


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(reprocess)
