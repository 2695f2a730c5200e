"""Decoders of four telemetries beside what a user would take, and two whole drivers on loopback.

    python benchmarks/wire_telemetry.py [--frames 20000] [--runs 3]

Decoders: bytes as a wire gives them, in pieces of 4 KiB, to values with units and times. Beside NMEA 0183 stands
pynmea2 1.19, a sentence a line, its checksum verified, its values read. PyPI has no package for HJ 212, SL 651 or
SDI-12 (29 November 2026: `pip download hj212`, `sl651`, `sdi12` find none); beside those stands the loop that a user
writes from the standard: split, check the CRC, take the numbers; it needs whole frames, one at a time, and knows no
units, marks, repeats or noise.

Frames a second of CPU time, the best of some runs; ours takes turns with the peer.

Drivers: stations (processes of their own, so that both cores count) send as fast as the receiver takes it, on real
sockets; the receiver's rows go to a sink that counts and acknowledges them.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from importlib import import_module

import pynmea2

from nilometer.acquisition.protocols import hj212, nmea0183, sdi12, sl651
from nilometer.acquisition.protocols.hj212_crc import crc16 as hj212_crc
from nilometer.acquisition.protocols.modbus_crc import crc16
from nilometer.acquisition.protocols.sl651 import SYMBOLS
from nilometer.acquisition.protocols.sl651_numbers import CHINA
from nilometer.acquisition.protocols.sl651_writing import Group, report_body

PIECE = 4096
BEGAN = 1_719_806_400_000_000
NMEA = (
    "$GPGGA,120044.00,6011.552,N,02501.941,E,1,08,1.0,5.0,M,18.0,M,,",
    "$SDDPT,7.63,0.50",
    "$YXMTW,17.75,C",
    "$WIMWV,214.8,R,5.1,M,A",
    "$VWVHW,234.9,T,228.8,M,2.41,N,4.46,K",
)


def nmea_frames(count: int) -> list[bytes]:
    found = []
    for number in range(count):
        body = NMEA[number % len(NMEA)][1:]
        check = 0
        for letter in body.encode():
            check ^= letter
        found.append(f"${body}*{check:02X}\r\n".encode())
    return found


def hj212_frames(count: int) -> list[bytes]:
    codes = ("w01001", "w01009", "w01010", "w01014", "w01019", "w21001", "w21003", "w21011")
    found = []
    for number in range(count):
        second = f"202407011200{number % 60:02d}"
        area = ";".join(f"{code}-Rtd={7 + number % 50 / 100:.2f},{code}-Flag=N" for code in codes)
        text = f"QN={second}000;ST=21;CN=2011;PW=123456;MN=A1;Flag=4;CP=&&DataTime={second};{area}&&"
        found.append(hj212.encode_frame(text.encode()))
    return found


def sl651_frames(count: int) -> list[bytes]:
    symbols = ("Z", "Q", "PJ", "PT", "C", "PH", "DO", "VT")
    found = []
    for number in range(count):
        at = BEGAN + number * 60_000_000
        values = [(SYMBOLS[symbol], 7 + number % 50 / 100) for symbol in symbols]
        body = report_body(number % 65535 + 1, at, "0012345678", "H", [Group(at, values)], CHINA)
        found.append(sl651.encode_frame(sl651.Frame(1, "0012345678", "1234", 0x32, body)))
    return found


def sdi12_frames(count: int) -> list[bytes]:
    return [
        b"0M!00008\r\n0D0!0+%.2f+7.05+512.3-0.25+8.1+0.12+18.5+12.1\r\n" % (10 + n % 50 / 100) for n in range(count)
    ]


def loop_nmea(frames: list[bytes]) -> int:
    values = 0
    for frame in frames:
        said = pynmea2.parse(frame.decode(), check=True)
        values += sum(1 for name in said.name_to_idx if getattr(said, name) not in {None, ""})
    return values


def loop_hj212(frames: list[bytes]) -> int:
    values = 0
    for frame in frames:
        length = int(frame[2:6])
        segment = frame[6 : 6 + length]
        if hj212_crc(segment) != int(frame[6 + length : 10 + length], 16):
            continue
        area = segment.decode().partition("CP=&&")[2][:-2]
        found = {}
        for item in area.split(";"):
            for part in item.split(","):
                name, _, text = part.partition("=")
                if name.endswith("-Rtd"):
                    found[name] = float(text)
        values += len(found)
    return values


def loop_sl651(frames: list[bytes]) -> int:
    values = 0
    for frame in frames:
        if crc16(frame[:-2]) != int.from_bytes(frame[-2:], "big"):
            continue
        body = frame[14:-3]
        place = 8 + 8 + 7  # serial and time, station and kind, time of observation
        found = {}
        while place < len(body):
            size, decimals = body[place + 1] >> 3, body[place + 1] & 7
            found[body[place]] = int(body[place + 2 : place + 2 + size].hex()) / 10**decimals
            place += 2 + size
        values += len(found)
    return values


def loop_sdi12(frames: list[bytes]) -> int:
    values = 0
    for frame in frames:
        text = frame.decode().split("!")[-1].strip()
        values += len([float(part) for part in text[1:].replace("-", "+-").split("+") if part])
    return values


KINDS: dict[str, tuple[Callable[[int], list[bytes]], Callable[[], object], Callable[[list[bytes]], int], str]] = {
    "NMEA 0183": (nmea_frames, lambda: nmea0183.DECODER.make(None), loop_nmea, "pynmea2 1.19"),
    "HJ 212": (hj212_frames, lambda: hj212.DECODER.make(None), loop_hj212, "a user's loop"),
    "SL 651": (sl651_frames, lambda: sl651.DECODER.make(None), loop_sl651, "a user's loop"),
    "SDI-12": (sdi12_frames, lambda: sdi12.DECODER.make(None), loop_sdi12, "a user's loop"),
}


def ours(make: Callable[[], object], data: bytes) -> int:
    decoder = make()
    values = 0
    for place in range(0, len(data), PIECE):
        values += sum(1 for _ in decoder.feed(data[place : place + PIECE]))
    return values + sum(1 for _ in decoder.close())


def decoders(count: int, runs: int) -> None:
    print(f"{'':10} {'frames/s':>10} {'values/s':>10}   peer: {'frames/s':>10} {'values/s':>10}   ours / peer")
    for name, (make_frames, make, loop, peer) in KINDS.items():
        frames = make_frames(count)
        data = b"".join(frames)
        best = [float("inf")] * 2
        values = [0, 0]
        for _ in range(runs):
            for place, (work, given) in enumerate(((ours, (make, data)), (loop, (frames,)))):
                # CPU time: what else the machine does is not the decoder's.
                began = time.process_time()
                values[place] = work(*given)
                best[place] = min(best[place], time.process_time() - began)
        mine, theirs = (count / seconds for seconds in best)
        print(
            f"{name:10} {mine:10,.0f} {values[0] / best[0]:10,.0f}   {peer:13}"
            f" {theirs:10,.0f} {values[1] / best[1]:10,.0f}   {mine / theirs:.2f}",
            flush=True,
        )


class Count:
    """A sink that counts rows and acknowledges them."""

    def __init__(self, expected: int) -> None:
        self.rows, self.expected = 0, expected
        self.began = self.ended = 0.0
        self.done = asyncio.Event()
        self.waiting = asyncio.Event()

    async def emit(self, batch) -> None:
        self.began = self.began or time.perf_counter()
        self.rows += len(batch)
        batch.acknowledge()
        if self.rows >= self.expected:
            self.ended = time.perf_counter()
            self.done.set()

    def report(self, report) -> None:
        if "waiting" in report.detail:
            self.waiting.set()

    def newest(self, _beginning: str = "") -> dict[str, int]:
        return {}


def send_all(port: int, data: bytes, ready, go) -> None:
    with socket.create_connection(("127.0.0.1", port)) as link:
        ready.release()
        go.wait()
        link.settimeout(60)
        for place in range(0, len(data), 65536):
            link.sendall(data[place : place + 65536])
        link.shutdown(socket.SHUT_WR)
        while link.recv(65536):
            pass


async def drive(name: str, frames: list[bytes], values: int, **options: object) -> None:
    module = import_module(f"nilometer.acquisition.drivers.{name}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    sink = Count(len(frames) * values)
    driver = module.DRIVER.make(module.DRIVER.options(port=port, **options), lambda: BEGAN)
    task = asyncio.create_task(driver.run(sink))
    await sink.waiting.wait()
    ready, go = multiprocessing.Semaphore(0), multiprocessing.Event()
    station = multiprocessing.Process(target=send_all, args=(port, b"".join(frames), ready, go))
    station.start()
    await asyncio.to_thread(ready.acquire)
    cpu = time.process_time()
    go.set()
    async with asyncio.timeout(120):
        await sink.done.wait()
    cpu = time.process_time() - cpu
    seconds = sink.ended - sink.began
    print(
        f"driver {name:7} {len(frames) / seconds:10,.0f} frames/s {sink.rows / seconds:10,.0f} observations/s,"
        f" CPU {cpu / sink.rows * 1e6:.1f} µs an observation",
        flush=True,
    )
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    station.join(5)
    station.kill()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--frames", type=int, default=20_000)
    arguments.add_argument("--runs", type=int, default=3)
    given = arguments.parse_args()
    print(
        f"load {os.getloadavg()[0]:.1f}; {given.frames} frames, the best of {given.runs} runs, pieces of {PIECE} bytes"
    )
    decoders(given.frames, given.runs)
    asyncio.run(drive("hj212", hj212_frames(given.frames), 8, stations=("A1",)))
    asyncio.run(drive("sl651", sl651_frames(given.frames), 8, stations=("0012345678",), keep_online=False))


if __name__ == "__main__":
    main()
