from __future__ import annotations

import importlib
import sys

import pytest

from nilometer import plugins
from nilometer.acquisition.formats.reading import formats
from nilometer.acquisition.instrument import instruments
from nilometer.errors import ConfigError
from nilometer.pipeline import drivers
from tests.cli.conftest import nilometer

GOOD = """
from nilometer.acquisition.driver import DriverInfo, DriverOptions
DRIVER = DriverInfo(name="{name}", title="A stranger's", protocol="none", options=DriverOptions, make=print)
"""


@pytest.fixture
def install(tmp_path):
    """Install a stranger's package as pip would: its files, and a dist-info that names it."""
    place = tmp_path / "site"
    place.mkdir()
    sys.path.insert(0, str(place))
    known = set(sys.modules)

    def act(group, package, files, *, value=None):
        info = place / f"{package}_dist-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}-dist\nVersion: 1.0\n", "utf-8")
        with (info / "entry_points.txt").open("a", encoding="utf-8") as points:
            points.write(f"[{group}]\n{package} = {value or package}\n")
        for name, content in files.items():
            file = place / package / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, "utf-8")
        importlib.invalidate_caches()
        _forget()

    yield act
    sys.path.remove(str(place))
    for name in set(sys.modules) - known:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(place)):
            del sys.modules[name]
    _forget()


def _forget():
    plugins.constants.cache_clear()
    plugins.data_files.cache_clear()


def test_a_strangers_driver_is_found_as_ours_are(install):
    install(
        "nilometer.drivers",
        "pack_a",
        {"__init__.py": "", "theirs_12.py": GOOD.format(name="theirs_12"), "other.py": ""},
    )
    found = drivers()
    assert found["theirs_12"].title == "A stranger's"
    assert "modbus_tcp" in found.items
    assert "other" not in found.items
    assert found.broken == {}
    install("nilometer.formats", "pack_f", {"__init__.py": "", "notes.py": ""})
    assert "notes" not in formats().items


@pytest.mark.parametrize(
    ("files", "name", "said"),
    [
        ({"__init__.py": "", "bad.py": "import no_such_module_at_all"}, "bad", "ModuleNotFoundError"),
        ({"__init__.py": "", "bad.py": "def ("}, "bad", "SyntaxError"),
        ({"__init__.py": "", "bad.py": "raise KeyError('x')"}, "bad", "KeyError"),
        ({"__init__.py": "", "bad.py": "DRIVER = 5"}, "bad", "DRIVER is a int, not a DriverInfo"),
        ({"__init__.py": "1/0", "good.py": GOOD.format(name="good")}, "pack_b", "ZeroDivisionError"),
    ],
    ids=["import", "syntax", "raise", "type", "package"],
)
def test_a_strangers_broken_module_is_named_and_ours_work(install, files, name, said):
    install("nilometer.drivers", "pack_b", {**files, "fine.py": GOOD.format(name="fine")})
    found = drivers()
    assert said in found.broken[name]
    assert ("fine" in found.items) == (name == "bad")
    assert {"modbus_tcp", "nmea0183", "hj212"} <= set(found.items)
    with pytest.raises(ConfigError, match=f"driver = '{name}': .*{said.split()[0]}"):
        found[name]


@pytest.mark.parametrize("value", ["no_such_package_anywhere", "json.decoder"])
@pytest.mark.parametrize("group", ["nilometer.drivers", "nilometer.instruments"])
def test_an_entry_point_that_names_no_package_is_named(install, group, value):
    install(group, "pack_c", {}, value=value)
    found = drivers() if group == "nilometer.drivers" else instruments()
    if (group, value) == ("nilometer.instruments", "json.decoder"):
        # A module has a folder too; it holds no data file, and that is all that is asked of it here.
        assert "yosemitech_y4000" in found.items
    else:
        assert value in found.broken
    assert len(found.items) >= 5


def test_no_stranger_takes_the_place_of_one_of_ours(install):
    install("nilometer.drivers", "a_pack", {"__init__.py": "", "modbus_tcp.py": GOOD.format(name="modbus_tcp")})
    found = drivers()
    assert found["modbus_tcp"].title == "Modbus TCP"
    assert "taken already" in found.broken["a_pack.modbus_tcp"]


def test_a_strangers_instrument_files_are_read_from_every_folder_and_broken_ones_are_named(install, tmp_path):
    ours = importlib.resources.files("nilometer.acquisition.instruments") / "yosemitech_y4000.toml"
    good = ours.read_text(encoding="utf-8")
    install(
        "nilometer.instruments",
        "pack_d",
        {
            "__init__.py": "",
            "maker/sonde.toml": good,
            "maker/_drafts/half.toml": "not = [",
            "torn.toml": "title = ",
            "odd.toml": good.replace("maker =", "mkaer ="),
            "bytes.toml": "",
        },
    )
    (tmp_path / "site" / "pack_d" / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    _forget()
    found = instruments()
    assert found["maker/sonde"].title == found["yosemitech_y4000"].title
    assert set(found.broken) == {"torn", "odd", "bytes"}
    assert "mkaer" in found.broken["odd"]
    assert "did you mean maker" in found.broken["odd"]


def test_an_unknown_name_is_answered_with_the_near_ones():
    with pytest.raises(ConfigError, match="driver = 'nmea183'; did you mean nmea0183"):
        drivers()["nmea183"]


def test_a_broken_plug_in_is_named_by_the_command_line_and_by_the_doctor(install):
    install("nilometer.drivers", "pack_e", {"__init__.py": "", "torn.py": "def ("})
    listed, told = nilometer("drivers"), nilometer("doctor")
    assert listed.code == 0
    assert "modbus_tcp" in listed.out
    assert "broken: torn: SyntaxError" in listed.err
    assert told.code == 1
    assert "BAD  drivers" in told.out
    assert "torn: SyntaxError" in told.out
