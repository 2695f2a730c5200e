"""The wire: bytes decoded, and instruments simulated."""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from nilometer.acquisition.decoding import BadFrame, DecodedValue

__all__ = ["register"]

CHUNK = 65536
# What people, and tools, write between bytes in hexadecimal.
BETWEEN_HEX = re.compile(rb"0[xX]|[\s:;,-]")


def decode(
    protocol: Annotated[str, typer.Argument(help="modbus_rtu, modbus_tcp, nmea0183, hj212, sdi12, lpp, lorawan …")],
    file: Annotated[Path | None, typer.Argument(help="A file of bytes; - or nothing: standard input.")] = None,
    *,
    instrument: Annotated[str | None, typer.Option(help="The instrument that these are the values of.")] = None,
    as_hex: Annotated[
        bool, typer.Option("--hex", help="The input is hexadecimal text: 0103a0, 01 03 a0, 01:03:A0, 0x01 0x03 …")
    ] = False,
) -> None:
    """Decode the bytes of a wire to JSON lines: one a value, one a bad frame; status 1 if any frame was bad.

    Example: nilometer decode nmea0183 depths.nmea
    """
    from nilometer.acquisition.decoding import BadFrame, DecoderInfo
    from nilometer.acquisition.protocols import decoders
    from nilometer.errors import ConfigError

    info: DecoderInfo = decoders()[protocol]
    if info.needs_instrument and instrument is None:
        from nilometer.acquisition.instrument import instruments

        raise ConfigError("--instrument", allowed=instruments().items, reason=f"{protocol} needs it to name its values")
    decoder = info.make(instrument)
    bad = 0
    for data in _chunks(file, as_hex=as_hex):
        for item in decoder.feed(data):
            bad += isinstance(item, BadFrame)
            _print(item)
    for item in decoder.close():
        bad += isinstance(item, BadFrame)
        _print(item)
    if bad:
        raise typer.Exit(1)


def _chunks(file: Path | None, *, as_hex: bool) -> Iterator[bytes]:
    if file is None or str(file) == "-":
        yield from _read(cast("BufferedReader", sys.stdin.buffer), as_hex=as_hex)
    else:
        from nilometer.errors import ReadError

        try:
            stream = file.open("rb")
        except OSError as error:
            raise ReadError(error.strerror or str(error), path=file) from error
        with stream:
            yield from _read(stream, as_hex=as_hex)


def _read(stream: BufferedReader, *, as_hex: bool) -> Iterator[bytes]:
    chunks = iter(lambda: stream.read1(CHUNK), b"")  # What is there: a wire that is listened to goes on for ever.
    yield from _from_hex(chunks) if as_hex else chunks


def _from_hex(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes that hexadecimal text stands for, piece by piece: a day of a line may not fit in memory."""
    from nilometer.errors import ReadError

    held = digit = b""
    for chunk in itertools.chain(chunks, [b" "]):
        text = held + chunk
        # A 0 may be the beginning of 0x.
        held = b"0" if text.endswith(b"0") else b""
        digits = digit + BETWEEN_HEX.sub(b"", text.removesuffix(held))
        digit = digits[len(digits) & ~1 :]
        try:
            yield bytes.fromhex(digits[: len(digits) & ~1].decode("ascii", "replace"))
        except ValueError as error:
            raise ReadError(f"not hexadecimal text: {error}", format="hex") from error
    if digit:
        raise ReadError("not hexadecimal text: a last digit without its other half", format="hex")


def _print(item: DecodedValue | BadFrame) -> None:
    from nilometer.acquisition.decoding import BadFrame

    if isinstance(item, BadFrame):
        line = {"error": item.error, "offset": item.offset, "frame": item.frame.hex()}
    else:
        value = item.value
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        line = {"parameter": item.parameter, "value": value, "unit": item.unit, "flag": item.flag, "time": item.time}
        line |= dict(item.more)
    typer.echo(json.dumps(line, ensure_ascii=False, default=str))


def simulate(
    instrument: Annotated[
        str,
        typer.Argument(help="An instrument (nilometer instruments), or nmea0183, nmea2000, can, hj212, mqtt, usgs …"),
    ],
    *,
    data: Annotated[Path, typer.Option(help="The file whose columns it measures; runs in a loop.")],
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535)] = 0,
    serial: Annotated[str | None, typer.Option(help="A serial device in place of TCP.")] = None,
    connect: Annotated[
        str | None, typer.Option(help="HOST:PORT to dial, for protocols in which the station dials.")
    ] = None,
    speed: Annotated[float, typer.Option(help="How fast the file's time runs.", min=0.1)] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND[:CHANNEL]@START+DURATION[=AMOUNT], seconds; kinds: silence wrong_crc swapped_words restart "
            "stuck spike drift; all but modbus and iio late duplicate out_of_order, sdi12 noise parity, mqtt "
            "counter_restart. Example: spike:ph@30+5=3"
        ),
    ] = None,
) -> None:
    """Serve a virtual instrument over its real protocol, from a data file, with faults on request.

    Example: nilometer simulate yosemitech_y4000 --data sonde.csv --port 5020 --fault silence@60+20
    """
    import asyncio

    from nilometer.acquisition.simulators.session import run_simulator

    link = {"port": port, "path": serial, "target": connect}
    asyncio.run(run_simulator(instrument, data, fault or [], speed=speed, link=link, say=typer.echo))


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(decode)
    app.command()(simulate)
