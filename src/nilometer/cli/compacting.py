"""``nilometer compact``: the lake of a folder made small, through the server that holds the folder or by itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from nilometer.client import Client
    from nilometer.config import StoreConfig

__all__ = ["register"]

_LOOK_S = 0.2
_Told = Callable[[str, int, int], None]


def compact(
    *,
    data: Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")],
    as_json: AsJson = False,
) -> None:
    """Take revised and deleted rows out of the lake, merge its files, and delete those that have left it.

    A server does the same by itself, a little at a time; rows are taken and read meanwhile. As of a past moment
    everything can still be read.

    Example: nilometer compact --data station
    """
    from nilometer.cli.opening import open_store, token_of
    from nilometer.client import connect
    from nilometer.errors import ConfigError, StoreLocked

    if not (data / "VERSION").exists():
        raise ConfigError("--data", seen=str(data), reason="this is no data folder of nilometer")
    with _progress() as told:
        try:
            store = open_store(data)
        except StoreLocked as locked:
            if not locked.address:
                raise
            done = _through(connect(locked.address, token=token_of(data)), told)
        else:
            try:
                kept = _kept(data)
                store.forgetting.files_s, store.forgetting.revisions_s = kept.keep_files, kept.keep_revisions
                done = asdict(store.compact(lambda progress: told(progress.stage, progress.rows, progress.of)))
            finally:
                store.close()
    _say(done, as_json=as_json)


def _through(client: Client, told: _Told) -> dict[str, Any]:
    from nilometer.errors import StoreError

    state = client.compact()
    while state["asked"]:
        told(state["stage"], state["rows"], state["of"])
        time.sleep(_LOOK_S)
        state = client.compacting()
    if state["report"] is None:
        raise StoreError(state["error"] or "the server was stopped while it compacted; nothing was lost")
    report: dict[str, Any] = state["report"]
    return report


def _kept(folder: Path) -> StoreConfig:
    from nilometer.config import StoreConfig, load

    file = folder / "nilometer.toml"
    return load(file).store if file.exists() else StoreConfig()


@contextmanager
def _progress() -> Iterator[_Told]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("looking", total=None)

        def told(stage: str, rows: int, of: int) -> None:
            bar.update(task, description=stage or "looking", completed=rows, total=of or None)

        yield told


def _say(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(done))
        return
    typer.echo(
        f"{done['rewritten']} files written anew without revised and deleted rows, {done['merged']} merged, "
        f"{done['deleted']} deleted; {done['forgotten']} revisions forgotten; "
        f"the lake has {done['files']} files, {done['bytes'] / 1e6:.1f} MB"
    )


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(compact)
