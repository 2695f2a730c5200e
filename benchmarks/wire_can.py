"""CAN decoding, frames a second: DBC beside cantools, frames of a bus to rows, OBD-II, NMEA 2000 and capture lines.

    python benchmarks/wire_can.py [--frames 20000] [--database FILE.dbc]

One thread. DBC: the messages of a database in turn with random data, the same frames for all; cantools one frame a
call (`decode_message`, choices off), ours one frame a call, and ours by columns as a capture is read. Before that
both decode the frames once, and every value is compared. Lines: candump text to frames beside python-can's reader
of the same file. NMEA 2000 and OBD-II have no peer in Python that is kept: their figures stand alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import can
import cantools
import numpy as np

import nilometer.acquisition.simulators as simulators
from nilometer.acquisition.can_database import load
from nilometer.acquisition.can_rows import ReadingRows
from nilometer.acquisition.can_stack import CanStack
from nilometer.acquisition.protocols.can_frame import CanFrame, frame_of_text
from nilometer.acquisition.protocols.isotp import isotp_frames
from nilometer.acquisition.protocols.j1939_groups import groups
from nilometer.acquisition.protocols.obd2 import Obd2Answers
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.simulators.nmea2000 import Nmea2000Network
from nilometer.acquisition.simulators.simulator import Reading

SONDE = Path(simulators.__file__).with_name("can_sonde.dbc")
WATER = {
    **{"depth_below_transducer": 12.3, "water_temperature": 15.5, "air_temperature": 21.0, "wind_speed": 5.0},
    **{"wind_direction": 270.0, "heading": 80.0, "flow_velocity": 0.5, "current_direction": 120.0},
    **{"battery_voltage": 12.5, "salinity": 34.5},
}


def rate(count: int, work: Callable[[], object]) -> float:
    """Return the best of three runs, in frames a second."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return count / best


def compared(ours, theirs, frames) -> int:
    """Return how many values are the same; a difference ends the benchmark."""
    same = 0
    for frame in frames[:2000]:
        expected = theirs.decode_message(frame.identifier, frame.data, decode_choices=False)
        for reading in ours.decode(frame):
            value = expected[reading.parameter]
            if reading.value is not None and value == value:
                assert abs(reading.value - value) <= 1e-9 * max(1.0, abs(value)), (reading, value)
                same += 1
    return same


def dbc(path: Path, count: int) -> None:  # noqa: C901 -- three ways over the same frames
    ours, theirs = load(path), cantools.database.load_file(path, strict=False)
    random = np.random.default_rng(1)
    plain = [one for one in theirs.messages if not one.is_multiplexed() and one.length <= 8 and one.signals]
    frames = []
    for number in range(count):
        one = plain[number % len(plain)]
        frames.append(CanFrame(one.frame_id, random.bytes(one.length), one.is_extended_frame))
    print(f"{path.name}: {len(plain)} messages, {compared(ours, theirs, frames):,} values of 2,000 frames the same")

    def by_cantools() -> None:
        for frame in frames:
            theirs.decode_message(frame.identifier, frame.data, decode_choices=False)

    def by_frame() -> None:
        for frame in frames:
            ours.decode(frame)

    def by_columns() -> None:
        grouped: dict[int, list[bytes]] = {}
        for frame in frames:
            grouped.setdefault(frame.identifier, []).append(frame.data)
        for identifier, rows in grouped.items():
            message = ours.message_of(identifier, extended=identifier > 0x7FF)
            assert message is not None
            data = np.frombuffer(b"".join(row.ljust(8, b"\0") for row in rows), np.uint8).reshape(len(rows), 8)
            for _ in message.columns(data, np.array([len(row) for row in rows])):
                pass

    peer = rate(count, by_cantools)
    for name, work in (("frame by frame", by_frame), ("by columns", by_columns)):
        mine = rate(count, work)
        print(f"  {name:<16}{mine:>12,.0f} frames/s   cantools {peer:>10,.0f}   ratio {mine / peer:.1f}")


def lines(count: int) -> None:
    text = [f"({1718000000 + n / 1000:.6f}) can0 18FEEE{n % 256:02X}#3EFF{n % 65536:04X}FFFFFFFF" for n in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bus.log"
        path.write_text("\n".join(text) + "\n", encoding="ascii")
        mine = rate(count, lambda: [frame_of_text(line) for line in path.read_text("ascii").splitlines()])
        peer = rate(count, lambda: list(can.CanutilsLogReader(path)))
    print(f"candump lines     {mine:>12,.0f} frames/s   python-can {peer:>8,.0f}   ratio {mine / peer:.1f}")


def stack(name: str, frames: list[CanFrame], made: Callable[[], CanStack]) -> None:
    whole, rows = made(), ReadingRows(ChannelTable())
    values = 0

    def work() -> None:
        nonlocal values
        at = values = 0
        for frame in frames:
            heard = whole.take(frame)
            if heard is not None:
                at += 1000
                values += len(heard.readings)
                rows.take(heard.readings, heard.source, at)
        rows.flush()

    mine = rate(len(frames), work)
    print(f"{name:<18}{mine:>12,.0f} frames/s to rows, {mine * values / len(frames):,.0f} values/s (no peer)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--database", type=Path, default=SONDE)
    given = parser.parse_args()
    dbc(given.database, given.frames)
    lines(given.frames)
    network, readings = Nmea2000Network(), {key: Reading(value) for key, value in WATER.items()}
    frames: list[CanFrame] = []
    while len(frames) < given.frames:
        frames += network.talk(readings, 1_718_000_000_000_000 + len(frames) * 1000)
    stack("NMEA 2000", frames, lambda: CanStack(known=groups("nmea2000")))
    answer = [CanFrame(0x7E8, part) for part in isotp_frames(bytes.fromhex("410C1AF80D32057B2F80"))]
    stack("OBD-II, 4 PIDs", answer * (given.frames // 2), lambda: CanStack(obd2=Obd2Answers()))


if __name__ == "__main__":
    main()
