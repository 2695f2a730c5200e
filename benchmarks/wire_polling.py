"""1,000 Modbus devices polled each second by one process: its CPU share; and Modbus decoders' frames a second.

    python benchmarks/wire_polling.py [--devices 1000] [--seconds 10] [--lines 5]

The devices (pymodbus servers with our register images, some hundred behind each listening port) are a process of their
own. The poller is one process with a connection for each device, as where each device is a converter of its own: ours
is a `modbus_tcp` driver for each, through time-outs, states and columns up to a sink that acknowledges; the peer is the
loop that a user would write with pymodbus' asyncio client. Both read the same 16 registers, make eight floats of them
and run on uvloop; CPU is the process's own (user and system), after all connections stand. Decoders are timed in CPU
seconds too, for other work on the machine moves the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import uvloop
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from nilometer.acquisition.drivers.modbus_tcp import DRIVER
from nilometer.acquisition.instrument import instrument
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus_stream import MbapSplitter, RtuSplitter
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.modbus import ModbusSimulator, Occupant

CHANNELS = 8
INTERVAL_S = 1.0
SONDE = "\n".join(
    [
        *(
            'title = "Eight floats"',
            'maker = "nilometer"',
            'models = ["bench"]',
            'document = "benchmarks/wire_polling.py"',
        ),
        *('evidence = "made for a benchmark"', "[[block]]", "address = 0", f"count = {2 * CHANNELS}"),
        *(f'[[channel]]\nkey = "c{n}"\nunit = "1"\naddress = {2 * n}' for n in range(CHANNELS)),
    ]
)


def now() -> int:
    return time.time_ns() // 1000


def devices(lines: int, of: int, told) -> None:
    """Serve all devices in a process of its own."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "sonde.toml"
            file.write_text(SONDE)
            model, feed = instrument(file), ConstantFeed({f"c{n}": 7.25 + n for n in range(CHANNELS)})
            made = [
                ModbusSimulator([Occupant(model, feed, unit_id=unit + 1) for unit in range(of)], now)
                for _ in range(lines)
            ]
            told.put([(await line.start())["port"] for line in made])
            await asyncio.gather(*(line.run() for line in made))

    uvloop.run(main())


class Counting:
    """A sink that acknowledges and counts."""

    def __init__(self) -> None:
        self.rows = self.polls = 0

    async def emit(self, batch) -> None:
        self.rows += len(batch)
        self.polls += 1
        batch.acknowledge()

    def report(self, report) -> None:
        pass

    def newest(self, beginning: str = "") -> dict:
        return {}


async def measured(count, seconds: float) -> dict:
    """Wait until all devices have answered, then measure."""
    while count()[0] < 3 * count()[1]:
        await asyncio.sleep(0.1)
    before, cpu, began = count()[0], time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    polls = count()[0] - before
    return {"cpu": (time.process_time() - cpu) / took, "polls": polls / took}


def ours(ports: list[int], of: int, seconds: float, told) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "sonde.toml"
            file.write_text(SONDE)
            sink = Counting()
            tasks = []
            for port in ports:
                for unit in range(of):
                    options = {"host": "127.0.0.1", "port": port, "instrument": str(file), "unit_id": unit + 1}
                    options |= {"poll_interval_s": INTERVAL_S, "timeout_s": 5.0, "connect_timeout_s": 30.0}
                    driver = DRIVER.make(DRIVER.options.model_validate(options), now)
                    tasks.append(asyncio.create_task(driver.run(sink)))
            told.put(await measured(lambda: (sink.polls, len(tasks)), seconds) | {"values": sink.rows / sink.polls})
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    uvloop.run(main())


def peer(ports: list[int], of: int, seconds: float, told) -> None:
    async def main() -> None:
        done = [0, 0]

        async def poll(port: int, unit: int) -> None:
            client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5.0)
            await client.connect()
            due = time.monotonic()
            kind = client.DATATYPE.FLOAT32
            while True:
                answer = await client.read_holding_registers(0, count=2 * CHANNELS, device_id=unit)
                words = answer.registers
                values = [client.convert_from_registers(words[2 * n : 2 * n + 2], kind) for n in range(CHANNELS)]
                done[0] += 1
                done[1] += len(values)
                due += INTERVAL_S
                await asyncio.sleep(max(0.0, due - time.monotonic()))

        tasks = [asyncio.create_task(poll(port, unit + 1)) for port in ports for unit in range(of)]
        told.put(await measured(lambda: (done[0], len(tasks)), seconds) | {"values": done[1] / done[0]})
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    uvloop.run(main())


def polling(count: int, lines: int, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    of = count // lines
    server = context.Process(target=devices, args=(lines, of, told), daemon=True)
    server.start()
    ports = told.get(timeout=60)
    found = {}
    try:
        for name, target in (("nilometer modbus_tcp", ours), ("pymodbus client loop", peer)):
            worker = context.Process(target=target, args=(ports, of, seconds, told), daemon=True)
            worker.start()
            found[name] = told.get(timeout=120)
            worker.join(20)
    finally:
        server.terminate()
        server.join()
    for name, one in found.items():
        a_poll = one["cpu"] / one["polls"] * 1e6
        print(
            f"{name}: {lines * of} devices, {one['polls']:.0f} polls/s of {one['values']:.0f} values, "
            f"{100 * one['cpu']:.0f} % of a core, {a_poll:.0f} µs a poll"
        )
    mine, other = (one["cpu"] / one["polls"] for one in found.values())
    print(f"ratio: CPU a poll, the peer's to ours: {other / mine:.2f}")


def rate(decode, frames: list[bytes]) -> float:
    """Return frames a second, the median of five runs."""
    rates = []
    for _ in range(5):
        began = time.process_time()
        for frame in frames:
            decode(frame)
        rates.append(len(frames) / (time.process_time() - began))
    return statistics.median(rates)


def decoding(count: int) -> None:
    answers = [bytes([3, 32]) + n.to_bytes(4) * 8 for n in range(count)]
    rtu = [modbus.encode_rtu(n % 247 + 1, pdu) for n, pdu in enumerate(answers)]
    tcp = [modbus.encode_tcp(n % 247 + 1, pdu, n % 65535 + 1) for n, pdu in enumerate(answers)]
    for name, frames, splitter, framer in (
        ("RTU", rtu, RtuSplitter(), FramerRTU(DecodePDU(is_server=False))),
        ("TCP", tcp, MbapSplitter(), FramerSocket(DecodePDU(is_server=False))),
    ):

        def one(frame: bytes, splitter=splitter) -> None:
            for item in splitter.feed(frame):
                assert len(modbus.registers_of(modbus.decode_answer(item.frame.pdu))) == 16

        def theirs(frame: bytes, framer=framer) -> None:
            assert len(framer.handleFrame(frame, 0, 0)[1].registers) == 16

        def known(frame: bytes, decode=modbus.decode_rtu if name == "RTU" else modbus.decode_tcp) -> None:
            assert len(modbus.registers_of(modbus.decode_answer(decode(frame).pdu))) == 16

        mine, found, other = rate(known, frames), rate(one, frames), rate(theirs, frames)
        print(
            f"{name} answers of 16 registers: {mine:,.0f} frames/s where the frame is known, {found:,.0f} found in a "
            f"stream; pymodbus {other:,.0f}; ratio {mine / other:.2f} and {found / other:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=5, help="listening ports; at most 247 devices behind each")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--frames", type=int, default=20_000)
    options = parser.parse_args()
    decoding(options.frames)
    polling(options.devices, options.lines, options.seconds)


if __name__ == "__main__":
    main()
