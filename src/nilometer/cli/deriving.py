"""``nilometer functions`` and ``nilometer derived``: what can be derived, what is, and declaring more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson, show

if TYPE_CHECKING:
    from nilometer.config_derived import DerivedConfig

__all__ = ["register"]

derived = typer.Typer(
    help="Datastreams that are computed from others. Example: nilometer derived list --data station",
    no_args_is_help=True,
)
Data = Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")]
Tables = Annotated[Path, typer.Argument(help="A TOML file with tables of derived Datastreams, such as nilometer.toml.")]
By = Annotated[str, typer.Option("--by", help="Who does it, for the audit trail.")]


def functions(
    name: Annotated[
        str | None, typer.Argument(help="A function, such as oxygen.saturation; all when left out.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the functions that a Datastream can be derived with, or tell all of one.

    Example: nilometer functions oxygen.saturation
    """
    from nilometer.derivation.function import families
    from nilometer.derivation.function import functions as found
    from nilometer.errors import ConfigError
    from nilometer.web.api.derived_documents import function_document

    known, made = found(), families()
    if name is not None:
        if name in known.items:
            _tell(function_document(known.items[name]), as_json=as_json)
            return
        if name not in made.items:
            raise ConfigError("function", seen=name, allowed=sorted([*known.items, *made.items]))
        family = made.items[name]
        _tell({"name": family.name, "summary": family.summary, "parameters": dict(family.settings)}, as_json=as_json)
        return
    rows = [
        {
            "name": one.name,
            "unit": one.unit,
            "inputs": ", ".join(f"{key} ({item.unit})" for key, item in one.inputs.items()),
            "summary": one.summary,
        }
        for _, one in sorted(known.items.items())
    ]
    rows += [
        {"name": one.name, "unit": "", "inputs": f"parameters: {', '.join(one.settings)}", "summary": one.summary}
        for _, one in sorted(made.items.items())
    ]
    show(rows, ["name", "unit", "inputs", "summary"], known.broken | made.broken, as_json=as_json)


def _tell(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    typer.echo(f"{document['name']}: {document['summary']}")
    for one in document.get("inputs", ()):
        low = "−∞" if one["low"] is None else f"{one['low']:g}"
        high = "∞" if one["high"] is None else f"{one['high']:g}"
        default = "" if one["default"] is None else f", default {one['default']:g}"
        typer.echo(f"  {one['name']}: {one['unit']}, {low} to {high}{default}")
    for key, line in document.get("parameters", {}).items():
        typer.echo(f"  {key}: {line}")
    if "unit" in document:
        typer.echo(f"  gives {document['unit']}")
    if document.get("source"):
        typer.echo(f"  source: {document['source']}")


@derived.command("list")
def list_(*, data: Data, as_json: AsJson = False) -> None:
    """Say what is derived, from what, and what keeps it waiting.

    Example: nilometer derived list --data station
    """
    from nilometer.cli.review_door import ask

    found = ask(data, lambda door: door.derived())
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for one in found:
        inputs = ", ".join(
            f"{name} = {given.get('datastream') or given.get('value')}" for name, given in one["inputs"].items()
        )
        typer.echo(f"{one['key']} = {one['function']}({inputs}) in {one['unit']}, by the {one['source']}")
        if one["problem"]:
            typer.echo(f"  not computed: {one['problem']}")
    if not found:
        typer.echo("nothing is derived")


@derived.command()
def check(file: Tables, *, as_json: AsJson = False) -> None:
    """Say whether the derived Datastreams of a file can be; of others only what the file says is known.

    Example: nilometer derived check nilometer.toml
    """
    configs = _read(file)
    if as_json:
        typer.echo(json.dumps([{"key": one.key, "function": one.function} for one in configs], ensure_ascii=False))
        return
    for one in configs:
        typer.echo(f"{one.key}: {one.function} can be computed")


@derived.command()
def add(file: Tables, *, data: Data, by: By = "", as_json: AsJson = False) -> None:
    """Declare the derived Datastreams of a file in a data folder; one that is there is changed from now on.

    Example: nilometer derived add saturation.toml --data station --by 'Li Na'
    """
    from nilometer.cli.review_door import ask
    from nilometer.pipeline.derived_plan import table_of

    tables = [table_of(one) for one in _read(file)]
    done = ask(data, lambda door: [door.derive(one, by=by) for one in tables])
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False))
        return
    for one in done:
        typer.echo(f"{one['key']}: derived by {one['function']} from now on (version {one['version']})")
    typer.echo("what is stored is recomputed by nilometer reprocess")


@derived.command()
def remove(
    key: Annotated[str, typer.Argument(help="The derived Datastream.")],
    *,
    data: Data,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Derive a Datastream no more; its rows stay.

    Example: nilometer derived remove river/oxygen_saturation --data station --by 'Li Na'
    """
    from nilometer.cli.review_door import ask

    done = ask(data, lambda door: door.underive(key, by=by))
    typer.echo(json.dumps(done, ensure_ascii=False) if as_json else f"{done['key']} is derived no more; its rows stay")


def _read(file: Path) -> list[DerivedConfig]:
    """Return the derived Datastreams of a file, checked as far as the file tells."""
    import tomllib

    from nilometer.config import parse
    from nilometer.errors import ConfigError
    from nilometer.pipeline.checking import check_derived_of

    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("TOML", file=file, reason=str(error)) from error
    if "thing" not in content:
        # A file of nothing but derived Datastreams leaves their Things to the folder.
        keys = {str(one.get("thing", "")) for one in content.get("derived", ()) if isinstance(one, dict)}
        content = {**content, "thing": [{"key": key, "name": key} for key in sorted(keys) if key]}
    config = parse(content, file=file)
    if not config.derived:
        raise ConfigError("derived", file=file, reason="there is no [[derived]] table")
    check_derived_of(config, file=file)
    return list(config.derived)


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(functions)
    app.add_typer(derived, name="derived")
