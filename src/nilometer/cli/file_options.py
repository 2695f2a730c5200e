"""What can be said of a file on the command line, in one place: every command that opens files says it alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from nilometer.acquisition.formats.recording import Recording

__all__ = [
    "About",
    "Columns",
    "Database",
    "Date",
    "DayFirst",
    "FileWishes",
    "Format",
    "Missing",
    "Time",
    "Zone",
    "opened",
    "tell",
]

Format = Annotated[str | None, typer.Option("--format", help="nilometer formats; default: found out.")]
Time = Annotated[str | None, typer.Option("--time", help="The column of times, where it cannot be guessed.")]
Zone = Annotated[str | None, typer.Option("--time-zone", help="Zone of times that carry none; default UTC.")]
Columns = Annotated[list[str] | None, typer.Option("--column", help="Take these columns only.")]
Date = Annotated[str | None, typer.Option("--date", help="The day of a log whose clock has none, such as 2014-08-15.")]
Missing = Annotated[
    list[str] | None, typer.Option("--missing", help="A word or number that stands for no value. May be repeated.")
]
Database = Annotated[str | None, typer.Option("--database", help="The database (DBC) of the bus of a CAN capture.")]
DayFirst = Annotated[
    bool | None, typer.Option("--day-first/--month-first", help="What 03/04 is; default: what the rows show.")
]

About = Annotated[bool, typer.Option("--about", help="What each file tells of itself, and nothing else.")]


class FileWishes(NamedTuple):
    """What the options say of a file."""

    file_format: str | None = None
    time: str | None = None
    time_zone: str | None = None
    columns: list[str] | None = None
    date: str | None = None
    missing: list[str] | None = None
    day_first: bool | None = None
    database: str | None = None


def opened(file: Path, wishes: FileWishes) -> Recording:
    """Return a file's recording; the errors are those of `nilometer.read`."""
    from nilometer.acquisition.formats.reading import read as read_file

    return read_file(
        file,
        format=wishes.file_format,
        time=wishes.time,
        time_zone=wishes.time_zone,
        columns=wishes.columns,
        date=wishes.date,
        missing=wishes.missing or (),
        day_first=wishes.day_first,
        database=wishes.database,
    )


def tell(recording: Recording) -> None:
    """Say what a file tells of itself: format, instrument, zone, what its stamps are, columns, and what was assumed."""
    import numpy as np

    first, last = (str(recording.times[at].astype("datetime64[us]").astype("datetime64[s]")) for at in (0, -1))
    typer.echo(f"{recording.path}: {recording.format}, {len(recording)} rows, {first}Z to {last}Z")
    for key, text in recording.metadata.items():
        if key != "preamble" and not key.startswith("title of "):
            typer.echo(f"  {key}: {text}")
    for name, part in recording.columns.items():
        said = [part.observed_property or "no property", f"{part.unit} ({part.unit_from})", part.statistic]
        said.append(f"{int(np.isfinite(part.values).sum())} values")
        if part.censored is not None:
            said.append(f"{int((part.censored != 0).sum())} are limits")
        typer.echo(f"  column {name}: {', '.join(word for word in said if word)}")
    for note in recording.notes:
        typer.echo(f"  note: {note}")
