"""``nilometer rating``: fit a rating curve to gaugings, show one, and make discharge and volumes of stages."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    from nilometer.derivation.gaugings import Gaugings
    from nilometer.derivation.rating import RatingCurve
    from nilometer.derivation.rating_check import RatingCheck
    from nilometer.derivation.rating_fit import RatingFit
    from nilometer.derivation.rating_history import RatingHistory

__all__ = ["rating", "rating_of", "register"]

rating = typer.Typer(
    help="Rating curves: discharge from stage, with its uncertainty. "
    "Example: nilometer rating fit gaugings.csv -o curve.json",
    no_args_is_help=True,
)

StageColumn = Annotated[str | None, typer.Option("--stage", help="The gaugings' column of stages.")]
FlowColumn = Annotated[str | None, typer.Option("--discharge", help="Their column of discharges.")]
SpreadColumn = Annotated[
    str | None, typer.Option("--uncertainty", help="Their column of standard uncertainties of the discharge.")
]
Coverage = Annotated[float, typer.Option("--coverage-factor", help="2 where the uncertainties are expanded (U).")]
UnitStage = Annotated[str | None, typer.Option("--unit-stage", help="Unit of the stages, where the file tells none.")]
UnitFlow = Annotated[str | None, typer.Option("--unit-discharge", help="Unit of the discharges, likewise.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="OUT.png, .svg or .pdf: curve, band, gaugings.")]


@rating.command()
def fit(
    gaugings: Annotated[Path, typer.Argument(help="Gaugings: delimited text with stage and discharge.")],
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="OUT.json or .toml: the curve, for show, apply and [[derived]].")
    ] = None,
    stage: StageColumn = None,
    discharge: FlowColumn = None,
    uncertainty: SpreadColumn = None,
    coverage_factor: Coverage = 1.0,
    unit_stage: UnitStage = None,
    unit_discharge: UnitFlow = None,
    to_unit: Annotated[
        tuple[str, str] | None, typer.Option("--in", help="Units of the curve, such as m m3/s; default: the file's.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Take gaugings from this time (ISO 8601).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Take gaugings before this time.")] = None,
    segments: Annotated[
        int | None, typer.Option(help="How many; default: as the gaugings ask for, up to three.")
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option(help="any, section, channel or v_notch: of all segments, or one of each.")
    ] = None,
    at_break: Annotated[
        list[str] | None, typer.Option("--break", help="STAGE,U: a break that is known, with its standard uncertainty.")
    ] = None,
    zero_flow: Annotated[
        str | None, typer.Option(help="STAGE,U: the stage of zero flow, where it was surveyed.")
    ] = None,
    limits: Annotated[
        tuple[float, float] | None, typer.Option(help="Stages up to which the curve may be extrapolated.")
    ] = None,
    sample: Annotated[int, typer.Option(help="Curves that are kept for the uncertainty.")] = 500,
    robust: Annotated[bool, typer.Option("--robust", help="Let a wild gauging weigh less.")] = False,
    station: Annotated[str, typer.Option(help="Whose curve it is.")] = "",
    valid_from: Annotated[str | None, typer.Option(help="Since when it holds (ISO 8601); default: always.")] = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Fit a rating curve, say how sure it is, and how the gaugings lie about it.

    Example: nilometer rating fit gaugings.csv --unit-stage ft --unit-discharge ft3/s -o curve.json --plot curve.png
    """
    from nilometer.derivation.rating import moment
    from nilometer.derivation.rating_fit import fit as fitted

    _check_names(out, plot)
    found = _gaugings(gaugings, stage, discharge, uncertainty, coverage_factor, unit_stage, unit_discharge)
    if to_unit is not None:
        found = found.converted(*to_unit)
    found = found.between(
        *(None if text is None else _time(text, name) for text, name in ((start, "--from"), (end, "--to")))
    )
    made = fitted(
        found.stage, found.discharge, found.uncertainty, stage_uncertainty=_known(found), segments=segments,
        controls=_controls(control), breaks=None if not at_break else [_pair(text, "--break") for text in at_break],
        zero_flow=None if zero_flow is None else _pair(zero_flow, "--zero-flow"), limits=limits, robust=robust,
        unit_stage=found.unit_stage, unit_discharge=found.unit_discharge, station=station,
        valid_from=moment(valid_from), sample_size=sample,
    )  # fmt: skip
    if out is not None:
        out.write_text(_document(made.curve, out.suffix), encoding="utf-8")
    checked = _checked(made.curve, found)
    if plot is not None:
        _draw(made.curve, found, plot)
    if as_json:
        typer.echo(json.dumps(_told_fit(made, found, checked), ensure_ascii=False))
        return
    _show_curve(made.curve, len(found))
    typer.echo("information criterion by segments: " + ", ".join(f"{k}: {v:.1f}" for k, v in made.waic.items()))
    for row in made.parameters():
        where = f"segment {row['segment']} {row['parameter']}" if row["segment"] else row["parameter"]
        typer.echo(
            f"  {where}: {row['curve']:.5g} (median {row['median']:.5g}, 95 % {row['lower']:.5g} to {row['upper']:.5g})"
        )
    for text in (*found.notes, *made.warnings, *checked.findings(), *_out(checked, found)):
        typer.echo(f"note: {text}", err=True)


@rating.command()
def show(
    curve: Annotated[Path, typer.Argument(help="A curve or history (JSON, TOML), or a USGS rating (RDB).")],
    *,
    table: Annotated[float | None, typer.Option("--table", help="Step of a table of stage and discharge.")] = None,
    gaugings: Annotated[Path | None, typer.Option(help="Gaugings to hold against the newest curve.")] = None,
    stage: StageColumn = None,
    discharge: FlowColumn = None,
    uncertainty: SpreadColumn = None,
    coverage_factor: Coverage = 1.0,
    unit_stage: UnitStage = None,
    unit_discharge: UnitFlow = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Show a curve: its segments, a table of it, and gaugings against it with the shift that each would need.

    Example: nilometer rating show curve.json --table 0.1 --gaugings new.csv
    """
    _check_names(None, plot)
    newest = rating_of([curve]).curves[-1]
    found = checked = None
    if gaugings is not None:
        found = _gaugings(gaugings, stage, discharge, uncertainty, coverage_factor, unit_stage, unit_discharge)
        found = found.converted(newest.unit_stage, newest.unit_discharge)
        checked = _checked(newest, found)
    rows = [] if table is None else _table(newest, table)
    if plot is not None:
        _draw(newest, found, plot)
    if as_json:
        document = {key: value for key, value in newest.to_document().items() if key != "sample"}
        told = None if checked is None or found is None else _told_check(checked, found)
        typer.echo(json.dumps({"curve": document, "table": rows, "check": told}, ensure_ascii=False))
        return
    _show_curve(newest, None)
    for row in rows:
        beyond = " extrapolated" if row["extrapolated"] else ""
        if row["uncertainty"] is None:
            typer.echo(f"  {row['stage']:.4g}: {row['discharge']:.5g} (u not known){beyond}")
            continue
        typer.echo(
            f"  {row['stage']:.4g}: {row['discharge']:.5g} (u {row['uncertainty']:.2g}, 95 % {row['lower']:.5g} to "
            f"{row['upper']:.5g}){beyond}"
        )
    if checked is not None and found is not None:
        _show_check(checked, found, newest)


def rating_of(files: list[Path]) -> RatingHistory:
    """Return the ratings of files, each a curve, a history or a rating of the USGS, as one history.

    Raises
    ------
    ReadError
        If a file is none of them.
    CalibrationError
        If a curve cannot be applied, or two of them do not go together.
    """
    from nilometer.derivation.rating_history import RatingHistory

    found = [_one_rating(file) for file in files]
    return RatingHistory(
        [curve for one in found for curve in one.curves], [shift for one in found for shift in one.shifts]
    )


def _one_rating(file: Path) -> RatingHistory:
    from nilometer.derivation.rating_history import RatingHistory
    from nilometer.derivation.rating_table import read_usgs
    from nilometer.errors import ReadError

    if file.suffix not in {".json", ".toml"}:
        return RatingHistory([read_usgs(file)])
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (ValueError, UnicodeDecodeError) as error:  # those of both readers are of ValueError
        raise ReadError(f"this is no {file.suffix[1:].upper()}: {error}", path=file) from error
    if not isinstance(document, dict):
        raise ReadError("a rating is a table of keys", path=file)
    return RatingHistory.from_document(document)


def _check_names(out: Path | None, plot: Path | None) -> None:
    from nilometer.derivation.rating_plot import SUFFIXES
    from nilometer.errors import ConfigError

    if out is not None and out.suffix not in {".json", ".toml"}:
        raise ConfigError("--out", seen=str(out), allowed="a name that ends in .json or .toml")
    if plot is not None and plot.suffix.lower() not in SUFFIXES:
        raise ConfigError("--plot", seen=str(plot), allowed=f"a name that ends in {', '.join(SUFFIXES)}")


def _gaugings(
    file: Path, stage: str | None, discharge: str | None, uncertainty: str | None, coverage: float,
    unit_stage: str | None, unit_discharge: str | None,
) -> Gaugings:  # fmt: skip
    from nilometer.derivation.gaugings import read_gaugings
    from nilometer.errors import ConfigError

    if not coverage > 0:
        raise ConfigError("--coverage-factor", seen=coverage, allowed="a number above 0, such as 2")
    return read_gaugings(
        file, stage=stage, discharge=discharge, uncertainty=uncertainty, unit_stage=unit_stage,
        unit_discharge=unit_discharge, coverage_factor=coverage,
    )  # fmt: skip


def _document(curve: RatingCurve, suffix: str) -> str:
    document = curve.to_document()
    if suffix == ".json":
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    lines = []
    for key, value in document.items():
        if key == "segments":
            parts = [", ".join(f"{name} = {number!r}" for name, number in part.items()) for part in value]
            lines.append("segments = [\n" + "".join(f"  {{ {part} }},\n" for part in parts) + "]")
        elif key == "sample":
            lines.append("sample = [\n" + "".join(f"  {json.dumps(row)},\n" for row in value) + "]")
        else:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _time(text: str, name: str) -> int:
    from nilometer.derivation.rating import moment
    from nilometer.errors import ConfigError

    try:
        return moment(text)
    except ValueError as error:
        raise ConfigError(name, seen=text, allowed="ISO 8601, such as 2024-01-01T08:00:00Z") from error


def _pair(text: str, name: str) -> tuple[float, float]:
    from nilometer.errors import ConfigError

    try:
        at, spread = (float(part) for part in text.split(","))
    except ValueError:
        allowed = "a stage and its standard uncertainty, such as 4.2,0.1"
        raise ConfigError(name, seen=text, allowed=allowed) from None
    return at, spread


def _controls(named: list[str] | None) -> Any:  # noqa: ANN401 -- one for all, or a list
    if not named:
        return "any"
    return named[0] if len(named) == 1 else named


def _known(found: Gaugings) -> Any:  # noqa: ANN401 -- an array
    import numpy as np

    return np.nan_to_num(found.stage_uncertainty)


def _checked(curve: RatingCurve, found: Gaugings) -> RatingCheck:
    from nilometer.derivation.rating_check import check

    return check(curve, found.stage, found.discharge, found.uncertainty, _known(found))


def _table(curve: RatingCurve, step: float) -> list[dict[str, Any]]:
    import numpy as np

    from nilometer.errors import ConfigError

    low, high = curve.limits
    if not 0 < step <= high - low or (high - low) / step > 100_000:
        raise ConfigError("--table", seen=step, allowed=f"a step of the stages between {low:g} and {high:g}")
    stage = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    stage = np.clip(stage, low, high)
    found = curve.discharge(stage)
    names = ("value", "uncertainty", "lower", "upper")
    columns = [[_number(value) for value in getattr(found, name)] for name in names]
    columns.append(found.extrapolated.tolist())
    return [
        {"stage": h, "discharge": q, "uncertainty": u, "lower": low_q, "upper": high_q, "extrapolated": beyond}
        for h, q, u, low_q, high_q, beyond in zip(stage.tolist(), *columns, strict=True)
    ]


def _draw(curve: RatingCurve, found: Gaugings | None, plot: Path) -> None:
    from nilometer.derivation.rating_plot import draw

    if found is None:
        draw(curve, plot)
    else:
        draw(curve, plot, found.stage, found.discharge)


def _show_curve(curve: RatingCurve, count: int | None) -> None:
    from nilometer.units import symbol

    stage, flow = symbol(curve.unit_stage), symbol(curve.unit_discharge)
    held = f", {count} gaugings" if count is not None else ""
    low, high = curve.gauged_range
    name = curve.station or "rating curve"
    scatter = f"{100 * curve.scatter:.1f} %" if curve.scatter >= 0 else "not known"
    typer.echo(f"{name}: gauged {low:g} to {high:g} {stage}{held}, scatter {scatter}")
    if curve.limits != curve.gauged_range:
        typer.echo(f"  extrapolated from {curve.limits[0]:g} to {curve.limits[1]:g} {stage}, labelled so")
    for k in range(len(curve.offset)):
        begin = f"from {curve.start[k]:.5g} {stage}: " if k else ""
        sign = "-" if curve.offset[k] >= 0 else "+"
        head = f"(h {sign} {abs(curve.offset[k]):.5g})"
        typer.echo(f"  {begin}Q = {curve.scale[k]:.5g} {head}^{curve.exponent[k]:.4f} {flow}")


def _show_check(checked: RatingCheck, found: Gaugings, curve: RatingCurve) -> None:
    from nilometer.units import symbol

    unit = symbol(curve.unit_stage)
    for n in range(len(found)):
        told = " out of the chart" if checked.is_out[n] else ""
        typer.echo(
            f"  line {found.lines[n]}: stage {found.stage[n]:.5g}, {checked.deviation[n]:+.1f} %, "
            f"shift {checked.shift[n]:+.3f} ± {2 * checked.shift_uncertainty[n]:.3f} {unit} (k = 2){told}"
        )
    for text in (*found.notes, *checked.findings()):
        typer.echo(f"note: {text}", err=True)


def _out(checked: RatingCheck, found: Gaugings) -> list[str]:
    return [
        f"line {found.lines[n]}: stage {found.stage[n]:.5g} deviates by {checked.deviation[n]:+.1f} %, more than 2 u"
        for n in checked.is_out.nonzero()[0]
    ]


def _told_fit(made: RatingFit, found: Gaugings, checked: RatingCheck) -> dict[str, Any]:
    document = {key: value for key, value in made.curve.to_document().items() if key != "sample"}
    return {
        "curve": document,
        "parameters": made.parameters(),
        "information_criterion": {str(count): value for count, value in made.waic.items()},
        "r_hat": made.posterior.rhat,
        "check": _told_check(checked, found),
        "notes": [*found.notes, *made.warnings],
    }


def _told_check(checked: RatingCheck, found: Gaugings) -> dict[str, Any]:
    return {
        "findings": list(checked.findings()),
        "gaugings": [
            {
                "line": int(found.lines[n]),
                "stage": float(found.stage[n]),
                "discharge": float(found.discharge[n]),
                "deviation_percent": _number(checked.deviation[n]),
                "shift": _number(checked.shift[n]),
                "shift_uncertainty": _number(checked.shift_uncertainty[n]),
                "is_out": bool(checked.is_out[n]),
            }
            for n in range(len(found))
        ],
    }


def _number(value: float) -> float | None:
    return float(value) if value == value else None  # noqa: PLR0124 -- NaN, which JSON has no word for


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    from nilometer.cli import rating_apply

    rating_apply.register(rating)
    app.add_typer(rating, name="rating")
