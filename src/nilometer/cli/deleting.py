"""``nilometer delete``: a time range of Datastreams, through the server that holds the folder or by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nilometer.cli.listing import AsJson
from nilometer.errors import ConfigError

__all__ = ["register"]


def delete(
    datastreams: Annotated[list[str], typer.Argument(help="Keys of Datastreams.")],
    *,
    data: Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")],
    by: Annotated[str, typer.Option(help="Who does it.")],
    reason: Annotated[str, typer.Option(help="Why: a code such as out_of_water, mistake, other.")],
    start: Annotated[str | None, typer.Option(help="ISO 8601 with Z or an offset; inclusive.")] = None,
    end: Annotated[str | None, typer.Option(help="ISO 8601 with Z or an offset; exclusive.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete everything: with neither start nor end.")] = False,
    comment: Annotated[str, typer.Option(help="Why, in words.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Also where somebody has signed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the rows of a time range; as of an earlier moment they can still be read.

    What should stay in sight, but not count, is better reviewed: nilometer review delete.

    Example: nilometer delete mill/ph mill/codmn --data station --start 2024-05-01T00:00Z --end 2024-05-02T00:00Z
    --by 'Li Na' --reason out_of_water
    """
    from nilometer.cli.review_door import ask

    if everything != (start is None and end is None):
        raise ConfigError(
            "--all", seen=everything, reason="give --start, --end or both; or --all, to delete every row there is"
        )
    told = {"start": start, "end": end, "by": by, "reason": reason, "comment": comment, "force": force}
    done = ask(data, lambda door: door.delete(datastreams, **told))
    if as_json:
        typer.echo(json.dumps(done))
    elif done["deleted"]:
        typer.echo(f"{done['deleted']} rows deleted; as of before {done['since']} they can still be read")
    else:
        typer.echo("no row lies there; nothing was deleted")


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(delete)
