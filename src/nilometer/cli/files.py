"""Files: read them, and judge the water in them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.file_options import (
    About,
    Columns,
    Database,
    Date,
    DayFirst,
    FileWishes,
    Format,
    Missing,
    Time,
    Zone,
    opened,
    tell,
)
from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    import pyarrow as pa

    from nilometer.acquisition.formats.recording import Recording

__all__ = ["register", "write_table"]


def read(
    files: Annotated[list[Path], typer.Argument(help="Logger or instrument files.")],
    *,
    file_format: Format = None,
    time: Time = None,
    time_zone: Zone = None,
    column: Columns = None,
    date: Date = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    database: Database = None,
    about: About = False,
    as_json: AsJson = False,
    flags: Annotated[
        str | None, typer.Option(help="Scheme of the file's own quality codes: adds them as QARTOD flags.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="OUT.csv, OUT.parquet or OUT.nc; default: CSV here.")
    ] = None,
) -> None:
    """Read logger files into one table: times in UTC, units and observed properties settled.

    Columns that speak of a value, such as quality codes, stay beside it as the file has them. --json tells what
    --about does, for programs.

    Example: nilometer read apacpwq_2012_2013.csv.gz --flags nerrs -o apacpwq.nc
    """
    tables = []
    for file in files:
        wishes = FileWishes(file_format, time, time_zone, column, date, missing, day_first, database)
        recording = opened(file, wishes)
        if as_json:
            typer.echo(json.dumps(_document(recording), ensure_ascii=False))
            continue
        if about:
            tell(recording)
            continue
        for note in recording.notes:
            typer.echo(f"{file}: {note}", err=True)
        table = _with_flags(recording, flags)
        left = [name for name in recording.aside if name not in table.column_names]
        if left:
            typer.echo(f"{file}: no values, and not written: {', '.join(left)}", err=True)
        tables.append(table.replace_schema_metadata(_metadata(recording) if len(files) == 1 else {}))
    import pyarrow as pa

    if not about and not as_json:
        write_table(pa.concat_tables(tables, promote_options="default"), out)


def _metadata(recording: Recording) -> dict[str, str]:
    """Return what goes into a written file beside its values: zone, stamps and instrument as the source has them."""
    told = {key: text for key, text in recording.metadata.items() if key not in {"preamble", "time column"}}
    told = {key: text for key, text in told.items() if not key.startswith("title of ")}
    return told | {"source": recording.path.name, "notes": "\n".join(recording.notes)}


def _document(recording: Recording) -> dict[str, Any]:
    """Return what a file tells of itself: what `tell` says, as a document."""
    import numpy as np

    first, last = (f"{recording.times[at].astype('datetime64[us]')}Z" for at in (0, -1))
    columns = [
        {
            "name": name,
            "observed_property": part.observed_property,
            "unit": part.unit,
            "unit_from": part.unit_from,
            "statistic": part.statistic or None,
            "values": int(np.isfinite(part.values).sum()),
            "limits": 0 if part.censored is None else int((part.censored != 0).sum()),
        }
        for name, part in recording.columns.items()
    ]
    return {
        "path": str(recording.path),
        "format": recording.format,
        "rows": len(recording),
        "first": first,
        "last": last,
        "metadata": recording.metadata,
        "columns": columns,
        "aside": list(recording.aside),
        "qualifies": recording.qualifies,
        "notes": list(recording.notes),
    }


def _with_flags(recording: Recording, scheme: str | None) -> pa.Table:
    """Return the values with what speaks of them, and with QARTOD flags made of it."""
    import pyarrow as pa

    beside = [name for name, owner in recording.qualifies.items() if owner in recording.columns]
    limits = recording.censoring()
    sites = recording.sites()
    table = recording.to_arrow(aside=True).select(["time", *sites, *recording.columns, *limits, *beside])
    if scheme is None:
        return table
    from nilometer.errors import ConfigError
    from nilometer.qc.schemes import scheme as scheme_of

    known = scheme_of(scheme)
    if not beside:
        raise ConfigError("--flags", seen=scheme, reason=f"no column of {recording.path} speaks of another one")
    for name in beside:
        codes = recording.aside[name].to_pylist()
        unknown = known.unknown(codes)
        if unknown:
            said = ", ".join(unknown[:5])
            typer.echo(f"{recording.path}: {name} has what {scheme} does not list, not evaluated: {said}", err=True)
        told = {"qualifies": recording.qualifies[name], "flag_scheme": scheme}
        field = pa.field(f"{name}_qartod", pa.int8(), metadata=told)
        table = table.append_column(field, pa.array(known.to_qartod(codes), pa.int8()))
    return table


def assess(
    file: Annotated[Path, typer.Argument(help="A file that `nilometer read` opens.")],
    *,
    standard: Annotated[str, typer.Option(help="nilometer standards.")] = "GB 3838-2002",
    water_body: Annotated[str, typer.Option(help="river, lake, reservoir …")] = "river",
    target_class: Annotated[str | None, typer.Option(help="The class to be met, such as III.")] = None,
    check: Annotated[bool, typer.Option(help="Flag the values first, and leave out FAIL and MISSING.")] = True,
    file_format: Format = None,
    time: Time = None,
    time_zone: Zone = None,
    column: Columns = None,
    date: Date = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="OUT.json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the water of a file by a standard: class, limiting item, what was assessed and what was left out.

    Example: nilometer assess MainStreet2019.csv.gz --standard "GB 3838-2002" --water-body river --target-class III
    """
    from nilometer.verdict import assess_series

    recording = opened(file, FileWishes(file_format, time, time_zone, column, date, missing, day_first))
    series = _series(recording, water_body, check=check)
    verdict = assess_series(series, standard, water_body=water_body, target_class=target_class)
    document = verdict.to_document()
    if out is not None:
        out.write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    typer.echo(f"{document['standard']}: class {document['class'] or 'none: nothing could be assessed'}")
    for item in document["limiting"]:
        typer.echo(f"  limiting: {item['names']['en']} {item['value']:.4g} {item['unit']} (class {item['class']})")
    if document["met"] is not None:
        typer.echo(f"  target class {document['target_class']}: {'met' if document['met'] else 'not met'}")
    typer.echo(f"  {document['assessed']} of {document['required']} required items assessed")
    if document["indicative"]:
        typer.echo(f"  indicative: {document['indicative_reason']['en']}")
    for note in document["notes"]:
        typer.echo(f"  {note['en']}")


def _series(recording: Recording, water_body: str, *, check: bool) -> dict[str, Any]:
    import numpy as np

    from nilometer.qc import check as flag
    from nilometer.qc import load
    from nilometer.qc.profile import profiles
    from nilometer.verdict import ItemSeries

    series = {}
    order = np.argsort(recording.times, kind="stable")
    for name, part in recording.columns.items():
        if part.observed_property is None:
            continue
        values, times = part.values[order], recording.times[order]
        profile = f"{water_body}/{part.observed_property}"
        quality = None
        if check and profile in profiles().items:
            judged = flag(values, load(profile), times.view("datetime64[us]"), unit=part.unit)
            quality = np.asarray(judged.flags, np.int8)
        censored = None if part.censored is None else part.censored[order]
        series[part.observed_property] = ItemSeries(
            values=values, unit=part.unit, quality=quality, censored=censored, times=times, datastreams=(name,)
        )
    return series


def write_table(table: pa.Table, out: Path | None) -> None:
    """Write a table as the suffix says, CSV to stdout without a file.

    Raises
    ------
    ConfigError
        If the suffix is none of .csv, .parquet and .nc.
    """
    from pyarrow import csv, parquet

    from nilometer.errors import ConfigError

    if out is None:
        csv.write_csv(_with_units(table), sys.stdout.buffer)
    elif out.suffix == ".csv":
        csv.write_csv(_with_units(table), out)
    elif out.suffix == ".parquet":
        parquet.write_table(table, out, compression="zstd")
    elif out.suffix == ".nc":
        from nilometer.acquisition.formats.netcdf_table import write_table

        told = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items() if text}
        write_table(table, out, {key.replace(" ", "_"): text for key, text in told.items()})
    else:
        raise ConfigError("--out", seen=str(out), allowed="a name that ends in .csv, .parquet or .nc")


def _with_units(table: pa.Table) -> pa.Table:
    """Return a table whose names have their units behind them, which CSV has no other place for."""
    names = []
    for field in table.schema:
        unit = (field.metadata or {}).get(b"unit", b"1").decode()
        names.append(field.name if unit == "1" else f"{field.name} [{unit}]")
    return table.rename_columns(names)


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(read)
    app.command()(assess)
