"""``nilometer import --sensorthings URL``: a whole SensorThings server into a data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import typer

from nilometer.errors import NilometerError
from nilometer.web.sensorthings.incoming.holder import held
from nilometer.web.sensorthings.incoming.origin import Origin
from nilometer.web.sensorthings.incoming.report import Report
from nilometer.web.sensorthings.incoming.taking import Taking, Wishes
from nilometer.web.times import format_time, parse_time

__all__ = ["Access", "import_server"]


@dataclass(frozen=True, slots=True)
class Access:
    """Where the other server is, and as whom it is asked."""

    url: str
    token: str | None = None
    user: str | None = None
    password: str | None = None
    header: str | None = None


async def import_server(
    access: Access,
    folder: Path,
    things: str | None,
    since: str | None,
    until: str | None,
    *,
    dry: bool,
    as_json: bool,
) -> None:
    """Import a server; the account goes to stdout, progress to stderr.

    Raises
    ------
    LinkError
        If the server fails for good; what came stays, and the same command goes on there.
    StoreError
        If the folder cannot be written.
    """

    def told(line: str) -> None:
        typer.echo(line, err=True)

    wishes = Wishes(things, _time(since, "--since"), _time(until, "--until"))
    origin = Origin(
        access.url,
        token=access.token,
        user=access.user,
        password=access.password,
        header=access.header,
        told=told,
    )
    try:
        if dry and not folder.exists():
            await _run(Taking(origin, None, wishes, dry=True, told=told), as_json=as_json)
            return
        async with held(folder) as holder:
            await _run(Taking(origin, holder, wishes, dry=dry, told=told), as_json=as_json)
    finally:
        await origin.close()


def _time(text: str | None, place: str) -> str | None:
    return None if text is None else format_time(parse_time(text, place))


async def _run(taking: Taking, *, as_json: bool) -> None:
    try:
        await taking.run()
    except NilometerError:
        _show(taking.report, as_json=as_json)
        typer.echo("cut short: the same command goes on from here", err=True)
        raise
    _show(taking.report, as_json=as_json)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.document(), ensure_ascii=False))
        return
    typer.echo(f"{report.url}: {'would come: ' if report.dry else ''}{report.line()}")
    known = ", ".join(f"{number:,} {name}" for name, number in report.known.items() if number)
    if known:
        typer.echo(f"  here already: {known}")
    left = ", ".join(f"{number:,} {name}" for name, number in report.left.items() if number)
    if left:
        typer.echo(f"  not taken: {left}")
    for note in report.notes:
        typer.echo(f"  {note}")
