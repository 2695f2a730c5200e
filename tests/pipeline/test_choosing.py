"""river <- site <- Datastream: which profile judges, and that provenance tells its thresholds."""

from __future__ import annotations

import pytest

from nilometer.config import parse
from nilometer.errors import ConfigError
from nilometer.pipeline import Pipeline
from nilometer.qc import load
from nilometer.qc.shelf import Shelf
from nilometer.qc.thresholds import Place
from tests.pipeline.conftest import NOON, RIVER, ids, rows, running

KEY = "river/water_temperature"
STREAM = {"key": KEY, "thing": "river", "property": "water_temperature"}


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "profiles" / "river"
    folder.mkdir(parents=True)
    file = folder / "upper.toml"
    file.write_text('inherits = "river/water_temperature"\nversion = 2\n[tests.gross_range]\nsuspect = [0, 25]\n')
    return tmp_path


def config(**settings):
    return {"thing": [RIVER], "datastream": [STREAM | settings]}


async def judged(folder, settings, value):
    """Flags of a first and a second row, and the profile version that the second one's provenance names."""
    async with running(folder, config(**settings)) as pipeline:
        number = ids(pipeline)[settings.get("key", KEY)]
        table = pipeline.store.snapshot().read([number])
        start = NOON + 60_000_000 * len(table)
        await pipeline.ingest(rows(number, start, [value - 0.01, value]))
        last = pipeline.store.snapshot().read([number]).to_pylist()[-1]
        catalog = pipeline.store.catalog
        provenance = catalog.provenance_row(last["provenance"])
        version = catalog.profile_version_row(provenance.profile_version)
        assert catalog.datastream(number).profile == version.name
        return last["result_quality"], version


async def test_a_change_of_one_datastream_is_converted_judges_and_is_told_by_provenance(tmp_path):
    change = {"tests": {"gross_range": {"suspect": [32, 68], "unit": "degF"}}}
    flag, version = await judged(tmp_path, {"qc": change}, 21.0)
    assert flag == 3
    assert (version.name, version.version) == (f"river/water_temperature@{KEY}", "1")
    assert version.document["tests"]["gross_range"]["suspect"] == pytest.approx([0, 20])
    assert version.document["tests"]["gross_range"]["fail"] == [-5, 50]
    assert version.document["lineage"] == ["river/water_temperature 1"]
    effective = Shelf().effective(version.name, change | {"title": "x"}, Place())
    assert effective.digest != version.digest
    assert Shelf().effective(version.name, change, Place()).digest == version.digest
    again, same = await judged(tmp_path, {}, 21.0)  # what is left unsaid stays
    assert (again, same.id) == (3, version.id)
    taken_back, plain = await judged(tmp_path, {"qc": {}}, 21.0)
    assert (taken_back, plain.name) == (1, "river/water_temperature")


async def test_a_file_named_as_the_datastream_judges_it_from_the_next_start(site):
    settings = {"key": "river/upper"}
    flag, version = await judged(site, settings, 26.0)
    assert (flag, version.name, version.version) == (3, "river/upper", "2")
    flag, version = await judged(site, settings | {"qc": {"tests": {"gross_range": {"suspect": [0, 27]}}}}, 26.0)
    assert (flag, version.name, version.version) == (1, "river/upper@river/upper", "2")
    assert version.document["lineage"] == ["river/water_temperature 1", "river/upper 2"]
    flag, version = await judged(site, settings | {"qc": {}, "profile": "river/water_temperature"}, 26.0)
    assert (flag, version.name) == (1, "river/water_temperature")


async def test_a_new_order_of_the_same_tests_is_another_version(tmp_path):
    tests = {"gap": {"suspect": 60}, "mark": {}}
    turned = dict(reversed(tests.items()))
    documents = [load({"tests": one}).to_document() for one in (tests, turned, tests)]
    async with running(tmp_path, {}) as pipeline:
        first, second, again = (pipeline.store.catalog.profile_version("x", "1", one) for one in documents)
    assert first == again != second


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"qc": {"tests": {"spike": {"suspekt": 1}}}}, "datastream[0].qc.tests.spike = 'suspekt'"),
        ({"qc": {"unit": "mg/L"}}, "datastream[0].qc.unit = 'mg/L'"),
        ({"qc": 3}, "datastream[0].qc = 3"),
        ({"profile": "", "qc": {"tests": {}, "required": []}}, "datastream[0].qc: no profile judges this Datastream"),
        ({"property": "something", "qc": {"required": []}}, "datastream[0].qc: no profile judges this Datastream"),
    ],
)
def test_a_change_that_cannot_be_is_refused_before_anything_starts(tmp_path, settings, said):
    file = tmp_path / "nilometer.toml"
    with pytest.raises(ConfigError) as caught:
        Pipeline(tmp_path / "data", parse(config(**settings), file=file), config_file=file)
    assert f"nilometer.toml: {said}" in str(caught.value)
    assert not (tmp_path / "data").exists()


async def test_a_broken_profile_of_the_site_stops_the_start_only_where_it_is_needed(site):
    (site / "profiles" / "river" / "upper.toml").write_text('inherits = "river/nothing"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"datastream\[0\]\.profile = 'river/upper'.*river/nothing"):
        Pipeline(site, parse(config(key="river/upper")))
    flag, version = await judged(site, {}, 11.0)
    assert (flag, version.name) == (1, "river/water_temperature")


def test_a_change_of_a_channel_is_checked_with_the_profile_it_would_get(tmp_path):
    source = {
        "name": "sonde",
        "driver": "modbus_tcp",
        "thing": "river",
        "options": {"host": "127.0.0.1", "instrument": "yosemitech_y4000"},
        "channels": {"t": {"property": "water_temperature", "qc": {"tests": {"spike": {"suspect": 4}}}}},
    }
    with pytest.raises(ConfigError, match=r"source\[0\]\.channels\.t\.qc\.tests\.spike.*must not lie beyond"):
        Pipeline(tmp_path / "data", parse({"thing": [RIVER], "source": [source]}))
