"""Trials of a server on the command line, and its Datastreams as of a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from nilometer.cli.listing import AsJson
from nilometer.errors import ConfigError

__all__ = ["RowsAsOf", "register"]

Number = Annotated[int, typer.Argument(help="The trial's number, as the server lists it.")]
Server = Annotated[str, typer.Option(help="URL of the server.")]
Token = Annotated[str | None, typer.Option(envvar="NILOMETER_TOKEN", help="Its token, where it asks for one.")]


class RowsAsOf:
    """The Datastreams of a server as they were known at a moment.

    Parameters
    ----------
    client : Client
        Of the server.
    as_of : str
        ISO 8601.
    """

    def __init__(self, client: Any, as_of: str) -> None:  # noqa: ANN401 -- a client
        self._client, self._as_of = client, as_of

    def datastream(self, name: str | int) -> dict[str, Any]:
        """Return what a Datastream is."""
        found: dict[str, Any] = self._client.datastream(name)
        return found

    def read(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> Any:  # noqa: ANN401 -- a table of Arrow
        """Return its rows as they were known then."""
        return self._client.read(datastream, start, end, as_of=self._as_of, **query)


def _list(*, server: Server, token: Token = None, as_json: AsJson = False) -> None:
    """List the trials of a server: how far each is, and what was decided.

    Example: nilometer trial list --server http://127.0.0.1:8080
    """
    from nilometer.client import connect

    found = connect(server, token=token).trials.all()
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for one in found:
        told = ", ".join(f"{each['candidate']}: {each['outcome'].replace('_', ' ')}" for each in one["outcomes"])
        state = one["state"].replace("_", " ")
        typer.echo(f"{one['id']:>4}  {state:<10}  {one['title']}{f' ({told})' if told else ''}")


def _fetch(
    number: Number,
    plan: Annotated[Path, typer.Argument(help="The file: PLAN.json.")],
    *,
    server: Server,
    token: Token = None,
) -> None:
    """Bring the plan of a server's trial here, with its history, to run it again or to attack it.

    Example: nilometer trial fetch 3 PLAN.json --server http://127.0.0.1:8080
    """
    from nilometer.client import connect
    from nilometer.trials.planning.freezing import frozen_file

    if plan.suffix != ".json":
        raise ConfigError("plan", seen=str(plan), allowed="a name that ends in .json")
    trials = connect(server, token=token).trials
    document, history = trials.get(number)["plan"], trials.history(number)
    _write(plan, document)
    if history["entries"]:
        _write(frozen_file(plan), history)
    typer.echo(f"{plan}: {document['trial']['title']}")


def _write(path: Path, document: Any) -> None:  # noqa: ANN401 -- JSON
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    except FileExistsError:
        raise ConfigError("plan", seen=str(path), allowed="a file that does not exist yet") from None


def register(group: typer.Typer) -> None:
    """Add these commands to ``nilometer trial``."""
    group.command("list")(_list)
    group.command("fetch")(_fetch)
