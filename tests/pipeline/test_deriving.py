"""Derived Datastreams at work: what is served is what a run over all rows gives, in whatever order they came."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nilometer.calibration.certificate import Calibration
from nilometer.config import parse
from nilometer.config_derived import DerivedConfig
from nilometer.derivation import oxygen
from nilometer.errors import ConfigError, NotFound
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline
from nilometer.pipeline.deleting import DeleteOrder
from nilometer.pipeline.reprocess_order import ReprocessOrder
from nilometer.pipeline.review_orders import Order
from tests.pipeline.conftest import MINUTE, NOON, PATIENT, RIVER, ids, rows, running, stored, until

DO, T, P, SOLUBILITY, SATURATION = "river/do", "river/t", "met/p", "river/solubility", "river/saturation"
C, SALINITY = "river/c", "river/salinity"
MADE = (SATURATION, SALINITY, SOLUBILITY, "river/full")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


async def started(folder: Path, config: dict[str, Any], clock: Clock) -> Pipeline:
    pipeline = Pipeline(folder, parse({"store": PATIENT, **config}), clock=clock)
    await pipeline.start()
    return pipeline


async def let_go(pipeline: Pipeline) -> None:
    """End as a crash does: nothing is kept but what was written already."""
    pipeline._deriving.save = pipeline._judging.save = lambda _sequence: None  # type: ignore[method-assign]
    await pipeline.close()


def derived(key: str, function: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "thing": "river", "property": key.partition("/")[2], "function": function, **more}


def station(**more: Any) -> dict[str, Any]:
    """Oxygen and temperature of a river, and the pressure from elsewhere; a second level on the first."""
    temperature = {"datastream": T, "align": "linear", "tolerance": "5 min"}
    pressure = {"datastream": P, "tolerance": "30 min"}
    return {
        "thing": [RIVER],
        "datastream": [
            {"key": DO, "thing": "river", "property": "dissolved_oxygen"},
            {"key": T, "thing": "river", "property": "water_temperature"},
            {"key": P, "thing": "river", "property": "air_pressure"},
        ],
        "derived": [
            derived(
                SATURATION,
                "oxygen.saturation",
                inputs={"dissolved_oxygen": DO, "temperature": temperature, "pressure": pressure},
                **more,
            ),
            derived(
                "river/full",
                "oxygen.saturation",
                inputs={"dissolved_oxygen": SOLUBILITY, "temperature": T, "pressure": pressure},
                clock="dissolved_oxygen",
            ),
            derived(SOLUBILITY, "oxygen.solubility", inputs={"temperature": T, "pressure": pressure}),
        ],
    }


async def test_inputs_and_what_follows_are_one_commit_and_the_rest_waits(tmp_path: Path) -> None:
    clock = Clock()
    async with running(tmp_path, station(), clock=clock) as pipeline:
        number = ids(pipeline)
        await pipeline.ingest(rows(number[DO], NOON, [8.0, 8.1, 8.2]))
        await pipeline.ingest(rows(number[P], NOON, [1000.0, 990.0], step=15 * MINUTE))
        assert len(stored(pipeline, SATURATION)) == 0
        await pipeline.ingest(rows(number[T], NOON, [10.0, 12.0], step=2 * MINUTE))
        made = stored(pipeline, SATURATION).to_pylist()
        # The temperature reaches 2 min, the pressure 15: within its tolerance another might come for none of them.
        assert [row["result"] for row in made] == [
            float(oxygen.saturation(do, t, 0.0, 1000.0 / 1013.25)) for do, t in [(8.0, 10.0), (8.1, 11.0), (8.2, 12.0)]
        ]
        table = pipeline.store.snapshot().read()
        commits = dict(zip(table["id"].to_pylist(), table["commit"].to_pylist(), strict=True))
        temperature = [commit for row, commit in commits.items() if row >> 32 == number[T]]
        assert {
            commit for row, commit in commits.items() if row >> 32 in {number[SATURATION], number["river/full"]}
        } == {*temperature}
        full = stored(pipeline, "river/full").to_pylist()
        assert np.allclose([row["result"] for row in full], 100.0)
        assert len(full) == 2


RANGE = """
[tests.gross_range]
fail = {fail}
suspect = {suspect}
"""


def profiles(folder: Path) -> None:
    """Profiles of one test that does not ask what came before: their flags are those of any order."""
    (folder / "profiles" / "site").mkdir(parents=True)
    for name, fail, suspect in (
        ("do", [0, 20], [0, 9.5]),
        ("t", [0, 30], [0, 14.5]),
        ("p", [900, 1100], [900, 1001]),
        ("c", [0, 60], [0, 24]),
        ("salinity", [0, 42], [0, 15]),
        ("saturation", [0, 200], [60, 110]),
    ):
        text = RANGE.format(fail=fail, suspect=suspect)
        (folder / "profiles" / "site" / f"{name}.toml").write_text(text, encoding="utf-8")


def judged(**more: Any) -> dict[str, Any]:
    """The station with profiles; the salinity of its water is derived as well, from a conductivity."""
    config = station(**more)
    config["datastream"].append({"key": C, "thing": "river", "property": "c", "unit": "mS cm-1"})
    config["derived"][0]["inputs"]["salinity"] = {"datastream": SALINITY, "tolerance": "9 min"}
    temperature = {"datastream": T, "align": "previous", "tolerance": "3 min"}
    config["derived"].append(derived(SALINITY, "seawater.practical_salinity", inputs={"C": C, "t": temperature}))
    for part in (*config["datastream"], *config["derived"]):
        name = part["key"].partition("/")[2]
        if name in {"do", "t", "p", "c", "salinity", "saturation"}:
            part["profile"] = f"site/{name}"
    return config


def waters() -> dict[str, tuple[Any, Any]]:
    """Times and values of four inputs at rates of their own, some beyond their ranges, with a hole each."""
    minutes = {
        DO: np.arange(0.0, 30.0),
        T: np.delete(np.arange(0.5, 30.0, 2.0), [5, 6]),
        P: np.array([0.0, 10.0, 29.0]),
        C: np.array([1.0, 8.0, 22.0]),
    }
    values = {DO: 7.0 + 0.1 * np.arange(30), T: 13.0 + 0.13 * np.arange(13), P: np.array([1000.0, 996.0, 1002.0])}
    values[C] = np.array([20.0, 25.0, 15.0])
    values[DO][[4, 11]], values[T][3] = [25.0, -1.0], 40.0
    return {key: (NOON + (minutes[key] * MINUTE).astype(np.int64), values[key]) for key in minutes}


def served(pipeline: Pipeline, *keys: str) -> pa.Table:
    """What is served of Datastreams, but for what arrival decides: ids, commits, and the way in the catalog."""
    return stored(pipeline, *keys).drop_columns(["id"])


async def pass_time(pipeline: Pipeline, clock: Clock, minutes: float) -> None:
    """Let time go by, and the pump see it."""
    clock.now += int(minutes * MINUTE)
    for _ in range(2):
        await pipeline._in_pump(lambda: None)


async def whole(folder: Path, config: dict[str, Any]) -> pa.Table:
    """What a run over all rows gives: everything in order, at once."""
    clock = Clock()
    async with running(folder, config, clock=clock) as pipeline:
        number = ids(pipeline)
        for key, (times, numbers) in waters().items():
            await pipeline.ingest(sent(number[key], times, numbers))
        await pass_time(pipeline, clock, 120)
        return served(pipeline, *MADE)


def sent(datastream: int, times: Any, numbers: Any) -> ObservationBatch:
    return ObservationBatch(
        datastream=np.full(len(times), datastream, np.int32),
        phenomenon_time=np.array(times, np.int64),
        raw_result=np.array(numbers, float),
    )


PARTS = [(key, row) for key, (times, _) in waters().items() for row in range(len(times))]


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, pa.Table]]:
    """By what becomes of a time without an input: a folder in which nothing came yet, and what all rows give."""
    found = {}
    for name in ("skip", "missing"):
        folder = tmp_path_factory.mktemp(name)
        for part in ("empty", "batch"):
            profiles(folder / part)
        config = judged(deadline="20 min", when_missing=name)

        async def both(folder: Path = folder, config: dict[str, Any] = config) -> pa.Table:
            async with running(folder / "empty", config, clock=Clock()):
                pass
            return await whole(folder / "batch", config)

        found[name] = folder / "empty", asyncio.run(both())
    return found


# Without shrinking: a failure is told as it was found, at once.
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    order=st.permutations(PARTS),
    wrong=st.sets(st.sampled_from(PARTS), max_size=8),
    cuts=st.lists(st.integers(1, len(PARTS) - 1), max_size=7),
    events=st.lists(st.sampled_from(["together", "later", "restart", "crash", "deadline"]), min_size=8, max_size=8),
    skips=st.booleans(),
)
def test_any_order_of_arrival_ends_with_the_bytes_of_a_run_over_everything(
    batches: dict[str, tuple[Path, pa.Table]],
    order: list[tuple[str, int]],
    wrong: set[tuple[str, int]],
    cuts: list[int],
    events: list[str],
    skips: bool,
) -> None:
    # What was served once stays, as MISSING, where a run that skips such times never had a row.
    missing = "skip" if skips and not wrong else "missing"
    config = judged(deadline="20 min", when_missing=missing)
    empty, batch = batches[missing]
    data = waters()

    async def live(folder: Path) -> pa.Table:
        clock = Clock()
        pipeline = await started(folder, config, clock)
        number = ids(pipeline)
        edges = [0, *sorted(set(cuts)), len(order)]
        pieces = [order[start:stop] for start, stop in itertools.pairwise(edges)]
        # Some rows come with a wrong value first, and are corrected at the end.
        for piece, event in zip([*pieces, sorted(wrong)], [*events[: len(pieces)], "later"], strict=True):
            final = piece == sorted(wrong)
            parts = []
            for key, row in piece:
                off = 0.7 if (key, row) in wrong and not final else 0.0
                parts.append(sent(number[key], data[key][0][[row]], data[key][1][[row]] + off))
            if event == "together" and parts:
                await pipeline.ingest(ObservationBatch.concat(parts))
            else:
                for answer in [await pipeline.queue(part) for part in parts]:
                    await answer
            if event == "deadline":
                await pass_time(pipeline, clock, 25)
            elif event in {"restart", "crash"}:
                await (pipeline.close() if event == "restart" else let_go(pipeline))
                pipeline = await started(folder, config, clock)
        await pass_time(pipeline, clock, 120)
        try:
            left = [one for one in pipeline._deriving.recompute(number.values(), None, None) if len(one.rows)]
            assert not left
            return served(pipeline, *MADE)
        finally:
            await pipeline.close()

    with tempfile.TemporaryDirectory() as name:
        folder = shutil.copytree(empty, Path(name) / "live")
        assert asyncio.run(live(folder)).equals(batch)


@pytest.mark.parametrize("how", ["arrives", "is revised"])
async def test_what_a_late_input_let_wait_anew_outlives_a_crash(tmp_path: Path, how: str) -> None:
    # The clock's row was answered, with nothing, before the state was kept: only the input's row names its time then.
    clock, config = Clock(), station(deadline="20 min", when_missing="skip")
    pipeline = await started(tmp_path, config, clock)
    number = ids(pipeline)
    await pipeline.ingest(rows(number[DO], NOON, [8.0]))
    if how == "is revised":
        await pipeline.ingest(rows(number[T], NOON, [np.nan]))
    await pass_time(pipeline, clock, 25)
    await pipeline.close()
    pipeline = await started(tmp_path, config, clock)
    # A nearer pressure may still come.
    await pipeline.ingest(rows(number[P], NOON - 10 * MINUTE, [1000.0]))
    await pipeline.ingest(rows(number[T], NOON, [10.0]))
    assert len(stored(pipeline, SATURATION)) == 0
    await let_go(pipeline)
    async with running(tmp_path, config, clock=clock) as pipeline:
        await pass_time(pipeline, clock, 25)
        assert stored(pipeline, SATURATION)["result"].to_pylist() == [
            float(oxygen.saturation(8.0, 10.0, 0.0, 1000.0 / 1013.25))
        ]


async def test_reviews_and_deletes_of_inputs_reach_what_was_derived(tmp_path: Path) -> None:
    profiles(tmp_path)
    clock, data = Clock(), waters()
    async with running(tmp_path, judged(), clock=clock) as pipeline:
        number = ids(pipeline)
        for key in data:
            await pipeline.ingest(sent(number[key], *data[key]))
        await pass_time(pipeline, clock, 120)
        before = served(pipeline, SATURATION)
        span = {"start": int(NOON + 6 * MINUTE), "end": int(NOON + 9 * MINUTE)}
        wrong = {"datastreams": [DO], "by": "Li Na", "reason": "drift", **span}
        step = await pipeline.review(Order(action="offset", parameters={"offset": -1.0}, **wrong))
        corrected = {row["phenomenon_time"]: row for row in served(pipeline, SATURATION).to_pylist()}
        for row in before.to_pylist():
            at = int(row["phenomenon_time"].timestamp() * 1e6)
            now = corrected[row["phenomenon_time"]]["result"]
            assert (now == row["result"]) is not (span["start"] <= at < span["end"] and row["result"] is not None)
        assert not [one for one in pipeline._deriving.recompute(number.values(), None, None) if len(one.rows)]
        await pipeline.undo(step.steps[0].id, by="Li Na", force=False)
        assert served(pipeline, SATURATION).equals(before)

        # Without its rows a temperature is interpolated no more; without the clock's there is nothing to say.
        await pipeline.delete(DeleteOrder([T], span["start"], span["end"], by="Li Na"))
        await pipeline.delete(DeleteOrder([DO], int(NOON + 20 * MINUTE), None, by="Li Na"))
        await pass_time(pipeline, clock, 120)
        left = served(pipeline, SATURATION)
        assert not [one for one in pipeline._deriving.recompute(number.values(), None, None) if len(one.rows)]
        assert left["phenomenon_time"].to_pylist() == before["phenomenon_time"].to_pylist()[:20]
        gone = [row["phenomenon_time"].minute for row in left.to_pylist() if row["result_quality"] == 9]
        assert set(range(5, 10)) <= set(gone)
        solubility = served(pipeline, SOLUBILITY)["phenomenon_time"].cast(pa.int64()).to_numpy()
        assert not ((solubility >= span["start"]) & (solubility < span["end"])).any()


@pytest.mark.parametrize(
    ("change", "place", "why"),
    [
        ({"function": "oxygen.saturatoin"}, r"derived\[0\]\.function", "oxygen.saturation"),
        ({"inputs": {"dissolved_oxygen": T, "temperature": T}}, r"derived\[0\]\.inputs\.dissolved_oxygen", "degree"),
        ({"inputs": {"dissolved_oxygen": DO}}, r"derived\[0\]\.inputs\.temperature", "needs it"),
        ({"inputs": {"dissolved_oxygen": DO, "temperature": T, "wind": T}}, r"derived\[0\]\.inputs", "no such input"),
        ({"inputs": {"dissolved_oxygen": 8.0, "temperature": 12.0}}, r"derived\[0\]\.inputs", "sets the times"),
        ({"inputs": {"dissolved_oxygen": DO, "temperature": {"datastream": T, "value": 1.0}}}, "temperature", "either"),
        ({"clock": "pressure"}, r"derived\[0\]\.clock", "temperature"),
        ({"unit": "mg L-1"}, r"derived\[0\]\.unit", "%"),
        ({"correlation": [["temperature", "wind", 0.5]]}, r"derived\[0\]\.correlation", "wind"),
        ({"parameters": {"a": 1}}, r"derived\[0\]\.parameters", "no settings"),
        ({"deadline": "soon"}, r"derived\[0\]\.deadline", "90 s"),
        ({"thing": "lake"}, r"derived\[0\]\.thing", "no such thing"),
        ({"inputs": {"dissolved_oxygen": "river/full", "temperature": T}}, r"derived\[0\]\.inputs", "mg"),
    ],
)
def test_a_definition_that_cannot_be_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], place: str, why: str
) -> None:
    config = station()
    config["derived"][0] = {**config["derived"][0], "inputs": {"dissolved_oxygen": DO, "temperature": T}, **change}
    with pytest.raises(ConfigError, match=place) as told:
        Pipeline(tmp_path, parse(config))
    assert why in str(told.value)


def test_a_circle_is_named(tmp_path: Path) -> None:
    config = station()
    round_trip = {"dissolved_oxygen": "river/a", "temperature": T}
    config["derived"] = [
        derived("river/a", "oxygen.solubility", inputs={"temperature": T, "salinity": "river/b"}),
        derived("river/b", "oxygen.saturation", inputs=round_trip, property="salinity", unit="1"),
    ]
    with pytest.raises(ConfigError, match=r"river/a > river/b > river/a"):
        Pipeline(tmp_path, parse(config))


async def test_definitions_come_and_go_and_every_row_names_its_version(tmp_path: Path) -> None:
    config = station()
    config["derived"] = []
    table = {
        **derived(SATURATION, "oxygen.saturation", property="oxygen_saturation"),
        "inputs": {"dissolved_oxygen": DO, "temperature": T},
    }
    async with running(tmp_path, config) as pipeline:
        number, catalog = ids(pipeline), pipeline.store.catalog
        made = await pipeline.define(DerivedConfig.model_validate(table), by="Li Na")
        for key, value in ((DO, 8.0), (T, 12.0)):
            await pipeline.ingest(rows(number[key], NOON, [value]))
        later = {**table, "inputs": {**table["inputs"], "salinity": 5.0}}
        await pipeline.define(DerivedConfig.model_validate(later))
        for key, value in ((DO, 8.0), (T, 12.0)):
            await pipeline.ingest(rows(number[key], NOON + MINUTE, [value]))
        stays = pipeline.store.snapshot().read([made.id])
        first, second = [catalog.provenance_row(way).definition for way in stays["provenance"].to_pylist()]
        assert catalog.definitions.row(first).document["inputs"].keys() == table["inputs"].keys()
        assert catalog.definitions.row(second).document["inputs"]["salinity"]["value"] == 5.0
        # What is stored is recomputed only when somebody asks for it.
        (difference,) = [one for one in pipeline._deriving.recompute([made.id], None, None) if len(one.rows)]
        assert difference.rows.time.tolist() == [NOON]
        with pytest.raises(NotFound, match="not_there"):
            await pipeline.undefine("not_there")
        await pipeline.undefine(SATURATION, by="Li Na")
        for key, value in ((DO, 8.0), (T, 12.0)):
            await pipeline.ingest(rows(number[key], NOON + 2 * MINUTE, [value]))
        assert len(stored(pipeline, SATURATION)) == 2
        assert [row.action for row in catalog.ledger.audit()] == ["derived.set", "derived.set", "derived.remove"]


async def test_reprocessing_an_input_recomputes_what_follows_and_keeps_what_was_said_of_inputs(tmp_path: Path) -> None:
    profiles(tmp_path)
    clock, data = Clock(), waters()
    async with running(tmp_path, judged(), clock=clock) as pipeline:
        number = ids(pipeline)
        for key in data:
            await pipeline.ingest(sent(number[key], *data[key]))
        await pass_time(pipeline, clock, 120)
        before = served(pipeline, SATURATION)
        pipeline.reprocessing.start(ReprocessOrder(datastreams=[SATURATION, SOLUBILITY, DO]))
        await until(lambda: not pipeline.reprocessing.progress.running)
        assert not pipeline.reprocessing.progress.error
        assert served(pipeline, SATURATION).equals(before)

        pipeline.store.catalog.add_calibration(
            number[DO], 0, Calibration(kind="polynomial", coefficients=(0.0, 0.9)).to_document()
        )
        pipeline.entity_changed(number[DO])
        pipeline.reprocessing.start(ReprocessOrder(datastreams=[DO]))
        await until(lambda: not pipeline.reprocessing.progress.running)
        assert not pipeline.reprocessing.progress.error
        await pass_time(pipeline, clock, 120)
        assert not served(pipeline, SATURATION).equals(before)
        assert not [one for one in pipeline._deriving.recompute(number.values(), None, None) if len(one.rows)]
