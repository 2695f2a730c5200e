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

FINDINGS = {
    "met": ("met", "符合"),
    "not_met": ("NOT met", "不符合"),
    "met_unverified": ("met, of an UNVERIFIED limit", "符合（限值未经核实）"),
    "not_met_unverified": ("NOT met, of an UNVERIFIED limit", "不符合（限值未经核实）"),
    "no_limit": ("no limit is known", "无限值"),
    "not_made": ("not made", "未进行"),
}


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
    save: Annotated[
        Path | None, typer.Option("--save", help="RUN.json: saved as it goes, and resumed if it is there.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="en or zh.")] = "en",
    poll_s: Annotated[float, typer.Option("--poll", help="Seconds between two looks at the server.", min=0.05)] = 1.0,
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
    if (file is None) == (server is None):
        raise ConfigError("bench", reason="a run needs --file with --steps, or --server with --datastream")
    if file is not None:
        run = _over_file(chosen, file, column, steps, unit, span, FileWishes(file_format, time, time_zone))
        if save is not None:
            save.write_text(json.dumps(run.to_dict()), encoding="utf-8")
    else:
        from nilometer.cli.bench_live import guide
        from nilometer.client import connect

        if datastream is None:
            raise ConfigError("--datastream", reason="whose values are watched has to be said")
        run = guide(
            chosen,
            connect(str(server), token=token),
            datastream,
            unit=unit,
            save=save,
            language=language,
            poll_s=poll_s,
        )
    show_results(run, language=language, as_json=as_json)


def _over_file(
    procedure: Procedure,
    file: Path,
    column: str | None,
    steps: Path | None,
    unit: str | None,
    span: tuple[float, float] | None,
    wishes: FileWishes,
) -> BenchRun:
    import numpy as np

    from nilometer.errors import ConfigError
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
    run = BenchRun(procedure.on_range(float(low), float(high)), given, dict(asked.get("facts", {})))
    times = np.asarray(recording.times, "datetime64[us]").astype(np.int64)
    over_recording(run, times, part.values, _declared(asked, steps, int(times.max()) + 1 if len(times) else 0))
    return run


def _asked(steps: Path) -> dict[str, Any]:
    from nilometer.errors import ConfigError

    try:
        asked = tomllib.loads(steps.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("TOML", file=steps, reason=str(error)) from error
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
    from nilometer.trials.bench.results import results

    found = results(run)
    if as_json:
        document = {
            "procedure": run.procedure.key,
            "range": [run.procedure.low, run.procedure.high],
            "unit": run.procedure.unit,
            "phase": str(run.phase),
            "notes": run.notes,
            "results": [one.to_dict() for one in found],
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    procedure = run.procedure
    typer.echo(
        f"{procedure.name.get(language, procedure.key)}, {procedure.low:g} … {procedure.high:g} {procedure.unit}"
    )
    for note in run.notes:
        typer.echo(f"  {note}")
    for result in found:
        _show(result, language)


def _show(result: TestResult, language: str) -> None:
    is_chinese = language == "zh"
    finding = FINDINGS[str(result.finding)][is_chinese]
    typer.echo(f"{result.test.name.get(language, result.test.key)}: {finding}")
    for figure in result.figures:
        typer.echo(
            f"  {figure.name} = {_number(figure.value, figure.unit)}{_interval(figure.interval)}{_count(figure.n)}"
        )
        if figure.note:
            typer.echo(f"    {figure.note}")
    limit = result.limit
    if limit is not None:
        bounds = [f"≤ {limit.at_most:g}"] if limit.at_most is not None else []
        bounds += [f"≥ {limit.at_least:g}"] if limit.at_least is not None else []
        bounds += [", ".join(f"{name}: {most:g}" for name, most in limit.classes.items())] if limit.classes else []
        sure = limit.confidence if limit.is_verified else f"{limit.confidence}: unverified"
        typer.echo(f"  {'限值' if is_chinese else 'limit'} {' '.join(bounds)} {limit.unit} ({limit.source}; {sure})")
    typer.echo(f"  {'定义' if is_chinese else 'definition'} ({result.test.confidence}): {result.test.definition}")
    for note in result.notes:
        typer.echo(f"  ! {note}")


def _number(value: float, unit: str) -> str:
    return "—" if math.isnan(value) else f"{value:.4g}{'' if unit == '1' else ' ' + unit}"


def _interval(ends: tuple[float, float]) -> str:
    return "" if math.isnan(ends[0]) else f" (95 %: {ends[0]:.4g} to {ends[1]:.4g})"


def _count(n: int) -> str:
    return f", n = {n}" if n else ""


def register(app: typer.Typer) -> None:
    """Add this family's command."""
    app.command()(bench)
