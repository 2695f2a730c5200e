"""``nilometer probe``: what is on this wire? It asks, shows, and writes the configuration to paste."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nilometer.acquisition.probing import Candidate, Plausible, Present, Span, Target

__all__ = ["register"]

PROTOCOLS = ("modbus", "sdi12", "nmea", "opcua")
MODBUS_PORT = 502
SPEEDS = {
    "modbus": (9600, 19200, 38400, 4800, 115200, 57600, 2400, 1200),
    "sdi12": (9600, 1200, 19200, 38400, 57600, 115200),
    "nmea": (4800, 38400, 9600, 115200, 19200, 57600),
}
"""What ``--baud auto`` tries, the likeliest first."""


def probe(
    protocol: Annotated[str, typer.Argument(help="modbus, sdi12, nmea or opcua.")],
    target: Annotated[
        str,
        typer.Argument(
            help="HOST:PORT, /dev/ttyUSB0 or another serial device, rfc2217://HOST:PORT, for nmea udp://HOST:PORT, for "
            "opcua opc.tcp://HOST:PORT."
        ),
    ],
    *,
    addresses: Annotated[str, typer.Option(help="Which to ask, such as 1-247 or 0-9,a.")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each answer.", min=0.01)] = 0.3,
    framing: Annotated[str, typer.Option(help="Modbus over a socket: tcp, or rtu for frames inside TCP.")] = "tcp",
    line: Annotated[str, typer.Option(help="SDI-12: transparent, or direct where the port drives the bus.")] = (
        "transparent"
    ),
    baud: Annotated[
        str, typer.Option(help="Of a serial device: 9600, or several to try: 9600,19200; auto: the usual ones.")
    ] = "",
    parity: Annotated[str, typer.Option(help="Of a serial device: N, E or O, or several to try: N,E.")] = "N",
    stop_bits: Annotated[int, typer.Option(help="Of a serial device.", min=1, max=2)] = 1,
    seconds: Annotated[float, typer.Option(help="nmea: how long to listen, at each speed.", min=0.05)] = 10.0,
    output: Annotated[Path | None, typer.Option("-o", help="Write the configuration block here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Find what is on a wire: addresses, instruments, values in every word order; status 1 if nobody answers.

    Only reads are sent to Modbus devices, SDI-12 sensors measure once, and nmea only listens; no setting is changed.

    Example: nilometer probe modbus 192.168.1.7:502 --addresses 1-10
    """
    from nilometer.acquisition.probing import target as parse
    from nilometer.errors import ConfigError

    for name, seen, allowed in (
        ("PROTOCOL", protocol, PROTOCOLS),
        ("--framing", framing, ("tcp", "rtu")),
        ("--line", line, ("transparent", "direct")),
    ):
        if seen not in allowed:
            raise ConfigError(name, seen=seen, allowed=allowed)
    if protocol == "opcua":
        from nilometer.cli.probing_opcua import probe_opcua

        probe_opcua(target, timeout, output, as_json=as_json)
        return
    settings = _settings(protocol, baud, parity, stop_bits)
    if protocol == "nmea":
        from nilometer.cli.probing_nmea import run

        if not run(target, settings, seconds, output, as_json=as_json):
            raise typer.Exit(1)
        return
    place = parse(target, port=MODBUS_PORT if protocol == "modbus" else None)
    found, block = asyncio.run(_at_each(place, protocol, addresses, timeout, framing, line, settings))
    _show(found, block, as_json=as_json)
    if output is not None and found:
        output.write_text(block, encoding="utf-8")
    if not found:
        raise typer.Exit(1)


def _settings(protocol: str, baud: str, parity: str, stop_bits: int) -> list[dict[str, Any]]:
    """Return the settings of a serial line that are to be tried, in order."""
    from nilometer.errors import ConfigError

    words = [word.strip() for word in baud.split(",") if word.strip()]
    if baud.strip() == "auto" or (not words and protocol == "nmea"):
        speeds = list(SPEEDS[protocol])
    elif all(word.isdecimal() and 50 <= int(word) <= 4_000_000 for word in words):
        speeds = [int(word) for word in words] or [SPEEDS[protocol][0]]
    else:
        raise ConfigError("--baud", seen=baud, allowed="auto, or speeds such as 9600,19200")
    parities = [word.strip().upper() for word in parity.split(",") if word.strip()]
    if not parities or not set(parities) <= {"N", "E", "O"}:
        raise ConfigError("--parity", seen=parity, allowed=("N", "E", "O"))
    return [{"baud": speed, "parity": one, "stop_bits": stop_bits} for one in parities for speed in speeds]


async def _at_each(
    place: Target,
    protocol: str,
    addresses: str,
    timeout_s: float,
    framing: str,
    line: str,
    settings: list[dict[str, Any]],
) -> tuple[list[Present], str]:
    """Ask at each setting of a serial line until somebody answers clearly; garbled answers are shown where none is."""
    best: tuple[list[Present], str] | None = None
    tried = settings if place.path and line != "direct" else settings[:1]
    for serial in tried:
        if len(tried) > 1:
            typer.echo(f"at {serial['baud']} {serial['parity']}{serial['stop_bits']} …", err=True)
        if protocol == "modbus":
            found, block = await _modbus(place, addresses, timeout_s, framing, serial)
        else:
            found, block = await _sdi12(place, addresses, timeout_s, line, serial)
        if any(item.candidates or not item.note for item in found):
            return found, block
        if best is None or (found and not best[0]):
            best = found, block
    return best or ([], "")


async def _modbus(
    place: Target, text: str, timeout_s: float, framing: str, serial: dict[str, Any]
) -> tuple[list[Present], str]:
    from nilometer.acquisition.modbus_master import ModbusMaster
    from nilometer.acquisition.modbus_probing import addresses_of
    from nilometer.acquisition.modbus_probing import probe as ask
    from nilometer.acquisition.probing import block

    addresses = addresses_of(text)
    is_rtu = bool(place.path) or framing == "rtu"
    link = await place.open(**serial)
    try:
        with _progress(len(addresses)) as step:
            master = ModbusMaster(link, "rtu" if is_rtu else "tcp", gap_s=0.01 if is_rtu else 0.0)
            found = await ask(master, addresses, _plausible(), timeout_s, step)
    finally:
        await link.close()
    driver = "modbus_rtu" if place.path else "modbus_rtu_tcp" if is_rtu else "modbus_tcp"
    devices = [
        {"instrument": _best(item).instrument, "unit_id": int(item.address), "#": _remark(item)}
        for item in found
        if item.candidates
    ]
    return found, block(driver, place.options | (serial if place.path else {}), "devices", devices)


async def _sdi12(
    place: Target, text: str, timeout_s: float, line: str, serial: dict[str, Any]
) -> tuple[list[Present], str]:
    from nilometer.acquisition.probing import block
    from nilometer.acquisition.sdi12_bus import Sdi12Bus, Timing
    from nilometer.acquisition.sdi12_probing import addresses_of
    from nilometer.acquisition.sdi12_probing import probe as ask
    from nilometer.errors import ConfigError

    is_direct = line == "direct"
    if is_direct and not place.path:
        raise ConfigError("--line", seen=line, allowed=("transparent",), reason="no break passes through a socket")
    addresses = addresses_of(text)
    link = await place.open(**({"baud": 1200} if is_direct else serial))
    try:
        bus = Sdi12Bus(link, Timing.direct() if is_direct else Timing(timeout_s=timeout_s))
        with _progress(len(addresses)) as step:
            found = await ask(bus, addresses, _plausible(), _now, step)
    finally:
        await link.close()
    options = place.options | ({"line": line} if is_direct else serial if place.path else {})
    sensors = [
        {"address": item.address, **_best(item).options, "#": _remark(item)} for item in found if item.candidates
    ]
    return found, block("sdi12", options, "sensors", sensors)


def _now() -> int:
    return time.time_ns() // 1000


def _best(item: Present) -> Candidate:
    return item.candidates[0]


def _remark(item: Present) -> str:
    others = [str(other.instrument) for other in item.candidates[1:] if other.score == _best(item).score]
    said = [item.said, _best(item).note, f"could as well be {', '.join(others)}" if others else ""]
    return "; ".join(part for part in said if part)


def _plausible() -> Plausible:
    """Return the widest range beyond which the shipped QC profiles call a value impossible."""
    from nilometer import units
    from nilometer.errors import UnitError
    from nilometer.qc.profile import profiles

    spans: dict[str, list[tuple[float, float, str]]] = {}
    for profile in profiles().items.values():
        for test in profile.tests:
            if test.kind == "gross_range" and "fail" in test.parameters and profile.property and profile.unit:
                low, high = test.parameters["fail"]
                spans.setdefault(profile.property, []).append((float(low), float(high), profile.unit))

    def plausible(observed_property: str, unit: str) -> Span | None:
        try:
            found = [
                [float(units.convert(end, own, unit)) for end in (low, high)]
                for low, high, own in spans.get(observed_property, [])
            ]
        except UnitError:
            return None
        return (min(low for low, _ in found), max(high for _, high in found)) if found else None

    return plausible


class _progress:  # noqa: N801 -- used as a word of the language, with `with`
    """A bar on a terminal, nothing elsewhere; gives the function that moves it on."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._total = total

    def __enter__(self) -> Callable[[], None]:
        self._bar.start()
        task = self._bar.add_task("asking", total=self._total)
        return lambda: self._bar.advance(task)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _show(found: Sequence[Present], block: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"found": [_document(item) for item in found], "config": block}, ensure_ascii=False))
        return
    if not found:
        typer.echo("nobody answers: check power, wiring, address range, speed and parity", err=True)
        return
    for item in found:
        typer.echo(f"address {item.address}: {item.said or 'answers'}" + (f" ({item.note})" if item.note else ""))
        for candidate in item.candidates:
            note = f"; {candidate.note}" if candidate.note else ""
            typer.echo(f"  {candidate.instrument or 'unknown sensor'}: score {candidate.score}{note}")
            for value in candidate.values:
                ways = "  ".join(
                    f"{way + ' ' if way else ''}{_number(number)}{_verdict(value.fits(way))}"
                    for way, number in value.readings.items()
                )
                span = "" if value.range is None else f"  [plausible {value.range[0]:g} to {value.range[1]:g}]"
                typer.echo(f"    {value.key} {value.unit or ''}: {ways}{span}")
    typer.echo("\n" + block)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _verdict(fits: bool | None) -> str:  # noqa: FBT001 -- three words for three states
    return "" if fits is None else " ✓" if fits else " ✗"


def _document(item: Present) -> dict[str, Any]:
    return {
        "address": item.address,
        "identification": item.said,
        "note": item.note,
        "candidates": [
            {
                "instrument": candidate.instrument,
                "score": candidate.score,
                "note": candidate.note,
                "values": [
                    {
                        "key": value.key,
                        "unit": value.unit,
                        "observed_property": value.observed_property,
                        "readings": dict(value.readings),
                        "order": value.chosen,
                        "plausible": value.range,
                    }
                    for value in candidate.values
                ],
            }
            for candidate in item.candidates
        ],
    }


def register(app: typer.Typer) -> None:
    """Add this family's command."""
    app.command()(probe)
