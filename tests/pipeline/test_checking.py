"""What a configuration gets wrong is said before anything is started, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from nilometer.config import parse
from nilometer.errors import CalibrationError, ConfigError, StoreLocked
from nilometer.pipeline import Pipeline, drivers
from nilometer.pipeline.channels import Channels
from nilometer.store import Store
from tests.pipeline.conftest import NOON, RIVER, ids, rows, running

FILE = Path("nilometer.toml")
MODBUS = {"host": "127.0.0.1", "instrument": "yosemitech_y4000"}


def sources(**settings):
    return {"source": [{"name": "sonde", "driver": "modbus_tcp", "thing": "river", "options": MODBUS, **settings}]}


def datastreams(**settings):
    return {"datastream": [{"key": "river/ph", "thing": "river", "property": "ph", **settings}]}


SOLUBILITY = {"key": "river/ph", "thing": "river", "property": "x", "function": "oxygen.solubility"}
DERIVED = {"derived": [SOLUBILITY | {"inputs": {"temperature": "river/t", "pressure": {"value": 1.0}}}]}

WRONG = [
    (datastreams() | DERIVED, "datastream[0].key = 'river/ph'", "its rows are computed"),
    (
        sources(channels={"ph": {"datastream": "river/ph"}}) | DERIVED,
        "source[0].channels.ph.datastream = 'river/ph'",
        "its rows are computed",
    ),
    (sources(driver="modbus_tpc"), "source[0].driver = 'modbus_tpc'", "did you mean modbus_tcp"),
    (sources(options={**MODBUS, "prt": 1}), "source[0].options.prt = 'prt'", "did you mean port"),
    (sources(options={"instrument": "yosemitech_y4000"}), "source[0].options.host", "field required"),
    (sources(options={**MODBUS, "port": "x"}), "source[0].options.port = 'x'", "integer"),
    (sources(options={"host": "127.0.0.1"}), "source[0].options", "give either `instrument` or `devices`"),
    (
        sources(options={**MODBUS, "instrument": "yosemitech_y400"}),
        "source[0].options.instrument = 'yosemitech_y400'",
        "did you mean yosemitech_y4000",
    ),
    (sources(options={**MODBUS, "instrument": "no.toml"}), "source[0].options.instrument = 'no.toml'", "No such file"),
    (sources(profiles="rivr"), "source[0].profiles = 'rivr'", "did you mean river"),
    (
        sources(channels={"ph": {"profile": "river/phh"}}),
        "source[0].channels.ph.profile = 'river/phh'",
        "did you mean river/ph",
    ),
    (sources(channels={"ph": {"profile": "no.toml"}}), "source[0].channels.ph.profile = 'no.toml'", "No such file"),
    (sources(channels={"t": {"unit": "degC", "raw_unit": "mg/L"}}), "source[0].channels.t.unit", "cannot become"),
    (sources(channels={"t": {"raw_unit": "smoot"}}), "source[0].channels.t.raw_unit = 'smoot'", "smoot"),
    (sources(channels={"t": {"calibrations": [{"kind": "magic"}]}}), "source[0].channels.t.calibrations[0]", "magic"),
    (datastreams(profile="river/phh"), "datastream[0].profile = 'river/phh'", "did you mean river/ph"),
    (datastreams(profile="river/dissolved_oxygen"), "datastream[0].profile", "this profile judges mg L-1"),
    (datastreams(unit="smoot"), "datastream[0].unit = 'smoot'", "smoot"),
    (datastreams(mark_scheme="hj212-2018"), "datastream[0].mark_scheme = 'hj212-2018'", "did you mean hj212-2017"),
    (datastreams(calibrations=[{"kind": "magic"}]), "datastream[0].calibrations[0]", "magic"),
]


@pytest.mark.parametrize(("content", "place", "said"), WRONG, ids=[place for _, place, _ in WRONG])
def test_a_mistake_is_named_before_the_folder_is_touched(tmp_path, content, place, said):
    folder = tmp_path / "data"
    with pytest.raises(ConfigError) as caught:
        Pipeline(folder, parse({"thing": [RIVER], **content}), config_file=FILE)
    assert str(caught.value).startswith(f"nilometer.toml: {place}")
    assert said in str(caught.value)
    assert not folder.exists()


async def test_what_is_derived_is_no_place_for_the_rows_of_a_file(tmp_path):
    async with running(tmp_path, {"thing": [RIVER], **DERIVED}) as pipeline:
        (sent,) = parse({"thing": [RIVER], **datastreams()}).datastreams
        with pytest.raises(ConfigError, match=r"oxygen\.solubility; send the rows of its inputs: river/t"):
            await pipeline.configure([], [sent])


async def test_a_folder_can_be_opened_after_a_mistake_that_only_its_content_shows(tmp_path):
    one = datastreams(property="staff", unit="m", key="river/x")
    async with running(tmp_path, {"thing": [RIVER], **one}) as pipeline:
        await pipeline.ingest(rows(1, NOON, [1.0]))
    with pytest.raises(ConfigError, match="has rows in m"):
        Pipeline(tmp_path, parse({"thing": [RIVER], **datastreams(property="staff", unit="cm", key="river/x")}))
    Store.open(tmp_path).close()


def test_a_fault_while_sources_are_wired_lets_the_folder_go(tmp_path, monkeypatch):
    def fails(*_):
        raise CalibrationError("made to fail")

    # No configuration is known that gets this far and fails: the fault is put there.
    monkeypatch.setattr(Channels, "__init__", fails)
    with pytest.raises(CalibrationError):
        Pipeline(tmp_path, parse({"thing": [RIVER], **sources()}))
    Store.open(tmp_path).close()


async def test_a_profile_that_has_gone_does_not_keep_a_folder_closed(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text('unit = "1"\n[tests.gross_range]\nfail = [0, 14]\n', encoding="utf-8")
    async with running(tmp_path / "data", {"thing": [RIVER], **datastreams(profile=str(profile))}):
        pass
    profile.unlink()
    async with running(tmp_path / "data", {"thing": [RIVER]}) as pipeline:
        assert ids(pipeline) == {"river/ph": 1}


def test_a_locked_folder_tells_who_holds_it(tmp_path):
    held = Pipeline(tmp_path, parse({}), address="http://127.0.0.1:4711")
    try:
        with pytest.raises(StoreLocked, match=r"http://127\.0\.0\.1:4711"):
            Pipeline(tmp_path, parse({}))
    finally:
        held.store.close()


def test_our_own_drivers_are_all_found():
    found = drivers()
    assert {"modbus_tcp", "modbus_rtu", "modbus_rtu_tcp", "nmea0183", "hj212"} <= set(found.items)
    assert found.broken == {}
