"""A data folder: history in, rows out, and whether all is well."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nilometer.cli.file_options import About, Columns, Date, DayFirst, FileWishes, Format, Missing, Time, opened, tell
from nilometer.cli.listing import AsJson

__all__ = ["register"]


def import_(
    files: Annotated[list[Path] | None, typer.Argument(help="Files that `nilometer read` opens.")] = None,
    *,
    data: Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")],
    thing: Annotated[str, typer.Option(help="Key of the Thing the values belong to; made if it is not there.")] = "",
    sensorthings: Annotated[
        str | None, typer.Option(metavar="URL", help="A SensorThings server, instead of files: all of it.")
    ] = None,
    things: Annotated[str | None, typer.Option("--filter", help="Which of its Things: a $filter.")] = None,
    since: Annotated[str | None, typer.Option(help="Its Observations from this phenomenon time on, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Its Observations before this phenomenon time.")] = None,
    token: Annotated[str | None, typer.Option(envvar="NILOMETER_IMPORT_TOKEN", help="Its bearer token.")] = None,
    user: Annotated[str | None, typer.Option(help="Its user.")] = None,
    password: Annotated[str | None, typer.Option(envvar="NILOMETER_IMPORT_PASSWORD", help="And password.")] = None,
    header: Annotated[
        str | None,
        typer.Option(metavar="'NAME: VALUE'", envvar="NILOMETER_IMPORT_HEADER", help="A header it wants, or a key."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Of a server: only say what would come.")] = False,
    water_body: Annotated[str, typer.Option(help="Kind of water of a new Thing.")] = "other",
    time_zone: Annotated[str, typer.Option(help="Zone of the file's bare times, and of a new Thing.")] = "UTC",
    file_format: Format = None,
    time: Time = None,
    column: Columns = None,
    date: Date = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    about: About = False,
    as_json: AsJson = False,
) -> None:
    """Import history into a data folder, through the same path as live values; repeated rows are recognised.

    Example: nilometer import MainStreet2019.csv.gz --data station --thing main-street --time-zone Etc/GMT+7

    A whole server: nilometer import --sensorthings https://example.org/v1.1 --data station
    """
    import asyncio

    from nilometer.cli.importing import import_files
    from nilometer.errors import ConfigError

    if sensorthings is not None:
        from nilometer.cli.importing_server import Access, import_server

        if files or thing:
            raise ConfigError(
                "--sensorthings", seen=sensorthings, reason="a server is imported without FILES and --thing"
            )
        access = Access(sensorthings, token, user, password, header)
        asyncio.run(import_server(access, data, things, since, until, dry=dry_run, as_json=as_json))
        return
    if not files or not thing:
        raise ConfigError("FILES" if not files else "--thing", reason="name FILES and --thing, or --sensorthings URL")
    wishes = FileWishes(file_format, time, time_zone, column, date, missing, day_first)
    if about:
        for file in files:
            tell(opened(file, wishes))
        return
    report = asyncio.run(import_files(files, data, thing=thing, water_body=water_body, wishes=wishes))
    if as_json:
        import json

        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    for line in report["files"]:
        typer.echo(
            f"{line['file']}: {line['accepted']} new, {line['unchanged']} unchanged, {line['revised']} revised, "
            f"{line['rejected']} rejected, in {len(line['datastreams'])} Datastreams"
        )
        for error in line["errors"][:5]:
            typer.echo(f"  row {error['row']}: {error['reason']}", err=True)


def export(
    *,
    data: Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="OUT.csv, OUT.parquet, OUT.nc, or a folder.")],
    datastream: Annotated[list[str] | None, typer.Option(help="Keys; default: all.")] = None,
    start: Annotated[str | None, typer.Option(help="ISO 8601, inclusive.")] = None,
    end: Annotated[str | None, typer.Option(help="ISO 8601, exclusive.")] = None,
    as_of: Annotated[str | None, typer.Option(help="ISO 8601: rows and sign-offs as they were known then.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of a netCDF file, such as creator_name='River Board'.")
    ] = None,
) -> None:
    """Export rows with their flags, each test's outcome and the profile behind it to CSV, Parquet or netCDF.

    Into a folder that is there go netCDF files, one for each Thing and time axis, and a datasets.xml for ERDDAP.

    Example: nilometer export --data station --datastream mill-race/ph -o ph.parquet
    """
    from nilometer.cli.dataset_attributes import read_attributes
    from nilometer.cli.exporting import export_rows

    told = read_attributes(attribute or ())
    rows = export_rows(data, out, keys=datastream, start=start, end=end, as_of=as_of, attributes=told)
    typer.echo(f"{out}: {rows} rows")


def doctor(
    *,
    data: Annotated[Path | None, typer.Option("--data", help="A data folder to look at too.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every value of the lake, not footers alone.")] = False,
    warm: Annotated[bool, typer.Option("--warm", help="Compile the kernels now, not at first use.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether all is well: installation, plug-ins, kernels, interface, and a data folder, which is only read.

    Example: nilometer doctor --data station
    """
    from nilometer.cli.health import findings

    found = list(findings(data, warm=warm, deep=deep))
    if as_json:
        import json

        typer.echo(json.dumps([{"ok": ok, "what": what, "detail": detail} for ok, what, detail in found]))
    else:
        for ok, what, detail in found:
            typer.echo(f"{'ok ' if ok else 'BAD'}  {what}: {detail}")
    if not all(ok for ok, _, _ in found):
        sys.exit(1)


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("import")(import_)
    app.command()(export)
    app.command()(doctor)
