"""A pH electrode in mV and a thermometer: the pH of each row is that of its temperature, whichever came first."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nilometer.calibration import Calibration, CalibrationTable, Companions
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline, reprocess_pass
from nilometer.pipeline.deleting import DeleteOrder
from nilometer.pipeline.reprocess_order import ReprocessOrder
from nilometer.pipeline.review_orders import Order
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, rows, running, stored
from tests.pipeline.test_deriving import RANGE, Clock, let_go, sent, started

PH, T = "river/ph", "river/t"
NERNST = {
    "kind": "nernst",
    "unit_in": "mV",
    "unit_out": "1",
    "coefficients": [-4.2, 98.1],
    "coefficient_uncertainties": [0.5, 0.3],
    "reading_uncertainty": 0.1,
    "companion": T,
    "temperature_uncertainty": 0.5,
    "certificate": "A",
}
OFFSET = {"kind": "polynomial", "coefficients": [0.4, 1.0], "residual_uncertainty": 0.1, "certificate": "T"}
SPIKE = {"tests": {"spike": {"suspect": 0.4, "fail": 2.0}}}


def station(nernst: dict[str, Any] = NERNST, *thermometer: dict[str, Any], qc: Any = None) -> dict[str, Any]:
    """The electrode and its thermometer."""
    ph = {"key": PH, "thing": "river", "property": "ph", "unit": "1", "raw_unit": "mV", "calibrations": [nernst]}
    ph |= {"calibration": {"companion_tolerance": "3 min"}, "profile": "site/ph"} | ({"qc": qc} if qc else {})
    t = {"key": T, "thing": "river", "property": "water_temperature", "profile": "site/t"}
    return {"thing": [RIVER], "datastream": [ph, t | {"calibrations": list(thermometer)}]}


def profiles(folder: Path) -> None:
    """Tests that do not ask what came before: their flags are those of any order."""
    (folder / "profiles" / "site").mkdir(parents=True)
    for name, fail, suspect in (("ph", [0, 14], [6, 8.05]), ("t", [0, 30], [0, 14.5])):
        text = RANGE.format(fail=fail, suspect=suspect)
        (folder / "profiles" / "site" / f"{name}.toml").write_text(text, encoding="utf-8")


def waters() -> dict[str, tuple[Any, Any]]:
    """A pH each minute; a temperature every other one: with a hole, an impossible one, one at a row's very time."""
    minutes = {PH: np.arange(24.0), T: np.delete(np.arange(0.5, 24.0, 2.0), [5, 6])}
    values = {PH: -60.0 + 1.7 * np.arange(24), T: 12.0 + 0.31 * np.arange(10)}
    minutes[T][2], values[T][3] = 5.0, 55.0
    return {key: (NOON + (minutes[key] * MINUTE).astype(np.int64), values[key]) for key in minutes}


def expected(nernst: dict[str, Any], times: Any, numbers: Any, temperature: tuple[Any, ...]) -> tuple[Any, Any]:
    """pH and uncertainty, by the certificate, with the newest temperature that may be used of the 3 min before."""
    when, degrees, spread = (column[temperature[1] < 30] for column in temperature)
    place = np.searchsorted(when, times, "right") - 1
    held = (place >= 0) & (times - when[place] <= 3 * MINUTE)
    batch = sent(1, times, numbers)
    beside = Companions(np.where(held, degrees[place], np.nan), np.where(held, spread[place], np.nan))
    CalibrationTable({1: [Calibration.from_document(nernst)]}).apply(batch, beside)
    return batch.result, batch.result_uncertainty


def floats(column: Any) -> Any:
    return column.to_numpy(zero_copy_only=False)


def served(pipeline: Pipeline, *keys: str) -> pa.Table:
    return stored(pipeline, *keys or (PH, T)).drop_columns(["id"])


def agrees(pipeline: Pipeline, nernst: dict[str, Any] = NERNST) -> int:
    """Check every pH against the certificate and the temperatures that are served; return how many have a value."""
    t, ph = stored(pipeline, T), stored(pipeline, PH)
    times = ph["phenomenon_time"].cast(pa.int64()).to_numpy()
    of_t = t["phenomenon_time"].cast(pa.int64()), t["result"], t["result_uncertainty"].cast(pa.float64())
    result, spread = expected(nernst, times, ph["raw_result"].to_numpy(), tuple(map(floats, of_t)))
    np.testing.assert_array_equal(ph["result"].to_numpy(zero_copy_only=False), result)
    np.testing.assert_array_equal(ph["result_uncertainty"].to_numpy(zero_copy_only=False), spread.astype(np.float32))
    return int(np.isfinite(result).sum())


async def reprocess(pipeline: Pipeline, **order: Any) -> dict[str, Any]:
    return await asyncio.to_thread(pipeline.reprocessing.run, ReprocessOrder(**order))


PARTS = [(key, row) for key, (times, _) in waters().items() for row in range(len(times))]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table]:
    """A folder in which nothing came yet, and what all rows give, temperatures first."""
    folder = tmp_path_factory.mktemp("companions")

    async def both() -> pa.Table:
        for part in ("empty", "batch"):
            profiles(folder / part)
        async with running(folder / "empty", station(), clock=Clock()):
            pass
        async with running(folder / "batch", station(), clock=Clock()) as pipeline:
            for key in (T, PH):
                await pipeline.ingest(sent(ids(pipeline)[key], *waters()[key]))
            # Minute 0 is before the first temperature, minutes 13 to 14 are in the hole.
            assert 15 < agrees(pipeline) < 22
            return served(pipeline)

    return folder / "empty", asyncio.run(both())


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    order=st.permutations(PARTS),
    wrong=st.sets(st.sampled_from(PARTS), max_size=6),
    cuts=st.lists(st.integers(1, len(PARTS) - 1), max_size=6),
    events=st.lists(st.sampled_from(["together", "later", "restart", "crash"]), min_size=8, max_size=8),
)
def test_any_order_of_arrival_ends_with_the_same_bytes(
    batch: tuple[Path, pa.Table],
    tmp_path_factory: pytest.TempPathFactory,
    order: list[tuple[str, int]],
    wrong: set[tuple[str, int]],
    cuts: list[int],
    events: list[str],
) -> None:
    empty, whole = batch
    data = waters()

    async def live(folder: Path) -> None:
        pipeline = await started(folder, station(), Clock())
        number = ids(pipeline)
        edges = [0, *sorted(set(cuts)), len(order)]
        pieces = [order[start:stop] for start, stop in itertools.pairwise(edges)]
        # Some rows come with a wrong value first, and are corrected at the end.
        for piece, event in zip([*pieces, sorted(wrong)], [*events[: len(pieces)], "later"], strict=True):
            final = piece == sorted(wrong)
            parts = []
            for key, row in piece:
                off = 2.5 if (key, row) in wrong and not final else 0.0
                parts.append(sent(number[key], data[key][0][[row]], data[key][1][[row]] + off))
            if event == "together" and parts:
                await pipeline.ingest(ObservationBatch.concat(parts))
            else:
                for answer in [await pipeline.queue(part) for part in parts]:
                    await answer
            if event in {"restart", "crash"}:
                await (pipeline.close() if event == "restart" else let_go(pipeline))
                pipeline = await started(folder, station(), Clock())
        try:
            assert served(pipeline).equals(whole)
            assert (await reprocess(pipeline))["commit"] is None
        finally:
            await pipeline.close()

    asyncio.run(live(shutil.copytree(empty, tmp_path_factory.mktemp("order") / "live")))


async def test_a_row_is_there_at_once_and_its_temperature_brings_its_value(tmp_path: Path) -> None:
    profiles(tmp_path)
    async with running(tmp_path, station(), clock=Clock()) as pipeline:
        number = ids(pipeline)
        await pipeline.ingest(rows(number[PH], NOON, [-60.0, -58.0]))
        (one, two) = stored(pipeline, PH).to_pylist()
        assert (one["raw_result"], one["result"], one["result_quality"]) == (-60.0, None, 9)
        await pipeline.ingest(rows(number[T], NOON, [12.0]))
        table = pipeline.store.snapshot().read(columns=["id", "commit"])
        assert len(set(table["commit"].to_pylist())) == 1, "what follows is in the commit of the temperature"
        assert agrees(pipeline) == 2
        assert [row["id"] for row in stored(pipeline, PH).to_pylist()] == [one["id"], two["id"]]
        versions = pipeline.store.snapshot().versions([number[PH]])["result"].to_pylist()
        assert [value is None or value != value for value in versions] == [True, False, True, False]


async def test_reviews_and_deletes_of_temperatures_reach_the_ph(tmp_path: Path) -> None:
    profiles(tmp_path)
    async with running(tmp_path, station(), clock=Clock()) as pipeline:
        number, data = ids(pipeline), waters()
        for key in (PH, T):
            await pipeline.ingest(sent(number[key], *data[key]))
        before, count = served(pipeline), agrees(pipeline)
        span = {"start": int(NOON + 14 * MINUTE), "end": int(NOON + 18 * MINUTE)}
        wrong: dict[str, Any] = {"datastreams": [T], "by": "Li Na", "reason": "drift", **span}
        step = await pipeline.review(Order(action="offset", parameters={"offset": -1.0}, **wrong))
        assert not served(pipeline).equals(before)
        assert agrees(pipeline) == count
        # A reviewed pH has its own step over what the temperature gives.
        mine: dict[str, Any] = {"datastreams": [PH], "by": "Li Na", "reason": "drift", **span}
        own = await pipeline.review(Order(action="offset", parameters={"offset": 0.5}, **mine))
        shifted = stored(pipeline, PH)["result"].to_numpy(zero_copy_only=False)
        await pipeline.undo(step.steps[0].id, by="Li Na", force=False)
        back = stored(pipeline, PH)["result"].to_numpy(zero_copy_only=False)
        assert (back != shifted)[15:18].all()
        await pipeline.undo(own.steps[0].id, by="Li Na", force=False)
        assert served(pipeline).equals(before)
        await pipeline.delete(DeleteOrder([T], span["start"], span["end"], by="Li Na"))
        assert agrees(pipeline) < count


async def test_reprocessing_is_as_if_the_certificates_had_always_held(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(reprocess_pass, "PIECE_ROWS", 8)
    second = NERNST | {"coefficients": [3.0, 96.0], "certificate": "B"}
    old, new = station(qc=SPIKE), station(second, OFFSET, qc=SPIKE)
    data = waters()
    data[PH][1][[4, 16]] += 70.0
    kept: dict[Any, pa.Table] = {}
    for name, first, keys in (("new", new, (T, PH)), ("old", old, (PH, T)), ("alone", old, (PH, T))):
        profiles(tmp_path / name)
        async with running(tmp_path / name, first, clock=Clock()) as pipeline:
            for key in keys:
                await pipeline.ingest(sent(ids(pipeline)[key], *data[key]))
        async with running(tmp_path / name, new, clock=Clock()) as pipeline:
            if name == "old":
                before = served(pipeline)
                await reprocess(pipeline, dry_run=True)
                assert served(pipeline).equals(before)
            # What asks for a temperature follows where only that is named, and is judged in order of time again.
            await reprocess(pipeline, datastreams=[T] if name == "alone" else [])
            agrees(pipeline, second)
            assert (await reprocess(pipeline))["commit"] is None
            kept[name] = served(pipeline)
            # The next rows are judged as if all had come so.
            await pipeline.ingest(rows(ids(pipeline)[T], NOON + 24 * MINUTE, [15.0]))
            await pipeline.ingest(rows(ids(pipeline)[PH], NOON + 24 * MINUTE, [10.0, -20.0, -18.0]))
            kept[name, "later"] = served(pipeline)
    assert 4 in kept["new"]["result_quality"].to_pylist()
    for name in ("old", "alone"):
        assert kept[name].equals(kept["new"])
        assert kept[name, "later"].equals(kept["new", "later"])


async def test_a_derived_companion_and_what_is_derived_of_the_ph_are_one_commit(tmp_path: Path) -> None:
    profiles(tmp_path)
    config = station()
    config["datastream"][1] = {"key": "river/pt100", "thing": "river", "property": "resistance", "unit": "ohm"}
    config["derived"] = [
        {
            "key": "river/nh3",
            "thing": "river",
            "property": "nh3",
            "function": "ammonia.nitrogen",
            "inputs": {"total_ammonia": {"value": 0.5}, "ph": PH, "temperature": {"value": 12.0}},
        },
        {
            "key": T,
            "thing": "river",
            "property": "water_temperature",
            "function": "thermometer.platinum",
            "inputs": {"resistance": "river/pt100"},
        },
    ]
    async with running(tmp_path, config, clock=Clock()) as pipeline:
        number = ids(pipeline)
        await pipeline.ingest(rows(number[PH], NOON, [-60.0, -58.0]))
        assert floats(stored(pipeline, "river/nh3")["result_quality"]).tolist() == [9, 9]
        await pipeline.ingest(rows(number["river/pt100"], NOON, [104.7]))
        assert agrees(pipeline) == 2
        nh3 = floats(stored(pipeline, "river/nh3")["result"])
        assert (nh3 > 0).all()
        assert not [one for one in pipeline._deriving.recompute([number["river/nh3"]], None, None) if len(one.rows)]
        assert len(set(pipeline.store.snapshot().read(columns=["commit"])["commit"].to_pylist())) == 1
        await pipeline.delete(DeleteOrder(["river/pt100"], NOON, None, by="Li Na"))
        assert (len(stored(pipeline, T)), stored(pipeline, PH)["result"].null_count) == (0, 2)
