"""Trials of a server on the command line, and its Datastreams as of a moment."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from nilometer.cli.listing import AsJson
from nilometer.errors import ConfigError, TrialError

__all__ = ["RowsAsOf", "register"]

Number = Annotated[int, typer.Argument(help="The trial's number, as the server lists it.")]
Server = Annotated[str, typer.Option(help="URL of the server.")]
_ASK_EVERY_S = 0.5
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


def _start(
    number: Number,
    *,
    server: Server,
    token: Token = None,
    by: Annotated[str, typer.Option("--by", help="Who has it run: stands in the record.")] = "",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="REPORT.pdf or .html, once it is decided.")] = None,
    language: Annotated[str, typer.Option(help="Of the report: en or zh.")] = "en",
) -> None:
    """Have a server run one of its trials, and say what it is at until it is done; Ctrl-C gives it up.

    Example: nilometer trial start 3 --server http://127.0.0.1:8080 --by "Li Na" -o report.pdf
    """
    from nilometer.client import connect

    if out is not None and out.suffix not in {".pdf", ".html"}:
        raise ConfigError("--out", seen=str(out), allowed="a name that ends in .pdf or .html")
    trials = connect(server, token=token).trials
    trials.run(number, by)
    try:
        _follow(trials)
    except KeyboardInterrupt:
        trials.cancel(number)
        raise
    result = trials.result(number)
    for one in result["comparisons"]:
        told = one["grade"]["outcome"].replace("_", " ") if one["grade"] else f"no decision: {result['interim']}"
        typer.echo(f"{one['candidate']} beside {one['reference']}: {told}")
    typer.echo(f"data {result['data_hash']}")
    if out is not None:
        out.write_bytes(trials.report(number, out.suffix[1:], language))
        typer.echo(f"report: {out}")


def _follow(trials: Any) -> None:  # noqa: ANN401 -- the calls of a client
    """Say each step of the run once, where somebody watches, until it is over."""
    told = ""
    while (run := trials.running())["running"]:
        if run["doing"] != told and sys.stderr.isatty():
            told = run["doing"]
            typer.echo(f"  {told}", err=True)
        time.sleep(_ASK_EVERY_S)
    if run["error"]:
        raise TrialError(f"the run gave nothing: {run['error']}")


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
    group.command("start")(_start)
    group.command("fetch")(_fetch)
