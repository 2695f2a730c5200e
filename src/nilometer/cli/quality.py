"""``nilometer qc``: flag a file, say what was found, draw it, and let a pipeline stop on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.file_options import Columns, Date, DayFirst, FileWishes, Format, Missing, Time, Zone, opened
from nilometer.cli.flag_summary import LEVELS, JudgedColumn, show, stop_on, summary
from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nilometer.acquisition.formats.recording import Recording, RecordingColumn
    from nilometer.qc import Profile
    from nilometer.qc.peer_parts import Parts
    from nilometer.qc.shelf import Shelf

__all__ = ["register"]

_TABLES = (".csv", ".parquet", ".nc")
_PLACES = {"depth": ("depth", "z"), "latitude": ("latitude", "lat"), "longitude": ("longitude", "lon", "long")}


def qc(
    file: Annotated[Path, typer.Argument(help="A file that `nilometer read` opens.")],
    *,
    profile: Annotated[str | None, typer.Option(help="A profile's name or file, for every column.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="An ioos_qc configuration (YAML or JSON), as it is.")
    ] = None,
    water: Annotated[str, typer.Option(help="Take each property's profile for this water.")] = "river",
    data: Annotated[Path | None, typer.Option("--data", help="A data folder with profiles of its own.")] = None,
    file_format: Format = None,
    time: Time = None,
    time_zone: Zone = None,
    column: Columns = None,
    date: Date = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="OUT.csv, .parquet or .nc: every value with its flags.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="OUT.png, .svg or .pdf: the series with their flags.")] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help="suspect or fail: exit status 1 when a value is flagged so, or worse. missing: when a column has not "
            "one value. May be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Flag a file by QARTOD: one row a value, with its flag and every test's outcome.

    Without --profile each column is judged by the profile of its property in that water. Exit status: 0 done, 1 what
    --fail-on names was found, 2 the call or the file was wrong.

    Example: nilometer qc MainStreet2019.csv.gz --water river -o flags.parquet --plot flags.png
    """
    _check_options(profile, config, out, plot, fail_on)
    with _progress() as step:
        chosen = _choice(profile, config, water, data)
        step(f"reading {file.name}")
        recording = _read(file, FileWishes(file_format, time, time_zone, column, date, missing, day_first))
        recording = _in_time_order(recording, cast=chosen.is_down_a_cast(recording))
        places = _places(recording)
        judged: list[JudgedColumn] = []
        work = len(recording.columns) + (out is not None) + (plot is not None)
        for name, part in recording.columns.items():
            step(f"judging {name}", work)
            judged.append(_judge(recording, part, chosen, places))
        if all(one.result is None for one in judged):
            _refuse(file, judged, chosen)
        if out is not None:
            step(f"writing {out.name}", work)
            _write(recording, judged, out)
        if plot is not None:
            step(f"drawing {plot.name}", work)
            _draw(recording, judged, plot)
    told = summary(recording, judged)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        show(told)
    stop_on(fail_on or (), told)


def _check_options(
    profile: str | None, config: Path | None, out: Path | None, plot: Path | None, fail_on: list[str] | None
) -> None:
    from nilometer.errors import ConfigError
    from nilometer.qc.plot import SUFFIXES

    if profile is not None and config is not None:
        raise ConfigError("--config", seen=str(config), reason="give either --profile or --config")
    if out is not None and out.suffix not in _TABLES:
        raise ConfigError("--out", seen=str(out), allowed=f"a name that ends in {', '.join(_TABLES)}")
    if plot is not None and plot.suffix.lower() not in SUFFIXES:
        raise ConfigError("--plot", seen=str(plot), allowed=f"a name that ends in {', '.join(SUFFIXES)}")
    for level in fail_on or ():
        if level not in LEVELS:
            raise ConfigError("--fail-on", seen=level, allowed=LEVELS)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Where the profile of a column comes from: one for all, a configuration by column, or the water's."""

    water: str
    shelf: Shelf
    one: Profile | Parts | None = None
    by_column: Mapping[str, Profile | Parts] | None = None

    def of(self, part: RecordingColumn) -> tuple[Profile | Parts | None, str]:
        """Return the profile of a column, or why there is none."""
        if self.one is not None:
            return self.one, ""
        if self.by_column is not None:
            return self.by_column.get(part.name), "the configuration does not name it"
        if part.observed_property is None:
            return None, "its name does not say what it measures; name a profile"
        name = f"{self.water}/{part.observed_property}"
        if name not in self.shelf.profiles.items:
            return None, f"there is no profile {name}"
        return self.shelf[name], ""

    def is_down_a_cast(self, recording: Recording) -> bool:
        """Whether every profile that judges a column of this file runs down a cast."""
        profiles = [profile for profile, _ in map(self.of, recording.columns.values()) if profile is not None]
        return bool(profiles) and all(profile.along == "depth" for profile in profiles)


def _choice(profile: str | None, config: Path | None, water: str, data: Path | None) -> _Choice:
    from nilometer.errors import ConfigError
    from nilometer.qc.peer import streams
    from nilometer.qc.peer_contexts import DEFAULT_STREAM
    from nilometer.qc.shelf import Shelf

    if data is not None and not data.is_dir():
        raise ConfigError("--data", seen=str(data), reason="there is no such folder")
    shelf = Shelf.beside(data)
    if profile is not None:
        return _Choice(water, shelf, one=shelf[profile])
    if config is not None:
        found = streams(config)
        one = found.pop(DEFAULT_STREAM, None)  # tests without a stream's name are for every column
        if one is not None:
            return _Choice(water, shelf, one=replace(one, name=config.stem))
        return _Choice(water, shelf, by_column=found)
    waters = {name.partition("/")[0] for name in shelf.profiles.items}
    if water not in waters:
        raise ConfigError("--water", seen=water, allowed=waters, reason="no profiles for this water")
    return _Choice(water, shelf)


def _read(file: Path, wishes: FileWishes) -> Recording:
    from nilometer.errors import ReadError

    recording = opened(file, wishes)
    for note in recording.notes:
        typer.echo(f"{file}: {note}", err=True)
    if len(recording) == 0:
        raise ReadError("there is not one row of values in this file", path=file)
    if not recording.columns:
        raise ReadError("there is no column of numbers in this file; name one with --column", path=file)
    return recording


def _in_time_order(recording: Recording, *, cast: bool) -> Recording:
    """Return the rows in time order, and say what the order of the file was; those of one time stay as they are."""
    import numpy as np

    back = int((np.diff(recording.times) < 0).sum())
    order = np.argsort(recording.times, kind="stable")
    ordered = recording if back == 0 else recording.taken(order)
    if back:
        typer.echo(f"{recording.path}: {back} times the clock goes back; the rows are judged in time order", err=True)
    twice = int((np.diff(ordered.times) == 0).sum())
    if twice and not cast:  # down a cast depth goes on where time does not
        what = "such a row gets the point tests only, the others are NOT_EVALUATED"
        typer.echo(f"{recording.path}: {twice} times a row has the time of the row before; {what}", err=True)
    return ordered


def _judge(
    recording: Recording, part: RecordingColumn, chosen: _Choice, places: Mapping[str, NDArray[Any]]
) -> JudgedColumn:
    from nilometer import units
    from nilometer.errors import ConfigError
    from nilometer.qc import check
    from nilometer.qc.peer_parts import Parts

    profile, reason = chosen.of(part)
    if profile is None:
        return JudgedColumn(part, part.values, None, reason)
    times = recording.times.view("datetime64[us]")
    others = {name: (other.values, times) for name, other in _others(recording, part).items()}
    beside: dict[str, Any] = {**places, "others": others}
    if profile.along == "depth" and "depth" not in places:
        reason = f"its tests run down a cast, and {recording.path} has no column of numbers called depth or z"
        raise ConfigError("--profile", seen=profile.name, reason=reason, allowed='a profile with along = "time"')
    if isinstance(profile, Parts):
        return JudgedColumn(part, part.values, profile.check(part.values, times, unit=part.unit, **beside))
    if profile.unit and not units.same_dimension(profile.unit, part.unit):
        reason = f"it is in {profile.unit}, column {part.name} is in {part.unit}; choose columns with --column"
        raise ConfigError("--profile", seen=profile.name, reason=reason)
    return JudgedColumn(part, part.values, check(part.values, profile, times, unit=part.unit, **beside))


def _others(recording: Recording, part: RecordingColumn) -> dict[str, RecordingColumn]:
    """Return the other columns by name and by observed property, for tests of several series."""
    others = {name: other for name, other in recording.columns.items() if other is not part}
    by_property = {other.observed_property: other for other in others.values() if other.observed_property is not None}
    return {**by_property, **others}


def _places(recording: Recording) -> dict[str, NDArray[Any]]:
    """Return depth (in m, down), latitude and longitude of the rows, as far as the file has columns of these names."""
    import numpy as np
    import pyarrow as pa

    from nilometer import units
    from nilometer.acquisition.formats.naming import meaning, split_name

    beside = {name: (part.values, part.unit) for name, part in recording.columns.items()}
    for name, column in recording.aside.items():  # what --column does not name keeps its unit in its name
        try:
            values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue  # words, which are no place
        beside[split_name(name)[0]] = (values, meaning(name).unit)
    by_name = {name.casefold(): values for name, values in beside.items()}
    found = {}
    for place, names in _PLACES.items():
        called = [name for name in names if name in by_name]
        if not called:
            continue
        name = called[0]
        values, unit = by_name[name]
        found[place] = units.convert(values, unit, "m") if units.same_dimension(unit, "m") else values
        # A CF z is a height where nothing says otherwise; no water is above its surface.
        if name == "z" and np.nanmax(found[place], initial=-np.inf) <= 0 and np.nanmin(found[place], initial=0) < 0:
            found[place] = -found[place]
            typer.echo(f"{recording.path}: z counts upwards; its depth is taken to be -z", err=True)
    return found


def _refuse(file: Path, judged: list[JudgedColumn], chosen: _Choice) -> None:
    from nilometer.errors import ConfigError

    if chosen.by_column is not None:
        columns = [one.part.name for one in judged]
        reason = f"no column of {file} has a name of the configuration's ({', '.join(chosen.by_column)})"
        raise ConfigError("--config", allowed=columns, reason=reason)
    known = ", ".join(f"{one.part.name} ({one.part.observed_property or '?'})" for one in judged)
    fitting = [name for name in chosen.shelf.profiles.items if name.startswith(f"{chosen.water}/")]
    reason = f"no column of {file} has a profile for {chosen.water}: {known}; name one for all"
    raise ConfigError("--profile", allowed=fitting, reason=reason)


def _write(recording: Recording, judged: list[JudgedColumn], out: Path) -> None:
    """Write one row a value with its flags, or a netCDF file with ancillary flag variables."""
    import numpy as np

    if out.suffix == ".nc":
        from nilometer.qc.cf import Judged, write

        columns = [
            Judged(
                name=one.part.name,
                values=one.values,
                result=one.result,
                unit=one.part.unit,
                observed_property=one.part.observed_property,
                censored=one.part.censored,
            )
            for one in judged
        ]
        write(out, recording.times, columns, attributes={"source": recording.path.name})
        return
    import pyarrow as pa
    from pyarrow import csv, parquet

    from nilometer.model.schemas import TIME

    times = pa.array(recording.times).cast(TIME)
    tables = [
        pa.table(
            {
                "phenomenon_time": times,
                "column": pa.array([one.part.name] * len(times)).dictionary_encode(),
                "result": pa.array(one.values, mask=np.isnan(one.values)),
                "result_quality": pa.array(np.asarray(one.result.flags), pa.int8()),
                **{test: pa.array(np.asarray(outcome), pa.int8()) for test, outcome in one.result.tests.items()},
            }
        )
        for one in judged
        if one.result is not None
    ]
    table = pa.concat_tables(tables, promote_options="default")
    if out.suffix == ".csv":
        csv.write_csv(table, out)
    else:
        parquet.write_table(table, out, compression="zstd")


def _draw(recording: Recording, judged: list[JudgedColumn], path: Path) -> None:
    import numpy as np

    from nilometer import units
    from nilometer.qc.plot import Panel, draw

    panels = [
        Panel(
            title=f"{one.part.name} by {one.result.profile.name} {one.result.profile.version}",
            times=recording.times,
            values=one.values,
            flags=np.asarray(one.result.flags),
            tests={test: np.asarray(outcome) for test, outcome in one.result.tests.items()},
            unit=units.symbol(one.part.unit),
            profile=one.result.profile,
        )
        for one in judged
        if one.result is not None
    ]
    draw(panels, path, title=recording.path.name)


@contextmanager
def _progress() -> Iterator[Any]:
    """Show on a terminal what is being done and for how long; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=None)  # until the file is read nobody knows how much there is to do

        def step(what: str, work: int | None = None) -> None:
            begun = progress.tasks[0].total is not None
            progress.update(task, description=what, total=work, advance=1 if begun else 0)

        yield step


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(qc)
