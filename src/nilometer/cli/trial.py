"""``nilometer trial``: a candidate beside a reference, by a plan that was frozen before the first datum."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from nilometer.cli import trial_server
from nilometer.cli.listing import AsJson
from nilometer.cli.report_files import check_report, command_of
from nilometer.errors import ConfigError

if TYPE_CHECKING:
    from nilometer.trials.planning.plan import Plan
    from nilometer.trials.result import Comparison, TrialResult

__all__ = ["register", "trial"]


class _RunByDefault(TyperGroup):
    """A group whose first word is a command, or else a plan or a series: then it is run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- typer brings a click of its own
        """Put the word that was left out."""
        asks_for_help = args and args[0] in {"-h", "--help"}
        if args and args[0] not in self.commands and not asks_for_help:
            args = ["run", *args]
        return super().parse_args(ctx, args)


trial = typer.Typer(
    cls=_RunByDefault,
    help="Prove that a sensor is not inferior to its reference, by a plan with margins frozen beforehand. "
    'Example: nilometer trial PLAN.toml -o report.pdf, or nilometer trial new.csv old.csv --margin "0.3 mg L-1"',
    no_args_is_help=True,
)

Plans = Annotated[Path, typer.Argument(help="The plan, a TOML file.")]
By = Annotated[str, typer.Option("--by", help="Who does it: stands in the record.")]


@trial.command()
def run(
    candidate: Annotated[str, typer.Argument(metavar="PLAN.toml|CANDIDATE", help="A plan; or a file or Datastream.")],
    reference: Annotated[str | None, typer.Argument(help="What the candidate stands beside, without a plan.")] = None,
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="REPORT.pdf or .html; or .json with all figures.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the report: en or zh.")] = "en",
    margin: Annotated[str | None, typer.Option(help='Without a plan: "0.3 mg L-1", or "5 %" of the reference.')] = None,
    statistic: Annotated[str, typer.Option(help="Without a plan: what is held against the margin.")] = "bias",
    column: Annotated[str | None, typer.Option(help="Without a plan: the candidate's column.")] = None,
    reference_column: Annotated[str | None, typer.Option(help="The reference's column; default: the same.")] = None,
    unit: Annotated[str | None, typer.Option(help="Without a plan: unit of both, where the files tell none.")] = None,
    observed_property: Annotated[
        str, typer.Option("--property", help="Without a plan: what both measure (a vocabulary key).")
    ] = "",
    time_zone: Annotated[str, typer.Option(help="Without a plan: zone of times that carry none.")] = "UTC",
    server: Annotated[str | None, typer.Option(help="URL of the server that has the Datastreams.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="NILOMETER_TOKEN", help="Its token, where it asks for one.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="Datastreams as they were known at this moment (ISO 8601).")] = None,
    resamples: Annotated[int, typer.Option(min=1000, help="Of the bootstrap.")] = 10_000,
    data: Annotated[
        str | None, typer.Option(help="SHA-256 of the data as a report prints it: others are refused.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a trial: say what was shown, in which range, and how sure it is.

    Example: nilometer trial PLAN.toml -o report.pdf
    """
    from nilometer.trials.planning.freezing import verify
    from nilometer.trials.planning.history import Frozen
    from nilometer.trials.planning.plan import load_plan, parse_plan
    from nilometer.trials.trial import run_trial

    check_report(out, language, (".pdf", ".html", ".json"))
    frozen = Frozen()
    if reference is None:
        path = Path(candidate)
        plan, folder = load_plan(path), path.parent
        frozen = verify(plan, path)
    else:
        folder = Path()
        plan = parse_plan(
            _without_plan(
                candidate, reference, margin, statistic, (column, reference_column), unit, observed_property,
                time_zone, server,
            )
        )  # fmt: skip
    done = run_trial(
        plan,
        folder,
        frozen=frozen,
        rows=_client(plan, server, token, as_of),
        tell=_teller(as_json=as_json),
        resamples=resamples,
        now=datetime.now(UTC),
        data_hash=data,
    )
    if out is not None:
        _write(done, out, language)
    if as_json:
        typer.echo(json.dumps(done.to_dict(), ensure_ascii=False))
        return
    _show(done)
    if out is not None:
        typer.echo(f"report: {out}")


@trial.command()
def new(plan: Plans) -> None:
    """Write a plan to be filled in, with every key explained.

    Example: nilometer trial new PLAN.toml
    """
    from importlib import resources

    text = (resources.files("nilometer.trials.planning") / "plan_template.toml").read_text(encoding="utf-8")
    try:
        with plan.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError("plan", seen=str(plan), allowed="a file that does not exist yet") from None
    except OSError as error:
        raise ConfigError("plan", seen=str(plan), allowed=f"a folder that can be written ({error.strerror})") from error
    typer.echo(f"{plan}: fill it in, then: nilometer trial check {plan}; nilometer trial freeze {plan}")


@trial.command()
def check(plan: Plans) -> None:
    """Check a plan, and say whether it is frozen and unchanged.

    Example: nilometer trial check PLAN.toml
    """
    from nilometer.trials.planning.freezing import verify
    from nilometer.trials.planning.plan import load_plan

    read = load_plan(plan)
    frozen = verify(read, plan)
    typer.echo(f"{plan}: {read.trial.title}")
    typer.echo(f"  plan {read.hash()}")
    if not frozen.entries:
        typer.echo("  not frozen: freeze it before the first datum, or its trial only explores")
    for entry in frozen.entries:
        told = f"amended: {entry.why}" if entry.before else "frozen"
        typer.echo(f"  {entry.at} {told}{f' ({entry.by})' if entry.by else ''}")


@trial.command("plan")
def size(
    pilot: Annotated[Path, typer.Argument(help="A plan whose data are those of a pilot: some weeks side by side.")],
    *,
    power: Annotated[float, typer.Option(help="Wanted chance to show each claim, if it is true.")] = 0.8,
    difference: Annotated[
        float | None, typer.Option(help="How far from its ideal the statistic is expected; default: as in the pilot.")
    ] = None,
    arbiter_uncertainty: Annotated[
        float, typer.Option(help="Standard uncertainty of one grab sample, in the unit of the trial.")
    ] = 0.0,
    server: Annotated[str | None, typer.Option(help="URL of the server that has the Datastreams.")] = None,
    token: Annotated[str | None, typer.Option(envvar="NILOMETER_TOKEN", help="Its token.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how long a trial has to be: days, references, grab samples, for a wanted power.

    Example: nilometer trial plan PILOT.toml --power 0.9
    """
    from nilometer.trials.planning.plan import load_plan
    from nilometer.trials.sizing import sizes

    plan = load_plan(pilot)
    found = sizes(
        plan,
        pilot.parent,
        rows=_client(plan, server, token),
        power=power,
        difference=difference,
        arbiter_uncertainty=arbiter_uncertainty,
    )
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in found], ensure_ascii=False))
        return
    for one in found:
        typer.echo(f"{one.candidate} beside {one.reference}, {one.endpoint}: {one.told()}")


@trial.command()
def freeze(plan: Plans, *, by: By = "") -> None:
    """Freeze a plan: from now on its margins change by amendments alone.

    Example: nilometer trial freeze PLAN.toml --by "Li Na"
    """
    from nilometer.trials.planning.freezing import freeze as frozen
    from nilometer.trials.planning.plan import load_plan

    done = frozen(load_plan(plan), plan, at=datetime.now(UTC), by=by)
    typer.echo(f"{plan} is frozen since {done.entries[-1].at}")
    typer.echo(f"  {done.hash}")
    typer.echo("Keep this line where others can see it: it proves that the plan was not changed.")


@trial.command()
def amend(
    plan: Plans, *, why: Annotated[str, typer.Option(help="The reason, which the report prints.")], by: By = ""
) -> None:
    """Take the plan as it is now for an amendment of the frozen one.

    Example: nilometer trial amend PLAN.toml --why "the river rose over the probe"
    """
    from nilometer.trials.planning.freezing import amend as amended
    from nilometer.trials.planning.plan import load_plan

    done = amended(load_plan(plan), plan, at=datetime.now(UTC), why=why, by=by)
    for change in done.entries[-1].changes:
        typer.echo(f"  {change['key']}: {change['before']} became {change['after']}")
    typer.echo(f"{plan} is amended since {done.entries[-1].at}")
    typer.echo(f"  {done.hash}")


_MARGIN = re.compile(r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![0-9.,])\s*(\S.*)?")


def _without_plan(
    candidate: str,
    reference: str,
    margin: str | None,
    statistic: str,
    columns: tuple[str | None, str | None],
    unit: str | None,
    observed_property: str,
    time_zone: str,
    server: str | None,
) -> dict[str, Any]:
    """Return the plan that a call without one amounts to: one endpoint, and nothing frozen."""
    found = None if margin is None else _MARGIN.fullmatch(margin)
    if found is None:
        raise ConfigError("--margin", seen=margin, allowed='a number with its unit, such as "0.3 mg L-1" or "5 %"')
    value, told = float(found[1]), (found[2] or "").strip()
    is_relative = told == "%"
    whole = unit or (told if told and not is_relative else "")
    if not whole:
        raise ConfigError("--unit", seen=unit, allowed="the unit of both series, such as mg L-1; 1 for pH")
    endpoint = {"name": "agreement", "statistic": statistic, "margin": value / 100.0 if is_relative else value}
    endpoint |= {"relative": True} if is_relative else {"unit": told or whole}
    places = [
        {"datastream": name} if server is not None else {"file": name, "unit": unit, "column": column}
        for name, column in ((candidate, columns[0]), (reference, columns[1] or columns[0]))
    ]
    sources = [{key: each for key, each in place.items() if each is not None} for place in places]
    names = [Path(candidate).stem, Path(reference).stem]
    if names[0] == names[1]:
        names = [f"{names[0]} {columns[0] or '(candidate)'}", f"{names[1]} {columns[1] or '(reference)'}"]
    return {
        "trial": {
            "title": f"{names[0]} beside {names[1]}",
            "property": observed_property or columns[0] or "result",
            "unit": whole,
            "time_zone": time_zone,
            "server": server,
        },
        "candidate": [{"name": names[0], **sources[0]}],
        "reference": [{"name": names[1], **sources[1]}],
        "endpoint": [endpoint],
    }


def _client(plan: Plan, server: str | None, token: str | None, as_of: str | None = None) -> Any:  # noqa: ANN401 -- a client, or None
    from nilometer.client import connect

    url = server or plan.trial.server
    if url is None:
        return None
    client = connect(url, token=token)
    return client if as_of is None else trial_server.RowsAsOf(client, as_of)


def _teller(*, as_json: bool) -> Any:  # noqa: ANN401 -- a callable
    def tell(text: str) -> None:
        typer.echo(f"  {text}", err=True)

    return (lambda _text: None) if as_json or not sys.stderr.isatty() else tell


def _write(done: TrialResult, out: Path, language: str) -> None:
    if out.suffix == ".json":
        out.write_text(json.dumps(done.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return
    from nilometer.trials.report import write_report

    words = sys.argv[1:]
    command = command_of(words, done.data_hash, argument=1 + (words[:2] == ["trial", "run"]))
    write_report(done, out, language=language, command=command)


def _show(done: TrialResult) -> None:
    typer.echo(f"{done.plan.trial.title}")
    if not done.is_confirmatory:
        typer.echo("  explores: the plan was not frozen before the first datum, or what moves the answer was changed")
    for one in done.comparisons:
        _show_comparison(one)
    for part in done.taken:
        for note in part.notes:
            typer.echo(f"note: {part.name} ({part.place}): {note}", err=True)
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"data {done.data_hash}")


def _show_comparison(one: Comparison) -> None:
    from nilometer.trials.wording import outcome_words, range_words

    told = range_words(one.grade)
    typer.echo(
        f"{one.candidate} beside {one.reference}: {outcome_words(one.grade.outcome)}{f', {told}' if told else ''}"
    )
    for decision in one.decisions:
        typer.echo(f"  {decision.endpoint.name}: {outcome_words(decision.outcome)}. {decision.reason}")
        if decision.note:
            typer.echo(f"  note: {decision.note}", err=True)
    for figure in one.figures:
        low, high = figure.interval
        ends = f" [{low:.4g}, {high:.4g}]" if low == low and high == high else ""  # noqa: PLR0124 -- NaN
        unit = "" if figure.unit == "1" else f" {figure.unit}"
        typer.echo(f"  {figure.name}: {figure.value:.4g}{ends}{unit}{f'  ({figure.note})' if figure.note else ''}")
    for note in (*one.alignment.notes, *one.grade.notes):
        typer.echo(f"  note: {note}", err=True)


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    trial_server.register(trial)
    app.add_typer(trial, name="trial")
