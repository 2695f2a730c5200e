"""decode and simulate."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import tomllib

import pytest

from nilometer.acquisition.protocols.hj212_crc import crc16 as hj212_crc16
from nilometer.acquisition.protocols.modbus_crc import crc16
from nilometer.pipeline import drivers
from tests.acquisition.sinks import RecordingSink
from tests.cli.conftest import nilometer

GOOD = b"$SDDPT,2.4,0.0*51\r\n"
BAD = b"$SDDPT,2.5,0.0*51\r\n"


def test_sentences_are_decoded_to_one_line_a_value(tmp_path):
    (tmp_path / "log.nmea").write_bytes(GOOD * 3)
    called = nilometer("decode", "nmea0183", tmp_path / "log.nmea")
    assert called.code == 0
    depths = [line for line in called.lines if line["parameter"].endswith("depth_below_transducer")]
    assert [(line["value"], line["unit"]) for line in depths] == [(2.4, "m")] * 3


def test_good_values_are_printed_and_a_bad_frame_is_status_1():
    for place in ("-", None):
        called = nilometer("decode", "nmea0183", *([place] if place else []), stdin=GOOD + BAD + GOOD)
        assert called.code == 1
        bad = [line for line in called.lines if "error" in line]
        assert [(line["offset"], bytes.fromhex(line["frame"]).rstrip()) for line in bad] == [(len(GOOD), BAD.rstrip())]
        assert "checksum" in bad[0]["error"]
        assert [line["value"] for line in called.lines if line.get("unit") == "m"].count(2.4) == 2


def test_hexadecimal_text_is_taken_for_the_bytes_it_names(monkeypatch):
    wanted = nilometer("decode", "nmea0183", stdin=GOOD * 40).out
    monkeypatch.setattr("nilometer.cli.wire.CHUNK", 7)
    for between, before in ((" ", ""), (":", ""), ("", ""), ("\n", ""), (", ", "0x"), ("", "0X")):
        text = between.join(f"{before}{byte:02x}" for byte in GOOD * 40)
        called = nilometer("decode", "nmea0183", "--hex", stdin=text.encode())
        assert (called.code, called.out) == (0, wanted)
    assert "other half" in nilometer("decode", "nmea0183", "--hex", stdin=b"0a0").err
    called = nilometer("decode", "nmea0183", "--hex", stdin=b"zz")
    assert (called.code, "not hexadecimal text" in called.err) == (2, True)


def test_modbus_is_decoded_by_the_registers_of_an_instrument(tmp_path):
    request = bytes.fromhex("0103 2601 0010")
    answer = bytes.fromhex("0103 20") + bytes.fromhex("0000a040") * 8
    (tmp_path / "line.bin").write_bytes(
        b"".join(part + crc16(part).to_bytes(2, "little") for part in (request, answer))
    )
    called = nilometer("decode", "modbus_rtu", tmp_path / "line.bin", "--instrument", "yosemitech_y4000")
    assert called.code == 0, called.out
    values = {line["parameter"]: line["value"] for line in called.lines}
    assert values["dissolved_oxygen"] == 5.0
    assert values["ph"] == 5.0


def test_hj212_is_decoded_with_its_marks(tmp_path):
    said = b"QN=20240501120000000;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
    said += b"CP=&&DataTime=20240501120000;w01001-Rtd=7.1,w01001-Flag=N;w01018-Rtd=30.5,w01018-Flag=D&&"
    frame = b"##%04d%s%04X\r\n" % (len(said), said, hj212_crc16(said))
    called = nilometer("decode", "hj212", "-", stdin=frame)
    assert called.code == 0, called.out
    flags = {line["parameter"]: (line["value"], line["flag"]) for line in called.lines if line.get("flag")}
    assert (7.1, "N") in flags.values()
    assert (30.5, "D") in flags.values()
    assert nilometer("decode", "hj212", "-", stdin=frame.replace(b"=7.1", b"=7.2")).code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nmea018", "-"], "did you mean nmea0183 or nmea2000?"),
        (["modbus_rtu", "-", "--instrument", "yosemitech_y400"], "did you mean yosemitech_y4000"),
        (["nmea0183", "absent.nmea"], "absent.nmea: No such file or directory"),
    ],
)
def test_a_wrong_option_of_decode_is_named(arguments, said):
    called = nilometer("decode", *arguments)
    assert called.code == 2
    assert said in called.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["yosemitech_y400"], 2, "did you mean yosemitech_y4000"),
        (["yosemitech_y4000", "--fault", "spik@1+1"], 2, "--fault = 'spik'; did you mean spike?"),
        (["yosemitech_y4000", "--fault", "spike"], 2, "KIND[:CHANNEL]@START+DURATION"),
        (["yosemitech_y4000", "--fault", "spike@1.2.3+1"], 2, "are numbers"),
        (["nmea0183", "--connect", "9000"], 2, "--connect = '9000' (allowed: HOST:PORT"),
        (["hj212", "--connect", "h:x"], 2, "--connect = 'h:x'"),
        (["yosemitech_y4000", "--serial", "/dev/x", "--connect", "h:1"], 2, "either a serial line or a target"),
        (["yosemitech_y4000", "--serial", "/dev/no-such-port"], 1, "/dev/no-such-port"),
        (["yosemitech_y4000", "--speed", "0"], 2, "--speed"),
    ],
)
def test_a_wrong_option_of_simulate_is_named(creek, arguments, code, said):
    called = nilometer("simulate", *arguments, "--data", creek)
    assert called.code == code
    assert said in called.err


def test_a_port_in_use_is_named(creek):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for command in (["simulate", "yosemitech_y4000", "--data", creek], ["simulate", "nmea0183", "--data", creek]):
            called = nilometer(*command, "--port", port)
            assert called.code == 1
            assert str(port) in called.err
            assert "in use" in called.err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal of POSIX here")
async def test_what_simulate_prints_is_what_its_driver_needs(creek):
    call = [sys.executable, "-u", "-m", "nilometer", "simulate", "yosemitech_y4000", "--data", str(creek)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        printed = re.search(r"options = (\{.*\}) \(Ctrl-C", line)
        assert printed, line
        options = tomllib.loads(f"options = {printed[1]}")["options"]
        info = drivers()["modbus_tcp"]
        driver = info.make(info.options.model_validate({**options, "poll_interval_s": 0.05}), lambda: 0)
        sink = RecordingSink()
        running = asyncio.create_task(driver.run(sink))
        await sink.until(lambda: sink.batches)
        running.cancel()
        batch = sink.batches[0]
        seen = {batch.channels[c].key: value for c, value in zip(batch.channel, batch.raw_result, strict=True)}
        assert seen["ph"] == pytest.approx(7.0, abs=1e-6)
        assert seen["temperature"] == pytest.approx(15.0, abs=1e-6)
    finally:
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 0
    assert "the simulator has ended" in out
    assert err == ""
