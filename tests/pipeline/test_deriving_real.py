"""Recorded water derived live, at the pace of several loggers, against a run over all that is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, QartodFlag
from nilometer.pipeline import Pipeline
from tests.pipeline.conftest import MINUTE, RIVER, ids, running, stored
from tests.pipeline.derived_runs import same_as_one_run
from tests.pipeline.test_deriving import Clock, derived, let_go, pass_time, started

DO, T, SC, P = "river/do", "river/t", "river/sc", "met/p"
INPUTS = (DO, T, SC, P)
CONDUCTIVITY, SALINITY, SATURATION = "river/conductivity", "river/salinity", "river/oxygen_saturation"
MADE = (CONDUCTIVITY, SALINITY, SATURATION)
HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
DAYS = 4
Series = tuple[NDArray[np.int64], NDArray[np.float64]]

# Tests that do not ask what came before: their flags are those of any order.
RANGES = {
    "do": (0, 20, 5.9, 20),
    "t": (0, 40, 0, 26),
    "sc": (0, 60, 20, 51),
    "p": (13, 16, 13.9, 16),
    "conductivity": (0, 70, 0, 70),
    "salinity": (0, 42, 5, 42),
    "oxygen_saturation": (0, 200, 60, 105),
}
RANGE = "[tests.gross_range]\nfail = [{}, {}]\nsuspect = [{}, {}]\n"


def sonde(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "water_quality/nerrs/apacpwq_2012_2013.csv.gz", parse_dates=["datetimestamp"])
    return table.assign(datetimestamp=table.datetimestamp.dt.tz_localize("UTC"))


def recorded(folder: Path) -> dict[str, Series]:
    """Four days of a sonde in an estuary and of a barometer, thinned to four rates that do not meet."""
    water = sonde(folder)
    air = pd.read_csv(
        folder / "level/hobo_depth/DATA_test2_Aw_20130101_20141231.csv.gz",
        usecols=["Date.Time", "Air.BP.psi"],
        parse_dates=["Date.Time"],
    )
    air["Date.Time"] = air["Date.Time"].dt.tz_localize("UTC")
    # The barometer stood elsewhere: what counts here is that it is another instrument, at another rate.
    first = pd.Timestamp("2013-05-06", tz="UTC")
    minute = water.datetimestamp.dt.minute
    kept = {
        DO: (water.datetimestamp, water.do_mgl, water.do_mgl.notna()),
        T: (water.datetimestamp, water.temp, minute.isin([0, 30])),
        SC: (water.datetimestamp, water.spcond, minute.isin([15, 45])),
        P: (air["Date.Time"], air["Air.BP.psi"], air["Date.Time"].dt.minute == 0),
    }
    found = {}
    for key, (time, value, wanted) in kept.items():
        rows = wanted & (time >= first) & (time < first + pd.Timedelta(days=DAYS))
        found[key] = (
            time[rows].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64),
            value[rows].to_numpy(float),
        )
    return found


def definitions() -> dict[str, Any]:
    calibrated = [{"kind": "identity", "residual_uncertainty": 0.05, "certificate": "a sheet"}]
    temperature = {"datastream": T, "align": "linear", "tolerance": "30 min"}
    return {
        "thing": [RIVER],
        "datastream": [
            {"key": DO, "thing": "river", "property": "dissolved_oxygen", "calibrations": calibrated},
            {"key": T, "thing": "river", "property": "water_temperature", "calibrations": calibrated},
            {"key": SC, "thing": "river", "property": "sc", "unit": "mS cm-1", "calibrations": calibrated},
            {"key": P, "thing": "river", "property": "p", "unit": "psi", "calibrations": calibrated},
        ],
        "derived": [
            derived(
                SATURATION,
                "oxygen.saturation",
                inputs={
                    "dissolved_oxygen": DO,
                    "temperature": temperature,
                    "salinity": {"datastream": SALINITY, "tolerance": "15 min"},
                    "pressure": {"datastream": P, "align": "linear", "tolerance": "1 h"},
                },
                correlation=[["temperature", "salinity", 0.3]],
                deadline="5 h",
            ),
            derived(SALINITY, "seawater.practical_salinity", inputs={"C": CONDUCTIVITY, "t": temperature}),
            derived(
                CONDUCTIVITY,
                "conductivity.at_temperature_linear",
                inputs={"conductivity_25": SC, "temperature": temperature},
                unit="mS cm-1",
            ),
        ],
    }


def judged() -> dict[str, Any]:
    config = definitions()
    for part in (*config["datastream"], *config["derived"]):
        part["profile"] = f"site/{part['key'].partition('/')[2]}"
    return config


def profiles(folder: Path) -> None:
    (folder / "profiles" / "site").mkdir(parents=True)
    for name, numbers in RANGES.items():
        (folder / "profiles" / "site" / f"{name}.toml").write_text(RANGE.format(*numbers), encoding="utf-8")


def deliveries(data: dict[str, Series]) -> dict[int, list[tuple[str, NDArray[np.int64]]]]:
    """What arrives in each half-hour: rows of each input, by the habits of its logger, in disorder."""
    rng = np.random.default_rng(6)
    n = {key: len(times) for key, (times, _) in data.items()}
    came = {
        DO: data[DO][0] // HOUR * HOUR + HOUR,  # each hour
        T: data[T][0] + rng.integers(0, 40, n[T]) * MINUTE,  # at once, one by one, overtaking each other
        SC: data[SC][0] // (8 * HOUR) * 8 * HOUR + 9 * HOUR,  # a file every eight hours
        P: data[P][0] // DAY * DAY + 27 * HOUR,  # a mail the next night
    }
    found: dict[int, list[tuple[str, NDArray[np.int64]]]] = {}
    for key, arrival in came.items():
        slot = arrival // (30 * MINUTE) * 30 * MINUTE
        for one in np.unique(slot).tolist():
            found.setdefault(one, []).append((key, rng.permutation(np.flatnonzero(slot == one))))
    return found


async def let_all_wait(pipeline: Pipeline, clock: Clock) -> None:
    """Let the deadline of each level pass: what a level makes at its own is where the next begins to wait."""
    for _ in range(len(MADE)):
        await pass_time(pipeline, clock, 600)


def sent(datastream: int, times: NDArray[np.int64], values: NDArray[np.float64]) -> ObservationBatch:
    return ObservationBatch(
        datastream=np.full(len(times), datastream, np.int32), phenomenon_time=times, raw_result=values
    )


@pytest.mark.real
async def test_what_loggers_deliver_late_and_in_disorder_is_derived_as_in_one_run(
    real_data: Path, tmp_path: Path
) -> None:
    data, config = recorded(real_data), judged()
    for name in ("live", "once"):
        profiles(tmp_path / name)
    clock = Clock()
    clock.now = int(data[DO][0][0])
    pipeline = await started(tmp_path / "live", config, clock)
    slots = sorted(deliveries(data).items())
    for place, (slot, parts) in enumerate(slots):
        clock.now = slot
        number = ids(pipeline)
        for answer in [
            await pipeline.queue(sent(number[key], data[key][0][rows], data[key][1][rows])) for key, rows in parts
        ]:
            await answer
        if place in {len(slots) // 3, len(slots) // 2}:
            await (pipeline.close() if place == len(slots) // 3 else let_go(pipeline))
            pipeline = await started(tmp_path / "live", config, clock)
    await let_all_wait(pipeline, clock)

    # Each level over the stored rows of the level below: what is served is, to the bit, what one run gives.
    try:
        number = ids(pipeline)
        same_as_one_run(pipeline)
        live = stored(pipeline, *MADE).drop_columns(["id"])
        versions = pipeline.store.snapshot().versions([number[SATURATION]])
    finally:
        await pipeline.close()

    # And to the byte of every column what another folder serves that got all of it in order, at once.
    clock = Clock()
    async with running(tmp_path / "once", config, clock=clock) as other:
        number = ids(other)
        await other.ingest(ObservationBatch.concat([sent(number[key], *data[key]) for key in INPUTS]))
        await let_all_wait(other, clock)
        assert stored(other, *MADE).drop_columns(["id"]).equals(live)

    # It was hard enough: values that came after the deadline, inputs and results that were flagged.
    saturation = live.filter(pc.equal(live["datastream"], number[SATURATION])).to_pandas()
    assert len(versions) > len(saturation) == len(data[DO][0])
    assert {"31", "13", "33", "99"} <= set(saturation["tests"].dropna())
    good = saturation["result_quality"] != QartodFlag.MISSING
    assert good.sum() > 0.9 * len(good)
    assert np.isfinite(saturation["result_uncertainty"][good]).all()

    # And it is right: the sonde's own salinity, from what it measured before it stored it, printed to 0.1.
    salinity = live.filter(pc.equal(live["datastream"], number[SALINITY])).to_pandas()
    both = salinity.merge(sonde(real_data), left_on="phenomenon_time", right_on="datetimestamp")
    off = (both["result"] - both["sal"]).dropna()
    assert len(off) > 0.9 * len(salinity)
    assert off.abs().median() < 0.1
