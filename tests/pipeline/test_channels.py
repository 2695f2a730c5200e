"""Channels of sources as Datastreams: made once, found again, in the unit they were made in."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from nilometer.acquisition.driver import Channel, RawBatch
from nilometer.config import DatastreamConfig, ThingConfig
from nilometer.errors import ConfigError
from nilometer.pipeline import channels as module
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, raw, rows, running, source, stored, values

PH = Channel("ph", "ph", "1")
TEMPERATURE = Channel("t", "water_temperature", "degree_Celsius")


@pytest.fixture
def deliver(tmp_path, scripts):
    """Open the folder with a source of these settings, deliver rows in its name, and say what is there then."""
    later = iter(range(1000))

    async def act(*batches, there=(RIVER,), look=None, **settings):
        config = {"thing": list(there), "source": [source("quiet", **settings)]}
        async with running(tmp_path / "data", config) as pipeline:
            for batch in batches:
                batch.phenomenon_time = batch.phenomenon_time + next(later) * 60 * MINUTE
                await pipeline.deliver(settings.get("name", "sonde"), batch)
            return look(pipeline) if look is not None else ids(pipeline)

    return act


def of(key):
    return lambda pipeline: pipeline.store.catalog.datastream_by_key(key)


def several(channels, numbers):
    n = len(channels)
    return RawBatch(
        channels=channels,
        channel=np.arange(n, dtype=np.int32),
        phenomenon_time=np.full(n, NOON),
        raw_result=np.asarray(numbers, float),
    )


async def test_a_channel_is_the_same_datastream_after_a_restart(deliver):
    first = await deliver(several([PH, TEMPERATURE], [7.0, 15.0]))
    second = await deliver(several([TEMPERATURE, PH], [15.1, 7.1]))
    assert first == second == {"river/ph": 1, "river/water_temperature": 2}
    assert await deliver(look=lambda pipeline: values(pipeline, "river/ph")) == [7.0, 7.1]


async def test_a_datastream_says_where_it_comes_from_and_gets_the_profile_of_its_water(deliver):
    made = await deliver(raw(PH, NOON, [7.0]), look=of("river/ph"), origin="simulated")
    assert made.properties["nilometer"] == {"source": "sonde", "channel": "ph", "raw_unit": "1", "property": "ph"}
    assert (made.profile, str(made.origin), made.clock_resolution_us) == ("river/ph", "simulated", 1)
    lake = {**RIVER, "key": "lake", "water_body": "lake"}
    made = await deliver(raw(PH, NOON, [7.0]), there=[RIVER, lake], name="other", thing="lake", look=of("lake/ph"))
    assert made.profile == "lake/ph"


async def test_each_device_of_a_source_may_belong_to_its_own_thing(deliver):
    batch = several([Channel("a/ph", "ph", "1"), Channel("b/ph", "ph", "1"), Channel("c/ph", "ph", "1")], [7.0] * 3)
    found = await deliver(batch, there=[RIVER, {**RIVER, "key": "far"}], things={"b": "far"})
    assert set(found) == {"river/ph", "far/ph", "river/ph.c_ph"}


async def test_a_channel_that_is_ignored_or_not_named_without_discovery_is_not_taken(deliver):
    batch = several([PH, TEMPERATURE], [7.0, 15.0])
    assert set(await deliver(batch, channels={"t": {"ignore": True}})) == {"river/ph"}
    batch = several([TEMPERATURE, Channel("orp", "orp", "mV")], [15.0, 200.0])
    found = await deliver(batch, discover=False, channels={"t": {"name": "Water"}})
    assert set(found) == {"river/ph", "river/water_temperature"}


async def test_a_channel_may_be_named_given_a_property_a_unit_and_a_key(deliver):
    settings = {"property": "water_temperature", "datastream": "mine", "raw_unit": "°F", "name": "Mine", "profile": ""}
    made = await deliver(raw(Channel("ch1"), NOON, [50.0]), channels={"ch1": settings}, look=of("mine"))
    assert (made.name, made.unit, made.profile) == ("Mine", "degree_Celsius", None)
    assert await deliver(look=lambda pipeline: values(pipeline, "mine")) == pytest.approx([10.0])


async def test_an_unknown_channel_without_unit_or_property_is_taken_as_it_is(deliver):
    assert await deliver(raw(Channel("7 levels"), NOON, [3.0])) == {"river/x7_levels": 1}
    assert await deliver(look=lambda pipeline: values(pipeline, "river/x7_levels")) == [3.0]


async def test_a_known_channel_in_another_unit_is_converted_to_the_unit_it_was_made_in(deliver):
    await deliver(raw(TEMPERATURE, NOON, [10.0]))
    fahrenheit, kelvin = Channel("t", "water_temperature", "°F"), Channel("t", "water_temperature", "K")
    await deliver(raw(fahrenheit, NOON, [50.0, 212.0]), raw(TEMPERATURE, NOON, [11.0]), raw(kelvin, NOON, [273.15]))
    table = await deliver(look=lambda pipeline: pipeline.store.snapshot().read())
    assert table["result"].to_pylist() == pytest.approx([10.0, 10.0, 100.0, 11.0, 0.0])
    assert table["raw_result"].null_count == len(table), "raw results are in one unit too"


async def test_a_batch_of_several_units_changes_only_those_that_differ(deliver):
    await deliver(several([PH, TEMPERATURE], [0.1 + 0.2, 15.0]))
    await deliver(several([PH, Channel("t", "water_temperature", "°F")], [0.1 + 0.2, 32.0]))
    assert await deliver(look=lambda pipeline: values(pipeline, "river/ph")) == [0.1 + 0.2] * 2
    assert await deliver(look=lambda pipeline: values(pipeline, "river/water_temperature")) == pytest.approx([15, 0])


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Channel("t", "water_temperature", "mg L-1"), "holds raw results in degree_Celsius"),
        (Channel("t", "water_temperature", "smoot"), "smoot"),
        (Channel("t", "dissolved_oxygen", "mg L-1"), "is now dissolved_oxygen"),
    ],
)
async def test_a_channel_that_measures_something_else_is_refused_and_seen(deliver, now, said):
    await deliver(several([PH, TEMPERATURE], [7.0, 15.0]))

    def look(pipeline):
        events = [event for event in pipeline.store.catalog.events() if event.detail.get("state") == "refused"]
        return values(pipeline, "river/water_temperature"), values(pipeline, "river/ph"), events

    # Twice: it is said once, not with every row.
    held, others, events = await deliver(
        several([PH, now], [7.1, 8.0]), several([PH, now], [7.2, 8.1]), several([TEMPERATURE], [16.0]), look=look
    )
    assert held == [15.0, 16.0]
    assert others == [7.0, 7.1, 7.2]
    (event,) = events
    assert (event.kind, event.detail["source"], event.detail["device"]) == ("source", "sonde", "t")
    assert said in event.detail["detail"]
    assert event.datastream == 2


async def test_a_new_channel_in_an_unknown_unit_is_refused_and_the_others_are_taken(deliver):
    def look(pipeline):
        return ids(pipeline), [event.detail["detail"] for event in pipeline.store.catalog.events()]

    found, said = await deliver(several([PH, Channel("x", "turbidity_ntu", "smoot")], [7.0, 1.0]), look=look)
    assert found == {"river/ph": 1}
    assert "smoot" in said[0]


async def test_what_the_configuration_says_of_a_known_channel_is_taken_at_the_next_start(deliver, tmp_path):
    await deliver(raw(PH, NOON, [7.0]))
    strict = tmp_path / "strict.toml"
    strict.write_text('unit = "1"\n[tests.gross_range]\nfail = [7.5, 8.0]\n', encoding="utf-8")
    calibration = {"kind": "polynomial", "coefficients": [0.5, 1.0], "valid_from": "2024-01-01T00:00:00Z"}
    said = {"ph": {"profile": str(strict), "name": "Acidity", "calibrations": [calibration]}}

    def look(pipeline):
        catalog = pipeline.store.catalog
        quality = pipeline.store.snapshot().read()["result_quality"].to_pylist()
        return catalog.datastream_by_key("river/ph"), catalog.calibrations(1), values(pipeline, "river/ph"), quality

    for _ in range(2):
        now, made, results, quality = await deliver(raw(PH, NOON, [6.9]), channels=said, look=look)
    assert (now.name, now.profile) == ("Acidity", str(strict))
    assert len(made) == 1
    assert results == pytest.approx([7.0, 7.4, 7.4])
    assert quality[1:] == [4, 4]


async def test_a_datastream_of_a_source_that_is_configured_too_stays_of_its_channel(deliver, tmp_path):
    await deliver(raw(TEMPERATURE, NOON, [15.0]))
    config = {"key": "river/water_temperature", "thing": "river", "property": "water_temperature"}
    async with running(tmp_path / "data", {"thing": [RIVER], "datastream": [config]}) as pipeline:
        known = pipeline.store.catalog.datastream_by_key("river/water_temperature")
        assert known.properties["nilometer"]["source"] == "sonde"
        assert (known.profile, known.clock_resolution_us) == ("river/water_temperature", 1)
    assert await deliver(raw(TEMPERATURE, NOON, [16.0])) == {"river/water_temperature": 1}


@pytest.mark.parametrize(
    ("change", "name"),
    [({"unit": "cm"}, "unit"), ({"raw_unit": "ft"}, "raw_unit"), ({"property": "stage"}, "property")],
)
async def test_a_datastream_with_rows_keeps_its_property_and_its_units(tmp_path, change, name):
    first = {"key": "river/x", "thing": "river", "property": "staff", "unit": "m"}
    async with running(tmp_path, {"thing": [RIVER], "datastream": [first]}) as pipeline:
        await pipeline.ingest(rows(1, NOON, [1.0]))
    changed = {**first, **change}
    with pytest.raises(ConfigError, match=rf"datastream\[0\].{name}.*river/x has rows in"):
        async with running(tmp_path, {"thing": [RIVER], "datastream": [changed]}):
            pass
    async with running(tmp_path, {"thing": [RIVER], "datastream": [first]}):
        pass


async def test_a_datastream_without_rows_may_still_be_described_anew(tmp_path):
    first = {"key": "river/x", "thing": "river", "property": "staff", "unit": "m"}
    async with running(tmp_path, {"thing": [RIVER], "datastream": [first]}):
        pass
    changed = {"key": "river/x", "thing": "river", "property": "water_level", "unit": "cm", "name": "Level"}
    async with running(tmp_path, {"thing": [RIVER], "datastream": [changed]}) as pipeline:
        now = of("river/x")(pipeline)
        assert (now.id, now.unit, now.unit_symbol, now.name) == (1, "cm", "cm", "Level")
        assert now.properties["nilometer"] == {"raw_unit": "cm", "property": "water_level"}


async def test_a_hostile_station_fills_neither_the_catalog_nor_the_memory(deliver, monkeypatch):
    # Two thousand Datastreams take a while to make; a dozen tell the same.
    monkeypatch.setattr(module, "MOST_CHANNELS", 12)
    channels = [Channel(f"c{number}") for number in range(40)]
    assert len(await deliver(several(channels, np.arange(40.0)))) == 12


async def test_a_source_that_nobody_configured_is_named(tmp_path):
    async with running(tmp_path, {"thing": [RIVER]}) as pipeline:
        with pytest.raises(ConfigError, match="source = 'nobody'"):
            await pipeline.deliver("nobody", raw(PH, NOON, [7.0]))


async def test_things_and_datastreams_are_made_and_changed_while_it_runs(tmp_path):
    async with running(tmp_path, {"thing": [RIVER]}) as pipeline:
        weir = ThingConfig(key="weir", name="Weir", location=(120.0, 30.0))
        level = DatastreamConfig(key="weir/level", thing="weir", property="water_level")
        (made,) = await pipeline.configure([weir], [level])
        await pipeline.ingest(rows(made.id, NOON, [1.5]))
        (again,) = await pipeline.configure([weir], [level])
        assert again == made
        assert pipeline.store.catalog.locations_of(made.thing)[0].location["coordinates"] == [120.0, 30.0]
        lost = DatastreamConfig(key="dam/level", thing="dam", property="water_level")
        with pytest.raises(ConfigError, match="no such thing"):
            await pipeline.configure([], [lost])
        wrong = DatastreamConfig(key="weir/ph", thing="weir", property="ph", profile="river/phh")
        with pytest.raises(ConfigError, match="did you mean river/ph"):
            await pipeline.configure([], [level, wrong])
        assert set(ids(pipeline)) == {"weir/level"}
        await asyncio.gather(*(pipeline.ingest(rows(made.id, NOON + MINUTE, [1.5])) for _ in range(3)))
        assert values(pipeline, "weir/level") == [1.5, 1.5]


LOOP = {"property": "water_level", "loop": {"lower": 0.0, "upper": 10.0, "unit": "m"}}


async def test_a_current_stays_the_raw_result_and_its_failure_bands_become_flags(deliver):
    currents = [3.5, 3.7, 3.9, 12.0, 20.8, 21.5, np.nan]
    table = await deliver(
        raw(Channel("ai1", None, "mA"), NOON, currents),
        look=lambda p: stored(p, "river/water_level"),
        channels={"ai1": LOOP},
    )
    assert table["raw_result"].to_pylist() == [3.5, 3.7, 3.9, 12.0, 20.8, 21.5, None]
    assert table["result"].to_pylist()[3] == 5.0
    assert table["result"].to_pylist()[0] == pytest.approx(-0.3125)
    assert [str(mark)[5:] for mark in table["mark"].to_pylist()] == [
        *("fail_low", "undefined_low", "saturated_low", "", "undefined_high", "fail_high", "")
    ]
    flags = table["result_quality"].to_pylist()
    assert [flags[0], flags[1], flags[5], flags[6]] == [4, 3, 4, 9]
    assert flags[4] in {3, 4}  # 10.5 m is beyond the river's own range as well


async def test_a_loop_on_a_channel_without_a_unit_is_a_current_and_the_worse_word_is_the_mark(deliver):
    batch = raw(Channel("ai1"), NOON, [3.5, 3.7, 3.9], mark=["N", "D", None])
    table = await deliver(batch, look=lambda p: stored(p, "river/water_level"), channels={"ai1": LOOP})
    assert table["mark"].to_pylist() == ["ne43:fail_low", "ne43:undefined_low", "ne43:saturated_low"]
    assert table["extra"].to_pylist() == ['{"mark": "N"}', '{"mark": "D"}', None]


async def test_a_loop_on_what_is_no_current_is_refused(deliver):
    assert (
        await deliver(
            raw(Channel("ai1", None, "m"), NOON, [3.5]),
            look=lambda p: p.store.snapshot().read(None).num_rows,
            channels={"ai1": LOOP},
        )
        == 0
    )
