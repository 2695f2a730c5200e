"""Backups of a data folder, and folders out of backups."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from nilometer.store.manifest import Manifest

__all__ = ["register"]

_A_DAY_S = 86_400.0


def backup(
    *,
    data: Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new folder, best on another disk.")],
    link: Annotated[
        bool, typer.Option("--link/--copy", help="Link the files of the lake where it is the same disk; or copy them.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Copy everything that was ever acknowledged to a new folder, while rows go on coming in.

    Example: nilometer backup --data station -o /mnt/backup/station-2026-11-28
    """
    from nilometer.cli.opening import open_store, token_of
    from nilometer.client import connect
    from nilometer.errors import ConfigError, StoreLocked

    if not (data / "VERSION").exists():
        raise ConfigError("--data", seen=str(data), reason="this is no data folder of nilometer")
    target = out.resolve()
    try:
        store = open_store(data)
    except StoreLocked as locked:
        if not locked.address:
            raise
        client = connect(locked.address, token=token_of(data), timeout_s=_A_DAY_S)
        made = client.backup(str(target), link=link)
    else:
        try:
            made = store.backup(target, link=link).summary(target)
        finally:
            store.close()
    _say(made, as_json=as_json, verb="holds")


def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `nilometer backup` made.", metavar="BACKUP")],
    *,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder to make: absent or empty.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only read the backup and say whether it is whole.")] = False,
    catalog_url: Annotated[
        str | None, typer.Option(help="An empty database for the catalog; default: SQLite in the folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a data folder out of a backup, each file checked; or only check it.

    Example: nilometer restore /mnt/backup/station-2026-11-28 --data station
    """
    from nilometer.errors import ConfigError
    from nilometer.store.manifest import Manifest
    from nilometer.store.restore import check_backup, restore_backup

    if check == (data is not None):
        raise ConfigError("--data", reason="say where to restore to with --data, or --check to restore nothing")
    with _progress(Manifest.read(source)) as told:
        if data is None:
            manifest = check_backup(source, told)
        else:
            manifest = restore_backup(source, data, catalog_url=catalog_url, told=told)
    _say(manifest.summary(source), as_json=as_json, verb="is whole:" if data is None else "was restored:")
    if data is not None and not as_json:
        _hint(data, catalog_url)


def _hint(folder: Path, catalog_url: str | None) -> None:
    from nilometer.config import load

    file = folder / "nilometer.toml"
    if not file.exists():
        return
    said = load(file).store
    if said.catalog_url not in {None, catalog_url}:
        typer.echo(
            f"{file} names another catalog: bring store.catalog_url up to date before you serve {folder}", err=True
        )
    if said.lake_url is not None:
        typer.echo(
            f"{file} names a lake elsewhere, and what was restored lies in {folder / 'lake'}: take store.lake_url out, "
            "or name an empty place and copy the lake there, before you serve it",
            err=True,
        )


@contextmanager
def _progress(manifest: Manifest) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("reading", total=manifest.size)
        yield lambda name: bar.advance(task, manifest.files[name].size)


def _say(made: dict[str, Any], *, as_json: bool, verb: str) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(made, ensure_ascii=False))
        return
    typer.echo(
        f"{made['backup']} {verb} everything up to commit {made['sequence']}, {made['files']} files, "
        f"{made['bytes'] / 1e6:.1f} MB"
    )


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(backup)
    app.command()(restore)
