"""``nilometer rating apply``: discharge with its uncertainty from a file of stages, and volumes."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nilometer.cli.file_options import Date, DayFirst, FileWishes, Format, Missing, Time, Zone, opened
from nilometer.cli.listing import AsJson

if TYPE_CHECKING:
    import pyarrow as pa

    from nilometer.acquisition.formats.recording import Recording, RecordingColumn
    from nilometer.derivation.flow_volume import Volumes
    from nilometer.derivation.rating_band import Discharge
    from nilometer.derivation.rating_history import RatingHistory

__all__ = ["register"]

_PERIODS = ("total", "day", "month", "year")


def apply(
    file: Annotated[Path, typer.Argument(help="Stages: a file that `nilometer read` opens.")],
    *,
    curve: Annotated[
        list[Path], typer.Option("--curve", help="A curve or history (JSON, TOML) or a USGS rating. May be repeated.")
    ],
    column: Annotated[
        str | None, typer.Option("--column", help="The column of stages; default: the water level.")
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Unit of the stages, where the file tells none.")] = None,
    stage_uncertainty: Annotated[
        float, typer.Option(help="Standard uncertainty of one stage, in the curve's unit; values are independent.")
    ] = 0.0,
    datum_uncertainty: Annotated[float, typer.Option(help="The one that all stages share; for volumes.")] = 0.0,
    correlation: Annotated[
        float, typer.Option(help="Hours that the scatter about the curve lasts; for volumes.")
    ] = 0.0,
    limits: Annotated[
        tuple[float, float] | None, typer.Option(help="Extrapolate up to these stages, in the curve's unit.")
    ] = None,
    volume: Annotated[str | None, typer.Option("--volume", help="total, day, month or year: volumes instead.")] = None,
    volume_zone: Annotated[
        str, typer.Option("--zone", help="Whose days those of the volumes are (IANA name).")
    ] = "UTC",
    gap: Annotated[
        float | None, typer.Option(help="Minutes; values further apart are not joined; default 3 steps.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="OUT.csv, .parquet or .nc; default: CSV to stdout.")
    ] = None,
    file_format: Format = None,
    time: Time = None,
    time_zone: Zone = None,
    date: Date = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    as_json: AsJson = False,
) -> None:
    """Make discharge of stages: value, standard uncertainty, 95 % interval, and whether it is extrapolated.

    Beyond the curve's limits, and before the first curve of a history, there is no value; how many is said.

    Example: nilometer rating apply stages.csv --curve curve.json -o discharge.parquet
    """
    from nilometer.cli.files import write_table
    from nilometer.cli.rating import rating_of
    from nilometer.errors import ConfigError

    if volume is not None and volume not in _PERIODS:
        raise ConfigError("--volume", seen=volume, allowed=_PERIODS)
    history = _widened(rating_of(curve), limits)
    wishes = FileWishes(file_format, time, time_zone, None if column is None else [column], date, missing, day_first)
    recording = opened(file, wishes)
    stages = _stages(recording, column)
    values = _in_unit(stages, unit, history, file)
    found = history.discharge(values, recording.times, stage_uncertainty)
    told = _summary(found, recording, stages, history)
    for text in told["notes"]:
        typer.echo(f"note: {text}", err=True)
    if volume is not None:
        summed = _volumes(
            history, values, recording, volume, volume_zone, gap, stage_uncertainty, datum_uncertainty, correlation
        )
        if as_json:
            typer.echo(json.dumps(told | {"volumes": _rows(summed)}, ensure_ascii=False))
        if out is not None or not as_json:
            write_table(_volume_table(summed), out)
        return
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    if out is not None or not as_json:
        write_table(_table(found, recording, values, history), out)


def _widened(history: RatingHistory, limits: tuple[float, float] | None) -> RatingHistory:
    from nilometer.derivation.rating_history import RatingHistory

    if limits is None:
        return history
    return RatingHistory([curve.with_limits(*limits) for curve in history.curves], history.shifts)


def _stages(recording: Recording, column: str | None) -> RecordingColumn:
    from nilometer.errors import ConfigError

    if column is not None:
        return recording[column]
    levels = [part for part in recording.columns.values() if part.observed_property == "water_level"]
    if len(levels) == 1:
        return levels[0]
    if not levels and len(recording.columns) == 1:
        return next(iter(recording.columns.values()))
    which = "none of its columns is called as a water level is" if not levels else "it has several water levels"
    raise ConfigError("--column", reason=f"{recording.path}: {which}; name one", allowed=list(recording.columns))


def _in_unit(stages: RecordingColumn, unit: str | None, history: RatingHistory, file: Path) -> Any:  # noqa: ANN401
    from nilometer import units
    from nilometer.errors import ConfigError

    told = unit or (stages.unit if stages.unit_from != "assumed" else None)
    if told is None:
        reason = f"{file} does not tell the unit of column {stages.name}"
        raise ConfigError("--unit", reason=reason, allowed=f"such as {history.unit_stage}, the curve's")
    return units.convert(stages.values, told, history.unit_stage)


def _summary(found: Discharge, recording: Recording, stages: RecordingColumn, history: RatingHistory) -> dict[str, Any]:
    import numpy as np

    there = np.isfinite(stages.values)
    made = np.isfinite(found.value)
    beyond = int((there & ~made).sum())
    extrapolated = int((made & found.extrapolated).sum())
    notes = [*recording.notes]
    if beyond:
        notes.append(
            f"{beyond} stages lie beyond the curve's limits, or before the first curve: no discharge (--limits)"
        )
    if extrapolated:
        notes.append(f"{extrapolated} values are extrapolated beyond the gauged range")
    if any(math.isnan(curve.scatter) for curve in history.curves):
        notes.append("the uncertainty of a curve is not known, so none is given")
    return {
        "values": int(made.sum()),
        "beyond": beyond,
        "extrapolated": extrapolated,
        "missing": int((~there).sum()),
        "unit": found.unit,
        "notes": notes,
    }


def _table(found: Discharge, recording: Recording, stage: Any, history: RatingHistory) -> pa.Table:  # noqa: ANN401
    import pyarrow as pa

    from nilometer.model.schemas import TIME

    flow = {"unit": found.unit}
    columns = {
        "stage": (stage, {"unit": history.unit_stage}),
        "discharge": (found.value, flow | {"observed_property": "discharge"}),
        "discharge_uncertainty": (found.uncertainty, flow),
        "discharge_lower": (found.lower, flow),
        "discharge_upper": (found.upper, flow),
        "discharge_systematic": (found.systematic, flow),
        "discharge_random": (found.random, flow),
    }
    fields = [
        pa.field("time", TIME),
        *(pa.field(name, pa.float64(), metadata=told) for name, (_, told) in columns.items()),
    ]
    fields.append(pa.field("extrapolated", pa.bool_()))
    arrays = [pa.array(recording.times).cast(TIME)]
    arrays += [pa.array(values, pa.float64(), from_pandas=True) for values, _ in columns.values()]
    arrays.append(pa.array(found.extrapolated, pa.bool_()))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _volumes(
    history: RatingHistory, stage: Any, recording: Recording, period: Any, zone: str, gap: float | None,  # noqa: ANN401
    spread: float, datum: float, correlation: float,
) -> Volumes:  # fmt: skip
    import numpy as np

    from nilometer.derivation.flow_volume import volumes
    from nilometer.errors import ConfigError

    order = np.argsort(recording.times, kind="stable")
    try:
        return volumes(
            history, stage[order], recording.times[order], period=period, time_zone=zone,
            longest_gap_s=None if gap is None else 60.0 * gap, stage_uncertainty=spread, datum_uncertainty=datum,
            correlation_s=3600.0 * correlation,
        )  # fmt: skip
    except (ValueError, KeyError) as error:  # a zone that is unknown is a KeyError
        raise ConfigError("--volume", seen=period, file=recording.path, reason=str(error)) from error


def _rows(summed: Volumes) -> list[dict[str, Any]]:
    def number(value: float) -> float | None:
        return float(value) if value == value else None  # noqa: PLR0124 -- NaN, which JSON has no word for

    names = ("volume", "uncertainty", "systematic", "random", "coverage", "extrapolated")
    return [
        {
            "start": _iso(int(summed.start[k])),
            "end": _iso(int(summed.end[k])),
            **{name: number(getattr(summed, name)[k]) for name in names},
            "unit": summed.unit,
        }
        for k in range(len(summed.start))
    ]


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat()


def _volume_table(summed: Volumes) -> pa.Table:
    import pyarrow as pa

    from nilometer.model.schemas import TIME

    fields = [pa.field("time", TIME), pa.field("end", TIME)]
    arrays = [pa.array(summed.start).cast(TIME), pa.array(summed.end).cast(TIME)]
    for name in ("volume", "uncertainty", "systematic", "random", "coverage", "extrapolated"):
        is_share = name in {"coverage", "extrapolated"}
        fields.append(pa.field(name, pa.float64(), metadata={"unit": "1" if is_share else summed.unit}))
        arrays.append(pa.array(getattr(summed, name), pa.float64(), from_pandas=True))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def register(family: typer.Typer) -> None:
    """Add the command."""
    family.command()(apply)
