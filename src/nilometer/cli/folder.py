"""A data folder: history in, rows out, and whether all is well."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["register"]


def import_(
    files: Annotated[list[Path], typer.Argument(help="Files that `nilometer read` opens.")],
    *,
    data: Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")],
    thing: Annotated[str, typer.Option(help="Key of the Thing the values belong to; made when it is not there.")],
    water_body: Annotated[str, typer.Option(help="Kind of water of a new Thing.")] = "other",
    time_zone: Annotated[str, typer.Option(help="Zone of the file's bare times, and of a new Thing.")] = "UTC",
    file_format: Annotated[str | None, typer.Option("--format", help="nilometer formats; default: found out.")] = None,
    time: Annotated[str | None, typer.Option(help="The column of times, where it cannot be guessed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import history into a data folder, through the same path as live values; repeated rows are recognised.

    Example: nilometer import MainStreet2019.csv.gz --data station --thing main-street --time-zone Etc/GMT+7
    """
    import asyncio

    from nilometer.cli.importing import import_files

    report = asyncio.run(
        import_files(
            files, data, thing=thing, water_body=water_body, time_zone=time_zone, file_format=file_format, time=time
        )
    )
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
    out: Annotated[Path, typer.Option("-o", "--out", help="OUT.csv or OUT.parquet.")],
    datastream: Annotated[list[str] | None, typer.Option(help="Keys; default: all.")] = None,
    start: Annotated[str | None, typer.Option(help="ISO 8601, inclusive.")] = None,
    end: Annotated[str | None, typer.Option(help="ISO 8601, exclusive.")] = None,
) -> None:
    """Export rows with their flags to CSV or Parquet.

    Example: nilometer export --data station --datastream mill-race/ph -o ph.parquet
    """
    from nilometer.errors import ConfigError

    if out.suffix not in {".csv", ".parquet"}:
        raise ConfigError("--out", seen=str(out), allowed="a name that ends in .csv or .parquet")
    rows = 0
    writer: Any = None
    for table in _tables(data, datastream, start, end):
        if writer is None:
            writer = _writer(out, table.schema)
        writer.write_table(table)
        rows += table.num_rows
    if writer is None:
        import pyarrow as pa

        from nilometer.model.schemas import OBSERVATION

        # No Datastream: a file all the same, with the columns and no row.
        writer = _writer(
            out, OBSERVATION.set(OBSERVATION.get_field_index("datastream"), pa.field("datastream", pa.string()))
        )
    writer.close()
    typer.echo(f"{out}: {rows} rows")


def _writer(out: Path, schema: pa.Schema) -> Any:  # noqa: ANN401 -- one of pyarrow's writers
    from pyarrow import csv, parquet

    return (
        csv.CSVWriter(out, schema) if out.suffix == ".csv" else parquet.ParquetWriter(out, schema, compression="zstd")
    )


def _tables(folder: Path, keys: list[str] | None, start: str | None, end: str | None) -> Iterator[pa.Table]:
    import pyarrow as pa

    from nilometer.errors import ConfigError, StoreLocked
    from nilometer.store import Store

    if not (folder / "VERSION").exists():
        raise ConfigError("--data", seen=str(folder), reason="this is no data folder of nilometer")

    def named(table: pa.Table, key: str) -> pa.Table:
        where = table.schema.get_field_index("datastream")
        return table.set_column(where, "datastream", pa.array([key] * table.num_rows, pa.string()))

    try:
        store = Store.open(folder)
    except StoreLocked as locked:
        if not locked.address:
            raise
        from nilometer.client import connect
        from nilometer.config import load

        file = folder / "nilometer.toml"
        client = connect(locked.address, token=load(file).server.token if file.exists() else None)
        for key in keys or [one["key"] for one in client.datastreams()]:
            yield named(client.read(key, start, end, samples="all"), key)
        return
    from nilometer.web.times import parse_time

    try:
        known = {one.key: one.id for one in store.catalog.datastreams()}
        first, last = (parse_time(text) if text else None for text in (start, end))
        for key in keys or known:
            if key not in known:
                raise ConfigError("--datastream", seen=key, allowed=known)
            yield named(store.snapshot().read([known[key]], first, last, water_only=False), key)
    finally:
        store.close()


def doctor(
    *,
    data: Annotated[Path | None, typer.Option("--data", help="A data folder to look at too.")] = None,
    warm: Annotated[bool, typer.Option("--warm", help="Compile the kernels now, not at first use.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether all is well: installation, plug-ins, kernels, interface, and a data folder.

    Example: nilometer doctor --data station
    """
    from nilometer.cli.health import findings

    found = list(findings(data, warm=warm))
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
