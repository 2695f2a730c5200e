"""``nilometer uplink``: how receivers are doing, what they did not get, and sending some of it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from nilometer.client import Client

__all__ = ["register"]

uplink = typer.Typer(
    help="What goes on to authorities, brokers and servers: state, gaps, sending again. "
    "Example: nilometer uplink status --data station",
    no_args_is_help=True,
)
Data = Annotated[Path, typer.Option("--data", help="The data folder; a server has to hold it.")]
From = Annotated[str, typer.Option("--from", help="ISO 8601 with an offset, inclusive.")]
To = Annotated[str, typer.Option("--to", help="ISO 8601 with an offset, exclusive.")]
Kind = Annotated[str | None, typer.Option("--kind", help="minute, hour or day; default: all.")]


@uplink.command()
def status(*, data: Data, as_json: AsJson = False) -> None:
    """Say how every receiver is doing.

    Example: nilometer uplink status --data station
    """
    found = _client(data).uplinks()
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for one in found:
        newest = "nothing yet" if one["newest"] is None else _time(one["newest"])
        typer.echo(
            f"{one['name']} ({one['receiver']}): {one['state']}, newest {newest}, {one['waiting']} waiting, "
            f"{one['sent']} sent, {one['repeated']} sent again"
        )
        if one["detail"]:
            typer.echo(f"  {one['detail']}")
        if one["refused"]:
            reasons = ", ".join(f"{rows} {reason}" for reason, rows in one["refused"].items())
            typer.echo(f"  rows that may not be sent: {reasons}")


@uplink.command()
def gaps(
    name: Annotated[str, typer.Argument(help="The uplink.")],
    *,
    data: Data,
    start: From,
    end: To,
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """List what a receiver did not get, and why: waiting, sent (no answer), empty, refused, late.

    Example: nilometer uplink gaps province --data station --from 2024-05-01T00:00+08:00 --to 2024-06-01T00:00+08:00
    """
    found = _client(data).uplink_gaps(name, _iso(start, "--from"), _iso(end, "--to"), kind=kind)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for one in found["gaps"]:
        why = ", ".join(f"{rows} {reason}" for reason, rows in one["refused"].items())
        typer.echo(
            f"{one['kind']} {_time(one['start'])} … {_time(one['end'])}: {one['state']}{f' ({why})' if why else ''}"
        )
    counts = ", ".join(f"{count} {state}" for state, count in sorted(found["counts"].items()))
    typer.echo(f"{name}: {counts or 'nothing owed in this range'}")


@uplink.command()
def resend(
    name: Annotated[str, typer.Argument(help="The uplink.")],
    *,
    data: Data,
    start: From,
    end: To,
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """Send again what a receiver was sent, as it is now; what it was never sent goes by itself.

    Example: nilometer uplink resend province --data station --from 2024-05-01T00:00+08:00 --to 2024-05-02T00:00+08:00
    """
    done = _client(data).uplink_resend(name, _iso(start, "--from"), _iso(end, "--to"), kind=kind)
    typer.echo(json.dumps(done) if as_json else f"{name}: {done['periods']} will be sent again")


def _client(data: Path) -> Client:
    from nilometer.cli.opening import token_of
    from nilometer.client import connect
    from nilometer.errors import ConfigError
    from nilometer.store.folder import holder

    address = holder(data) if data.is_dir() else ""
    if not address:
        raise ConfigError("--data", seen=str(data), reason="no server holds this folder; start it with nilometer serve")
    return connect(address, token=token_of(data))


def _iso(text: str, option: str) -> str:
    from nilometer.errors import ConfigError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(option, seen=text, allowed="ISO 8601 with an offset, such as 2024-05-01T00:00+08:00")
    return moment.isoformat()


def _time(milliseconds: Any) -> str:  # noqa: ANN401 -- JSON
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.add_typer(uplink, name="uplink")
