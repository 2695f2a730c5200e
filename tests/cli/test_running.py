"""serve and demo: what keeps them from starting is one clear line, and leaves nothing behind."""

from __future__ import annotations

import socket

import pytest

from nilometer.store import Store
from tests.cli.conftest import nilometer

MODBUS = '[[thing]]\nkey = "r"\nname = "R"\n[[source]]\nname = "s"\nthing = "r"\ndriver = "modbus_tcp"\n'
OPTIONS = 'options = { host = "h", instrument = "yosemitech_y4000" }\n'


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use_is_named_with_the_way_out(tmp_path, taken, command):
    more = ["--no-browser"] if command == "demo" else []
    called = nilometer(command, "--data", tmp_path / "d", "--port", taken, *more)
    assert called.code == 1
    assert f"port {taken} is in use; choose another with --port, or --port 0 for a free one" in called.err
    assert not (tmp_path / "d" / "lock").exists()


def test_a_server_open_to_everyone_needs_a_token(tmp_path):
    called = nilometer("serve", "--data", tmp_path, "--host", "0.0.0.0", "--port", 0)
    assert called.code == 2
    assert "server.host = '0.0.0.0': it would be open to everyone" in called.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[servr]\n", "servr = 'servr': unknown key; did you mean server or derived?"),
        ("[[thing]\n", "TOML: "),
        (MODBUS.replace("modbus_tcp", "modbus_tpc"), "source[0].driver = 'modbus_tpc': no such driver; did you mean"),
        (MODBUS + 'options = { host = "h", instrument = "yosemitech_y400" }', "did you mean yosemitech_y4000"),
        (
            MODBUS + OPTIONS + '[source.channels.ph]\nprofile = "river/phh"\n',
            "source[0].channels.ph.profile = 'river/phh'",
        ),
    ],
)
def test_a_wrong_configuration_is_named_with_its_file_and_leaves_no_lock(tmp_path, text, said):
    (tmp_path / "nilometer.toml").write_text(text, encoding="utf-8")
    called = nilometer("serve", "--data", tmp_path, "--port", 0)
    assert called.code == 2
    assert called.err.startswith(f"nilometer: {tmp_path / 'nilometer.toml'}: {said}") or said in called.err
    assert str(tmp_path / "nilometer.toml") in called.err
    assert "Traceback" not in called.err
    Store.open(tmp_path).close()


def test_a_configuration_that_was_named_must_be_there(tmp_path):
    called = nilometer("serve", "--data", tmp_path, "--config", tmp_path / "mine.toml")
    assert called.code == 2
    assert "there is no such file" in called.err


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no such file"), ("a,b\n1,2\n", "no column of times is seen among 'a', 'b'")],
)
def test_a_recording_that_cannot_be_replayed_is_named(tmp_path, content, said):
    if content is not None:
        (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    more = ["--replay", tmp_path / "a.csv", "--no-browser", "--port", 0]
    called = nilometer("demo", *more, "--data", tmp_path / "d")
    assert called.code == 2
    assert said in called.err
    assert not (tmp_path / "d").exists()
