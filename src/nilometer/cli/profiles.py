"""QC profiles: list them, print the effective one, check files, and propose thresholds from history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson, show

if TYPE_CHECKING:
    from nilometer.config import ChannelConfig, Config, DatastreamConfig
    from nilometer.qc.profile import Profile
    from nilometer.qc.shelf import Shelf

__all__ = ["register"]

Data = Annotated[Path | None, typer.Option("--data", help="A data folder, with its own profiles and nilometer.toml.")]

family = typer.Typer(
    help="List the QC profiles, print one, check files, propose thresholds from history.\n\n"
    "Example: nilometer profiles show river/ph",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@family.callback(invoke_without_command=True)
def profiles(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """List the QC profiles.

    Example: nilometer profiles
    """
    if context.invoked_subcommand is not None:
        return
    shelf = _shelf(data)
    rows = [
        {
            "name": name,
            "version": item.version,
            "unit": item.unit,
            "tests": ", ".join(item.names),
            "inherits": " <- ".join(item.lineage),
            "file": str(shelf.local.get(name, "")),
        }
        for name, item in sorted(shelf.profiles.items.items())
    ]
    columns = ["name", "version", "unit", "tests"] + (["inherits"] if shelf.local else [])
    show(rows, columns, shelf.profiles.broken, as_json=as_json)


@family.command("show")
def show_profile(
    name: Annotated[str, typer.Argument(help="A profile, a file, or with --data the key of a Datastream.")],
    *,
    data: Data = None,
    unit: Annotated[str, typer.Option(help="Convert its thresholds to this unit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print the effective profile: all that is inherited written out, and where each threshold comes from.

    Example: nilometer profiles show river/ph
    """
    from nilometer.qc.profile_text import profile_text

    profile = _effective(name, data).in_unit(unit)
    if as_json:
        about = {"name": profile.name, "digest": profile.digest, "origins": dict(profile.origins)}
        typer.echo(json.dumps(about | profile.to_document(), ensure_ascii=False))
        return
    typer.echo(profile_text(profile), nl=False)


@family.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(help="Profile files, or folders of them.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check profile files. Exit status 1: one of them cannot be used.

    Example: nilometer profiles check station/profiles
    """
    from nilometer.errors import ConfigError
    from nilometer.qc import load

    paths = [path for file in files for path in (sorted(file.rglob("*.toml")) if file.is_dir() else [file])]
    if not paths:
        raise ConfigError("FILE", seen=str(files[0]), reason="there is no .toml file in this folder")
    rows: list[dict[str, Any]] = []
    for path in paths:
        try:
            profile = load(path)
        except ConfigError as error:
            rows.append({"file": str(path), "error": str(error)})
            continue
        notes = _notes(profile)
        rows.append({"file": str(path), "name": profile.name, "digest": profile.digest, "notes": notes})
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        for row in rows:
            if "error" in row:
                typer.echo(f"cannot be used: {row['error']}", err=True)
                continue
            typer.echo(f"{row['file']}: {row['name']} can be used, digest {row['digest'][:16]}")
            for note in row["notes"]:
                typer.echo(f"  {note}")
    if any("error" in row for row in rows):
        raise typer.Exit(1)


def _notes(profile: Profile) -> list[str]:
    """Return what is allowed and still looks like a slip."""
    from nilometer.errors import near
    from nilometer.model.properties import vocabulary

    notes = []
    if profile.property and profile.property not in vocabulary():
        close = near(profile.property, vocabulary())
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        notes.append(f"property {profile.property} is not in the vocabulary{hint}")
    if not profile.unit and any(test.kind not in {"gap", "mark", "syntax", "location"} for test in profile.tests):
        notes.append("no unit: its thresholds are taken in the unit of whatever is judged")
    if not profile.required:
        notes.append("no test is required: a value is PASS as soon as one test was evaluated")
    return notes


def _shelf(data: Path | None) -> Shelf:
    from nilometer.errors import ConfigError
    from nilometer.qc.shelf import Shelf

    if data is not None and not data.is_dir():
        raise ConfigError("--data", seen=str(data), reason="there is no such folder")
    return Shelf.beside(data)


def _effective(name: str, data: Path | None) -> Profile:
    from nilometer.config import load

    shelf = _shelf(data)
    file = None if data is None else data / "nilometer.toml"
    config = load(file) if file is not None and file.exists() else None
    if config is not None:
        found = _configured(Path(str(file)), config, name.rpartition("@")[2], shelf)
        if found is not None and (name not in shelf.profiles.items or found.name.endswith(f"@{name}")):
            return found
    return shelf[name]


def _configured(file: Path, config: Config, key: str, shelf: Shelf) -> Profile | None:
    """Return the profile that judges a configured Datastream, or None when none of that key is configured."""
    from nilometer.errors import ConfigError
    from nilometer.pipeline.choosing import default_profile
    from nilometer.qc.thresholds import Place

    things = {thing.key: thing for thing in config.things}
    for at, known, thing, property_key, folder, part in _parts(config):
        if known != key:
            continue
        profile = part.profile or default_profile(
            shelf,
            datastream=known,
            thing=thing,
            water_body=things[thing].water_body,
            property_key=property_key,
            folder=folder,
        )
        if not profile:
            raise ConfigError(f"{at}.profile", file=file, reason=f"no profile judges {known}")
        where = Place(str(file), f"{at}.qc")
        return shelf.effective(shelf.changed_name(profile, known) if part.qc else profile, part.qc, where)
    return None


def _parts(config: Config) -> Iterator[tuple[str, str, str, str, str | None, ChannelConfig | DatastreamConfig]]:
    """Yield place, key, Thing, property, folder of profiles and the configuration of each Datastream that is told."""
    for n, one in enumerate(config.datastreams):
        yield f"datastream[{n}]", one.key, one.thing, one.property, None, one
    for n, source in enumerate(config.sources):
        for channel, part in source.channels.items():
            if part.property is not None:
                key = part.datastream or f"{source.thing}/{part.property}"
                yield f"source[{n}].channels.{channel}", key, source.thing, part.property, source.profiles, part


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    from nilometer.cli.suggesting import suggest

    family.command("suggest")(suggest)
    app.add_typer(family, name="profiles")
