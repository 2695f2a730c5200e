"""Instruments: list and search what has a data file, show one, and check files of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from nilometer.cli.listing import AsJson, show

if TYPE_CHECKING:
    from nilometer.acquisition.instrument_file import About
    from nilometer.acquisition.lorawan_device import LorawanDevice

    Model = About | LorawanDevice

__all__ = ["register"]

Folder = Annotated[Path | None, typer.Option("--folder", help="A folder of files of your own, beside ours.")]


class _Searching(TyperGroup):
    """Takes a first word that is no command as what is searched for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- Typer brings its own click
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["--search", *args]
        return super().parse_args(ctx, args)


family = typer.Typer(
    cls=_Searching,
    help="List and search instruments, show one, check files of your own.\n\n"
    "Example: nilometer instruments Keller, or: nilometer instruments --property 溶解氧",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@family.callback(invoke_without_command=True)
def instruments(
    context: typer.Context,
    *,
    search: Annotated[str, typer.Option("--search", "-s", help="Words, all of which must stand in it.")] = "",
    maker: Annotated[str, typer.Option(help="Part of a maker's name.")] = "",
    model: Annotated[str, typer.Option(help="Part of a model's name.")] = "",
    protocol: Annotated[str, typer.Option(help="modbus, sdi12 or lorawan.")] = "",
    prop: Annotated[
        str, typer.Option("--property", help="What it measures: a key, an English or Chinese name, an HJ 525 code.")
    ] = "",
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """List the instruments that have a data file, or those that fit.

    Example: nilometer instruments --property 溶解氧 --protocol modbus
    """
    if context.invoked_subcommand is not None:
        return
    from nilometer.errors import ConfigError

    if protocol and protocol not in {"modbus", "sdi12", "lorawan"}:
        raise ConfigError("--protocol", seen=protocol, allowed=("modbus", "sdi12", "lorawan"))
    found, broken = _all(folder)
    wanted = _properties(prop) if prop else None
    rows = [
        _row(name, item)
        for name, item in sorted(found.items())
        if _fits(item, maker, model, protocol, wanted) and _has(item, name, search)
    ]
    show(rows, ["name", "maker", "models", "protocol", "channels"], broken, as_json=as_json)


@family.command("show")
def show_instrument(
    name: Annotated[str, typer.Argument(help="An instrument, or the path of a file of your own (….toml).")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one: what it measures, in which units and ranges, how it is reached, and where that is known from.

    Example: nilometer instruments show yosemitech_y4000
    """
    item = _one(name)
    if as_json:
        typer.echo(json.dumps(_document(item), ensure_ascii=False))
        return
    typer.echo(f"{item.title} ({_protocol(item)}; {item.name})")
    typer.echo(f"  maker: {item.maker}; models: {', '.join(item.models) or '-'}")
    for value in _values(item):
        span = f"  {value['range'][0]:g} to {value['range'][1]:g}" if value["range"] else ""
        claim = f"  {value['accuracy']}" if value["accuracy"] else ""
        typer.echo(
            f"  {value['key']} [{value['unit'] or '?'}] → {value['observed_property'] or 'no property'}{span}{claim}"
        )
    for key, text in (("document", item.document), ("evidence", item.evidence), ("claims", item.claims)):
        if text:
            typer.echo(f"  {key}: {text}")
    if item.notes.strip():
        typer.echo("  notes: " + " ".join(item.notes.split()))


@family.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")], *, as_json: AsJson = False
) -> None:
    """Check files of your own: status 2 if one cannot be used, with the file, the key and what would work.

    Example: nilometer instruments check my_probe.toml
    """
    from nilometer.errors import ConfigError

    said: list[dict[str, str]] = []
    for file in _files(files):
        try:
            item = _one(str(file))
        except ConfigError as error:
            said.append({"file": str(file), "error": str(error)})
        else:
            said.append({"file": str(file), "instrument": item.title})
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    else:
        for one in said:
            typer.echo(f"BAD  {one['error']}" if "error" in one else f"ok   {one['file']}: {one['instrument']}")
    if any("error" in one for one in said):
        raise typer.Exit(2)


def _files(places: Iterable[Path]) -> list[Path]:
    from nilometer.errors import ConfigError

    found: list[Path] = []
    for place in places:
        inside = sorted(place.rglob("*.toml")) if place.is_dir() else [place]
        if not inside:
            raise ConfigError("FILES", seen=str(place), reason="there is no .toml file in it")
        found += inside
    return found


def _one(name: str) -> Model:
    """Return an instrument of whatever protocol, by name or by file."""
    import tomllib

    from nilometer.acquisition.instrument import instruments as ours
    from nilometer.acquisition.instrument import named
    from nilometer.acquisition.lorawan_device import lorawan_device, lorawan_devices
    from nilometer.errors import ConfigError

    if name.endswith(".toml"):
        try:
            content = tomllib.loads(Path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError("instrument", seen=name, reason=str(error)) from error
        return lorawan_device(name) if "layout" in content else named(name)
    if name in lorawan_devices().items:
        return lorawan_device(name)
    if name not in ours().items and name not in ours().broken:
        known = [*ours().items, *lorawan_devices().items]
        raise ConfigError("instrument", seen=name, allowed=known, reason="nilometer instruments lists them")
    return named(name)


def _all(folder: Path | None) -> tuple[dict[str, Model], dict[str, str]]:
    from nilometer.acquisition.instrument import instruments as ours
    from nilometer.acquisition.lorawan_device import lorawan_devices
    from nilometer.errors import ConfigError

    found: dict[str, Model] = {**ours().items, **lorawan_devices().items}
    broken = ours().broken | lorawan_devices().broken
    for file in _files([folder]) if folder is not None else ():
        try:
            found[str(file)] = _one(str(file))
        except ConfigError as error:
            broken[str(file)] = str(error)
    return found, broken


def _protocol(item: Model) -> str:
    return getattr(item, "protocol", "lorawan")


def _values(item: Model) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    channels: Sequence[Any] = getattr(item, "fields", ()) or getattr(item, "channels", ())
    for channel in channels:
        if channel.key not in seen:
            seen.add(channel.key)
            yield {
                "key": channel.key,
                "name": channel.name,
                "unit": channel.unit,
                "observed_property": channel.observed_property,
                "range": channel.range,
                "accuracy": channel.accuracy,
            }


def _row(name: str, item: Model) -> dict[str, Any]:
    values = list(_values(item))
    return {
        "name": name,
        "maker": item.maker,
        "models": ", ".join(item.models),
        "protocol": _protocol(item),
        "channels": ", ".join(value["key"] for value in values),
        "properties": sorted({value["observed_property"] for value in values if value["observed_property"]}),
    }


def _document(item: Model) -> dict[str, Any]:
    return {
        "name": item.name,
        "title": item.title,
        "maker": item.maker,
        "models": list(item.models),
        "protocol": _protocol(item),
        "values": list(_values(item)),
        "document": item.document,
        "evidence": item.evidence,
        "claims": item.claims,
        "notes": item.notes.strip(),
    }


def _fits(item: Model, maker: str, model: str, protocol: str, wanted: set[str] | None) -> bool:
    if maker.casefold() not in item.maker.casefold() or (protocol and _protocol(item) != protocol):
        return False
    if model and not any(model.casefold() in one.casefold() for one in item.models):
        return False
    return wanted is None or any(value["observed_property"] in wanted for value in _values(item))


def _properties(text: str) -> set[str]:
    """Return the keys of the properties that a text may mean: whole names first, parts of names where none is whole.

    Raises
    ------
    ConfigError
        If it means none; the message has the near keys.
    """
    from nilometer.errors import ConfigError
    from nilometer.model.properties import vocabulary

    said = text.casefold().strip()
    names = {
        key: {key, term.name_en.casefold(), term.name_zh, (term.hj525 or "").casefold(), *term.columns}
        for key, term in vocabulary().items()
    }
    whole = {key for key, words in names.items() if said in words}
    part = {key for key, words in names.items() if any(said in word for word in words)}
    if not part:
        raise ConfigError("--property", seen=text, allowed=vocabulary())
    return whole or part


def _has(item: Model, name: str, search: str) -> bool:
    from nilometer.model.properties import vocabulary

    told = [name, item.title, item.maker, *item.models, _protocol(item), item.notes]
    for value in _values(item):
        term = vocabulary().get(value["observed_property"] or "")
        told += [value["key"], value["name"], value["unit"] or "", *((term.name_en, term.name_zh) if term else ())]
    text = " ".join(told).casefold()
    return all(word in text for word in search.casefold().split())


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.add_typer(family, name="instruments")
