"""``nilometer profiles suggest``: thresholds from a file's own history, with what they would have flagged."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.file_options import (
    About,
    Columns,
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
    from nilometer.acquisition.formats.recording import Recording, RecordingColumn
    from nilometer.qc.profile import Profile
    from nilometer.qc.shelf import Shelf
    from nilometer.qc.suggestion import Suggestion

__all__ = ["suggest"]

_OPTIONS = {"season": "--season", "rate": "--false-alarm"}
"""What the library calls an option that cannot be used."""


def suggest(
    file: Annotated[Path, typer.Argument(help="A recording that `nilometer read` opens: months, better years.")],
    *,
    column: Columns = None,
    time: Time = None,
    time_zone: Zone = None,
    file_format: Format = None,
    date: Date = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    about: About = False,
    season: Annotated[str, typer.Option(help="month, quarter, none, or auto: by the length of the history.")] = "auto",
    base: Annotated[
        str | None, typer.Option(help="Profile to inherit from; default: WATER/property. none: stand alone.")
    ] = None,
    water: Annotated[str, typer.Option(help="The water whose profiles are the base.")] = "river",
    data: Annotated[Path | None, typer.Option("--data", help="A data folder with profiles of its own.")] = None,
    false_alarm: Annotated[
        list[str] | None,
        typer.Option(help="Share of good values a test may call suspect: 0.001, or TEST=0.001; default 0.0001."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="OUT.toml, or a folder for several columns; default: here.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="OUT.png, .svg or .pdf: what the thresholds would have flagged.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose a profile from history, by robust statistics: each number with what it came from.

    The history may be raw: fill values, spikes and stuck values are taken into account. Read the proposal before it
    judges anything: it knows what was usual, not what was right.

    Example: nilometer profiles suggest MainStreet2019.csv.gz --column ph -o ph.toml --plot ph.png
    """
    from nilometer.errors import ConfigError
    from nilometer.qc.plot import SUFFIXES
    from nilometer.qc.shelf import Shelf

    if plot is not None and plot.suffix.lower() not in SUFFIXES:
        raise ConfigError("--plot", seen=str(plot), allowed=f"a name that ends in {', '.join(SUFFIXES)}")
    rates = _rates(false_alarm or [])
    recording = opened(file, FileWishes(file_format, time, time_zone, column, date, missing, day_first))
    if about:
        tell(recording)
        return
    for note in recording.notes:
        typer.echo(f"{file}: {note}", err=True)
    parts = recording.columns
    is_folder = out is not None and out.suffix != ".toml"
    if len(parts) > 1 and not is_folder and not (as_json and out is None):
        reason = "a profile is for one column: choose one, or name a folder with -o"
        raise ConfigError("--column", allowed=parts, reason=reason)
    shelf = Shelf.beside(data)
    made = {}
    for name, part in parts.items():
        parent = _base(base, water, part, shelf)
        stem = out.stem if out is not None and not is_folder else (part.observed_property or name)
        try:
            made[name] = _suggested(recording, part, parent, season, rates, stem)
        except ValueError as error:
            option = _OPTIONS.get(error.key.partition(".")[0]) if isinstance(error, ConfigError) else None
            if isinstance(error, ConfigError) and option is not None:
                allowed = error.allowed.split(", ") if error.near else error.allowed
                raise ConfigError(option, seen=error.seen, reason=error.reason, allowed=allowed) from error
            if isinstance(error, ConfigError) or len(parts) == 1:
                raise ConfigError("FILE", seen=str(file), reason=f"column {name}: {error}") from error
            typer.echo(f"{name}: no proposal, {error}", err=True)
    _say(made, out, is_folder=is_folder, as_json=as_json)
    if plot is not None:
        _draw(recording, made, plot)


def _rates(given: list[str]) -> dict[str, float] | float:
    from nilometer.errors import ConfigError
    from nilometer.qc.suggestion import RATE

    rates: dict[str, float] = {}
    general = RATE
    for text in given:
        test, _, share = text.rpartition("=")
        try:
            number = float(share)
        except ValueError:
            allowed = "a share such as 0.001, or TEST=0.001"
            raise ConfigError("--false-alarm", seen=text, allowed=allowed) from None
        if test:
            rates[test] = number
        else:
            general = number
    if not rates:
        return general
    from nilometer.qc.suggestion import PROPOSED

    return dict.fromkeys(PROPOSED, general) | rates


def _base(base: str | None, water: str, part: RecordingColumn, shelf: Shelf) -> Profile | None:
    if base is not None:
        return None if base == "none" else shelf[base]
    name = f"{water}/{part.observed_property}"
    if name in shelf.profiles.items:
        return shelf[name]
    if part.observed_property is not None:
        typer.echo(f"{part.name}: no profile {name} to inherit from; --base names another", err=True)
    return None


def _suggested(
    recording: Recording,
    part: RecordingColumn,
    parent: Profile | None,
    season: str,
    rates: float | Mapping[str, float],
    name: str,
) -> Suggestion:
    from nilometer.qc.suggestion import suggest as from_history

    return from_history(
        part.values,
        recording.times.view("datetime64[us]"),
        unit=part.unit,
        property=part.observed_property or "",
        base=parent,
        season=season,
        rate=rates,
        name=name,
    )


def _write(made: Mapping[str, Suggestion], out: Path | None, *, is_folder: bool) -> None:
    if out is None:
        for suggestion in made.values():
            sys.stdout.write(suggestion.text())
        return
    if not is_folder:
        for suggestion in made.values():
            out.write_text(suggestion.text(), encoding="utf-8")
        return
    out.mkdir(parents=True, exist_ok=True)
    for suggestion in made.values():
        file = out / f"{suggestion.profile.name}.toml"
        file.write_text(suggestion.text(), encoding="utf-8")


def _say(made: Mapping[str, Suggestion], out: Path | None, *, is_folder: bool, as_json: bool) -> None:
    if out is not None or not as_json:
        _write(made, out, is_folder=is_folder)
    if as_json:
        typer.echo(json.dumps({name: _document(suggestion) for name, suggestion in made.items()}, ensure_ascii=False))
        return
    for name, suggestion in made.items():
        _tell(name, suggestion, to_stderr=out is None)


def _document(suggestion: Suggestion) -> dict[str, Any]:
    counts = suggestion.counts()
    return {"profile": suggestion.document, "evidence": suggestion.evidence, "would_flag": counts}


def _tell(name: str, suggestion: Suggestion, *, to_stderr: bool) -> None:
    """Print what the thresholds would have flagged, test by test and season by season."""
    from rich.console import Console
    from rich.table import Table

    counts = suggestion.counts()
    seasons = list(next(iter(counts.values()), {}))
    table = Table(box=None, pad_edge=False, title=f"{name}: values flagged, by test", title_justify="left")
    table.add_column("test")
    for season in seasons:
        table.add_column(season, justify="right")
    for test, row in counts.items():
        table.add_row(test, *(str(count or "·") for count in row.values()))
    console = Console(stderr=to_stderr)
    for line in suggestion.about[1:]:
        console.print(line, style="dim", highlight=False, markup=False)
    console.print(table)


def _draw(recording: Recording, made: Mapping[str, Suggestion], path: Path) -> None:
    import numpy as np

    from nilometer import units
    from nilometer.qc.plot import Panel, draw

    order = np.argsort(recording.times, kind="stable")
    panels: list[Any] = []
    for name, suggestion in made.items():
        part, flags = recording.columns[name], suggestion.would_flag
        panels.append(
            Panel(
                title=f"{name} by {suggestion.profile.name}, as proposed",
                times=recording.times[order],
                values=part.values[order],
                flags=np.asarray(flags.flags)[order],
                tests={test: np.asarray(outcome)[order] for test, outcome in flags.tests.items()},
                unit=units.symbol(part.unit),
                profile=suggestion.profile,
                season=suggestion.season if suggestion.season != "none" else "month",
            )
        )
    draw(panels, path, title=f"What the proposed thresholds would have flagged: {recording.path.name}")
