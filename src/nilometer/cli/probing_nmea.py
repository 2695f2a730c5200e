"""``nilometer probe nmea``: listen, show what is said and how often, and write the configuration to paste."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from nilometer.acquisition.nmea0183_probing import Heard, Listener

__all__ = ["run"]


def run(target: str, settings: Sequence[dict[str, Any]], seconds: float, output: Path | None, *, as_json: bool) -> bool:
    """Listen at a target, show what was heard, and say whether anything was understood.

    Parameters
    ----------
    target : str
        ``HOST:PORT`` (we dial), ``udp://HOST:PORT`` (where datagrams arrive), or a serial device.
    settings : sequence of dict
        Speeds and parities of a serial device, in the order in which they are tried.
    seconds : float
        How long to listen, at each setting.
    output : path, optional
        Where the configuration block goes.
    as_json : bool
        Print one JSON document.
    """
    listener, options = asyncio.run(_listen(target, settings, seconds))
    block = _block(listener, options) if listener.sentences else ""
    if as_json:
        document = _document(listener) | {"options": options, "config": block}
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        _show(listener, options, seconds, block)
    if output is not None and block:
        output.write_text(block, encoding="utf-8")
    return bool(block)


async def _listen(target: str, settings: Sequence[dict[str, Any]], seconds: float) -> tuple[Listener, dict[str, Any]]:
    from nilometer.acquisition.links.udp import bind
    from nilometer.acquisition.nmea0183_probing import SOUND, Listener, hear_datagrams, hear_stream
    from nilometer.acquisition.probing import target as parse

    if target.startswith("udp://"):
        place = parse(target.removeprefix("udp://"))
        socket = await bind(place.host, place.port)
        listener = Listener(_now, time.monotonic)
        try:
            await hear_datagrams(listener, socket, seconds)
        finally:
            await socket.close()
        return listener, {"link": "udp", **place.options}
    place = parse(target)
    best: tuple[Listener, dict[str, Any]] | None = None
    for serial in settings if place.path else [{}]:
        listener = Listener(_now, time.monotonic)
        link = await place.open(**(serial or {"baud": 4800}))
        try:
            await hear_stream(listener, link, seconds)
        finally:
            await link.close()
        heard = listener, {"link": "serial" if place.path else "tcp", **place.options, **serial}
        if listener.sound >= SOUND:
            return heard
        if best is None or (listener.sound, listener.bytes) > (best[0].sound, best[0].bytes):
            best = heard
    return best or (Listener(_now, time.monotonic), {})


def _now() -> int:
    return time.time_ns() // 1000


def _block(listener: Listener, options: dict[str, Any]) -> str:
    from nilometer.acquisition.probing import block

    asked = dict(options)
    if listener.needs_no_checksum:
        asked["require_checksum"] = False
    if listener.doubled():
        asked["by_talker"] = True
    written = block("nmea0183", asked, "", [])
    unnamed = [
        channel.key
        for heard in listener.sentences.values()
        for channel, _ in heard.values.values()
        if channel.observed_property is None and channel.key.startswith("XDR.")
    ]
    if unnamed:
        lines = [f'# "{key.removeprefix("XDR.")}" = {{ property = "…" }}' for key in dict.fromkeys(unnamed)]
        written += "\n".join(
            ["", "[source.options.xdr]", "# What these transducers measure, the wire does not say:", *lines, ""]
        )
    return written


def _show(listener: Listener, options: dict[str, Any], seconds: float, block: str) -> None:
    if not listener.sentences:
        if listener.bytes:
            said = f"{listener.bytes} bytes came, and no sentence: another speed, or another protocol?"
            typer.echo(f"{said} ({_faults(listener)})", err=True)
        else:
            typer.echo(f"not a byte in {seconds:g} s: check power, wiring, and who sends where", err=True)
        return
    at = f" at {options['baud']} {options['parity']}{options['stop_bits']}" if "baud" in options else ""
    typer.echo(f"{sum(one.count for one in listener.sentences.values())} sentences{at}, {listener.bytes} bytes")
    if listener.bad:
        typer.echo(f"refused: {_faults(listener)}")
    if listener.clock_ahead_s is not None:
        way = "ahead of" if listener.clock_ahead_s > 0 else "behind"
        typer.echo(f"its clock is {abs(listener.clock_ahead_s):.1f} s {way} ours")
    for heard in listener.sentences.values():
        typer.echo(_line(heard))
        for channel, value in heard.values.values():
            number = "-" if math.isnan(value) else f"{value:.6g}"
            typer.echo(
                f"    {channel.key} {number} {channel.unit or ''} → {channel.observed_property or 'no property'}"
            )
    if listener.has_position:
        typer.echo("it says where it is: `moving = true` gives every row its position")
    typer.echo("\n" + block)


def _line(heard: Heard) -> str:
    name = heard.sentence if heard.talker == "P" else f"{heard.talker}{heard.sentence}"
    rate = "once" if heard.rate_hz is None else f"{heard.rate_hz:.2g} Hz"
    notes = [
        "" if heard.is_known else "not understood: skipped by the driver",
        f"{heard.unchecked} without a checksum" if heard.unchecked else "",
    ]
    return f"  {name}: {heard.count} × ({rate})" + "".join(f"; {note}" for note in notes if note)


def _faults(listener: Listener) -> str:
    return ", ".join(f"{count} × {reason}" for reason, count in listener.bad.most_common(6)) or "no line ended"


def _document(listener: Listener) -> dict[str, Any]:
    return {
        "bytes": listener.bytes,
        "refused": dict(listener.bad),
        "clock_ahead_s": listener.clock_ahead_s,
        "has_position": listener.has_position,
        "sentences": [
            {
                "talker": heard.talker,
                "sentence": heard.sentence,
                "count": heard.count,
                "rate_hz": heard.rate_hz,
                "unchecked": heard.unchecked,
                "understood": heard.is_known,
                "values": [
                    {
                        "channel": channel.key,
                        "value": None if math.isnan(value) else value,
                        "unit": channel.unit,
                        "observed_property": channel.observed_property,
                    }
                    for channel, value in heard.values.values()
                ],
            }
            for heard in listener.sentences.values()
        ],
    }
