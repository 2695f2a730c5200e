"""``nilometer bench``: guided tests of an instrument, over a recording or live at a server's Datastream."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.file_options import FileWishes, Format, Time, Zone, opened
from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from nilometer.trials.bench.procedure import Procedure
    from nilometer.trials.bench.results import TestResult
    from nilometer.trials.bench.run import BenchRun

__all__ = ["register", "show_results"]


def bench(
    procedure: Annotated[
        str | None, typer.Argument(help="A procedure, such as hj101-2019, or a file of your own; all when left out.")
    ] = None,
    *,
    file: Annotated[Path | None, typer.Option("--file", help="A recording of the run.")] = None,
    column: Annotated[str | None, typer.Option("--column", help="The column with the values.")] = None,
    steps: Annotated[Path | None, typer.Option("--steps", help="TOML: when which standard was given.")] = None,
    server: Annotated[str | None, typer.Option("--server", help="A running server: the run is live.")] = None,
    datastream: Annotated[str | None, typer.Option("--datastream", help="Key of its Datastream.")] = None,
    token: Annotated[str | None, typer.Option("--token", envvar="NILOMETER_TOKEN", help="Of the server.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Unit of the values, where the source tells none.")] = None,
    span: Annotated[
        tuple[float, float] | None, typer.Option("--range", help="LOW HIGH: the range, in the procedure's unit.")
    ] = None,
    facts: Annotated[
        Path | None, typer.Option("--facts", help="TOML: what is no reading, such as hours or a laboratory's values.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="RUN.jsonl: every input is appended; a run that is there is gone on with."),
    ] = None,
    language: Annotated[str, typer.Option("--language", help="en or zh.")] = "en",
    file_format: Format = None,
    time: Time = None,
    time_zone: Zone = None,
    as_json: AsJson = False,
) -> None:
    """Test an instrument against standards: what to do next, the steady part of each, figures, limits.

    Example: nilometer bench hjt96-2003 --file ph.csv --column pH --steps steps.toml
    """
    from nilometer.errors import ConfigError
    from nilometer.trials.bench.procedure import procedure_of, procedures

    if language not in {"en", "zh"}:
        raise ConfigError("--language", seen=language, allowed=("en", "zh"))
    if procedure is None:
        for key in procedures():
            typer.echo(f"{key}: {procedure_of(key).name[language]} ({procedure_of(key).confidence})")
        return
    chosen = procedure_of(procedure)
    if span is not None:
        chosen = chosen.on_range(*span)
    known = {} if facts is None else _toml(facts)
    if file is not None and server is None:
        wishes = FileWishes(file_format, time, time_zone)
        run = _over_file(chosen, file, column, steps, unit, span, wishes, known, save)
    elif server is not None and file is None:
        run = _live(chosen, server, token, datastream, unit, save, language, known)
    elif save is not None and file is None:
        run = _saved(chosen, save, known)
    else:
        raise ConfigError(
            "bench",
            reason="a run needs --file with --steps, or --server with --datastream, or --save with a run that is there",
        )
    show_results(run, language=language, as_json=as_json)


def _live(
    procedure: Procedure,
    server: str,
    token: str | None,
    datastream: str | None,
    unit: str | None,
    save: Path | None,
    language: str,
    known: dict[str, Any],
) -> BenchRun:
    from nilometer.cli.bench_live import guide
    from nilometer.client import connect
    from nilometer.errors import ConfigError

    if datastream is None:
        raise ConfigError("--datastream", reason="whose values are watched has to be said")
    client = connect(server, token=token)
    return guide(procedure, client, datastream, unit=unit, save=save, language=language, facts=known)


def _saved(procedure: Procedure, save: Path, known: dict[str, Any]) -> BenchRun:
    """Return a run that was saved, with what became known since."""
    from nilometer.trials.bench.journal import Journal, resumed

    if not known:
        return resumed(save, procedure)
    resumed(save, procedure)  # whoever names a file that is not there wants no new one
    with Journal(save, procedure) as journal:
        journal.run.learn(known)
        return journal.run


def _over_file(
    procedure: Procedure,
    file: Path,
    column: str | None,
    steps: Path | None,
    unit: str | None,
    span: tuple[float, float] | None,
    wishes: FileWishes,
    known: dict[str, Any],
    save: Path | None,
) -> BenchRun:
    import numpy as np

    from nilometer.errors import ConfigError
    from nilometer.trials.bench.journal import Journal
    from nilometer.trials.bench.run import BenchRun, over_recording

    if steps is None:
        raise ConfigError("--steps", reason="when which standard was given has to be said: a TOML file with [[step]]")
    recording = opened(file, wishes)
    names = list(recording.columns)
    if column is None and len(names) == 1:
        column = names[0]
    if column not in recording.columns:
        raise ConfigError("--column", seen=column, allowed=names, file=file)
    part = recording.columns[column]
    asked = _asked(steps)
    given = unit or asked.get("unit") or part.unit or procedure.unit
    low, high = span or asked.get("range", (procedure.low, procedure.high))
    chosen, facts = procedure.on_range(float(low), float(high)), {**asked.get("facts", {}), **known}
    times = np.asarray(recording.times, "datetime64[us]").astype(np.int64)
    declared = _declared(asked, steps, int(times.max()) + 1 if len(times) else 0)
    if save is None:
        run = BenchRun(chosen, given, facts)
        over_recording(run, times, part.values, declared)
        return run
    if save.exists():
        raise ConfigError("--save", seen=str(save), reason="it is there: a recording makes a new run")
    with Journal(save, chosen, given, facts) as journal:
        over_recording(journal.run, times, part.values, declared)
        return journal.run


def _toml(file: Path) -> dict[str, Any]:
    from nilometer.errors import ConfigError

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("TOML", file=file, reason=str(error)) from error
    except OSError as error:
        raise ConfigError("TOML", file=file, reason=error.strerror or str(error)) from error


def _asked(steps: Path) -> dict[str, Any]:
    from nilometer.errors import ConfigError

    asked = _toml(steps)
    unknown = [name for name in asked if name not in {"unit", "range", "facts", "step"}]
    if unknown:
        raise ConfigError(unknown[0], file=steps, allowed=("unit", "range", "facts", "step"))
    return asked


def _declared(asked: dict[str, Any], file: Path, end_us: int) -> list[tuple[str, int, int]]:
    """Return steps with begin and end; one without an end lasts until the next."""
    from datetime import datetime

    from nilometer.errors import ConfigError

    rows = asked.get("step", [])
    if not rows:
        raise ConfigError("step", file=file, reason="there is no [[step]] table")

    def moment(row: dict[str, Any], name: str, place: int) -> int:
        value = row.get(name)
        if not isinstance(value, datetime) or value.tzinfo is None:
            allowed = "a time with its zone, such as 2026-05-01T10:00:00Z"
            raise ConfigError(f"step[{place}].{name}", seen=value, allowed=allowed, file=file)
        return round(value.timestamp() * 1e6)

    starts = [moment(row, "start", place) for place, row in enumerate(rows)]
    later = sorted(starts)[1:]
    return [
        (
            str(row.get("key")),
            start,
            moment(row, "end", place) if "end" in row else min((one for one in later if one > start), default=end_us),
        )
        for place, (row, start) in enumerate(zip(rows, starts, strict=True))
    ]


def show_results(run: BenchRun, *, language: str = "en", as_json: bool = False) -> None:
    """Print what came out, test by test."""
    from nilometer.trials.bench.results import document_of, results
    from nilometer.trials.bench.wording import told

    found = results(run)
    if as_json:
        typer.echo(json.dumps(document_of(run, found), ensure_ascii=False))
        return
    procedure = run.procedure
    typer.echo(
        f"{procedure.name.get(language, procedure.key)}, {procedure.low:g} … {procedure.high:g} {procedure.unit}"
    )
    for note in run.notes:
        typer.echo(f"  {told(note, language)}")
    for result in found:
        _show(result, language)


def _show(result: TestResult, language: str) -> None:
    from nilometer.trials.bench.wording import told, word

    typer.echo(f"{result.test.name.get(language, result.test.key)}: {word('finding', str(result.finding), language)}")
    for figure in result.figures:
        if figure.name == result.test.key and math.isnan(figure.value):  # nothing of it was made: its reason is all
            typer.echo(f"  {told(figure.note, language)}")
            continue
        value, interval = _number(figure.value, figure.unit), _interval(figure.interval, language)
        typer.echo(f"  {word('figure', figure.name, language)} = {value}{interval}{_count(figure.n)}")
        if figure.note:
            typer.echo(f"    {told(figure.note, language)}")
    limit = result.limit
    if limit is not None:
        sure = limit.confidence if limit.is_verified else f"{limit.confidence}: {word('part', 'unverified', language)}"
        typer.echo(f"  {word('part', 'limit', language)} {limit.text()} ({limit.source}; {sure})")
    typer.echo(f"  {word('part', 'definition', language)} ({result.test.confidence}): {result.test.definition}")
    for note in result.notes:
        typer.echo(f"  ! {told(note, language)}")


def _number(value: float, unit: str) -> str:
    return "—" if math.isnan(value) else f"{value:.4g}{'' if unit == '1' else ' ' + unit}"


def _interval(ends: tuple[float, float], language: str) -> str:
    from nilometer.trials.bench.wording import word

    if math.isnan(ends[0]):
        return ""
    return f" ({word('part', 'interval', language).format(*(f'{end:.4g}' for end in ends))})"


def _count(n: int) -> str:
    return f", n = {n}" if n else ""


def register(app: typer.Typer) -> None:
    """Add this family's command."""
    app.command()(bench)
