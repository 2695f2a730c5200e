"""What is available: drivers, formats, schemes, standards; instruments and profiles have families of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

__all__ = ["AsJson", "register", "show"]

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")]


def show(rows: Sequence[dict[str, Any]], columns: Sequence[str], broken: dict[str, str], *, as_json: bool) -> None:
    """Print rows as a table or as JSON; what is broken comes after, named."""
    if as_json:
        typer.echo(json.dumps({"items": rows, "broken": broken}, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:  # a pipe or a file has no edge to cut at
        console.width = 10_000
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    console.print(table)
    for name, reason in broken.items():
        typer.echo(f"broken: {name}: {reason}", err=True)


def drivers(*, as_json: AsJson = False) -> None:
    """List the drivers.

    Example: nilometer drivers
    """
    from nilometer.pipeline import drivers as found

    rows = [
        {
            "name": name,
            "title": info.title,
            "maturity": info.maturity,
            "options": ", ".join(
                f"{key}{'' if field.is_required() else f'={field.default!r}'}"
                for key, field in info.options.model_fields.items()
            ),
        }
        for name, info in sorted(found().items.items())
    ]
    show(rows, ["name", "title", "maturity", "options"], found().broken, as_json=as_json)


def formats(*, as_json: AsJson = False) -> None:
    """List the file formats that `nilometer read` opens.

    Example: nilometer formats
    """
    from nilometer.acquisition.formats.reading import formats as found

    rows = [
        {"name": name, "title": item.title, "suffixes": " ".join(item.suffixes)}
        for name, item in sorted(found().items.items())
    ]
    show(rows, ["name", "title", "suffixes"], found().broken, as_json=as_json)


def standards(*, as_json: AsJson = False) -> None:
    """List the standards that verdicts are given by.

    Example: nilometer standards
    """
    from nilometer.verdict.standard import standards as found

    rows = [
        {
            "name": item.name,
            "title": item.title.en,
            "edition": item.edition,
            "applies_to": ", ".join(sorted(body.value for body in item.applies_to)),
        }
        for item in found().items.values()
    ]
    show(rows, ["name", "title", "edition", "applies_to"], found().broken, as_json=as_json)


def schemes(*, as_json: AsJson = False) -> None:
    """List the flag schemes of others, for `nilometer read --flags`.

    Example: nilometer schemes
    """
    from nilometer.qc.schemes import schemes as found

    rows = [
        {
            "name": name,
            "title": item.title,
            "codes": " ".join(item.codes),
            "written": " ".join(f"{flag.name}={code}" for flag, code in item.written.items()),
            "verified": "yes" if item.verified else "no",
        }
        for name, item in sorted(found().items.items())
    ]
    show(rows, ["name", "title", "codes", "written", "verified"], found().broken, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    commands: list[Callable[..., None]] = [drivers, formats, schemes, standards]
    for command in commands:
        app.command()(command)
