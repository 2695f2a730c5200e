"""``nilometer bench``: guided tests of an instrument, over a recording or live at a server's Datastream."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.file_options import FileWishes, Format, Time, Zone
from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from nilometer.cli.bench_file import BenchFile
    from nilometer.trials.bench.procedure import Procedure
    from nilometer.trials.bench.results import TestResult
    from nilometer.trials.bench.run import BenchRun

__all__ = ["register", "show_results"]

_FILES = {"--file", "--steps", "--facts", "--save", "--beside"}


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
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--beside", help="Another unit of the same make: its RUN.jsonl, or its column of --file; once for each."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="REPORT.pdf or .html.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="SHA-256 of the data as a report prints it: others are refused.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="en or zh.")] = "en",
    file_format: Format = None,
    time: Time = None,
    time_zone: Zone = None,
    as_json: AsJson = False,
) -> None:
    """Test an instrument against standards: what to do next, the steady part of each, figures, limits, a report.

    Example: nilometer bench hjt96-2003 --file ph.csv --column pH --steps steps.toml -o report.pdf
    """
    from nilometer.cli.bench_file import BenchFile, toml_of
    from nilometer.cli.report_files import check_report
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
    known = {} if facts is None else toml_of(facts)
    check_report(out, language)
    if out is not None and server is not None and save is None:
        raise ConfigError("--out", seen=str(out), allowed="with --save: a report names the run that it is made of")
    recorded = None
    if file is not None and server is None:
        recorded = BenchFile(file, steps, column, FileWishes(file_format, time, time_zone))
        run = recorded.run(chosen, unit=unit, span=span, known=known, save=save)
    elif server is not None and file is None:
        run = _live(chosen, server, token, datastream, unit, save, language, known)
    elif save is not None and file is None:
        run = _saved(chosen, save, known)
    else:
        raise ConfigError(
            "bench",
            reason="a run needs --file with --steps, or --server with --datastream, or --save with a run that is there",
        )
    run.beside = _beside(run, beside or [], recorded)
    _found(run, out, data, language, as_json=as_json)


def _found(run: BenchRun, out: Path | None, data: str | None, language: str, *, as_json: bool) -> None:
    """Show what came out, of the data that were meant, and write the report."""
    from nilometer.trials.bench.identity import check_data

    if data is not None:
        check_data(run, data)
    show_results(run, language=language, as_json=as_json)
    if out is not None:
        _report(run, out, language)


def _report(run: BenchRun, out: Path, language: str) -> None:
    from nilometer.cli.report_files import command_of
    from nilometer.trials.bench.identity import data_hash
    from nilometer.trials.report import write_report

    words = sys.argv[1:]
    # A live run is made again of what was saved of it.
    without = {"--server", "--datastream", "--unit"} if any(one.startswith("--server") for one in words) else ()
    command = command_of(words, data_hash(run), argument=1, in_folder=_FILES, without=without)
    write_report(run, out, language=language, command=command)
    typer.echo(f"report: {out}", err=True)


def _beside(run: BenchRun, names: list[str], file: BenchFile | None) -> list[BenchRun]:
    """Return runs of other units: saved ones, or those over other columns of the recording."""
    from nilometer.errors import ConfigError
    from nilometer.trials.bench.journal import resumed

    found = []
    for name in names:
        if name.endswith(".jsonl"):
            found.append(other := resumed(Path(name), run.procedure))
            ends = [(one.procedure.low, one.procedure.high) for one in (other, run)]
            if ends[0] != ends[1]:
                raise ConfigError("--beside", seen=f"{name} on {ends[0]}", allowed=f"runs on the range {ends[1]}")
        elif file is not None:
            found.append(file.run_of_unit(run, name))
        else:
            raise ConfigError("--beside", seen=name, allowed="a RUN.jsonl of another unit, or its column of --file")
    return found


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
