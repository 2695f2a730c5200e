"""``nilometer probe opcua URL``: lists a server's variables, and writes the configuration to paste; it only reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from nilometer.acquisition.opcua_probing import FoundVariable

__all__ = ["probe_opcua"]

MOST = 500


def probe_opcua(url: str, timeout_s: float, output: Path | None, *, as_json: bool) -> None:
    """Show the variables of a server; exit status 1 if it has none. Anonymous, without security: a look around."""
    from nilometer.acquisition.opcua_probing import config_block

    found = asyncio.run(_found(url if "://" in url else f"opc.tcp://{url}", max(timeout_s, 2.0)))
    block = config_block(url if "://" in url else f"opc.tcp://{url}", found)
    if as_json:
        typer.echo(
            json.dumps({"found": [asdict(item) for item in found], "config": block}, ensure_ascii=False, default=str)
        )
    else:
        _show(found)
        typer.echo("\n" + block)
    if output is not None and found:
        output.write_text(block, encoding="utf-8")
    if not found:
        typer.echo("the server shows no variables to an anonymous user", err=True)
        raise typer.Exit(1)


async def _found(url: str, timeout_s: float) -> list[FoundVariable]:
    from nilometer.acquisition.links.opcua import Endpoint, open_opcua
    from nilometer.acquisition.opcua_probing import probe

    link = await open_opcua(Endpoint(url=url, timeout_s=timeout_s))
    try:
        found = await probe(link, MOST, lambda: None, lambda text: typer.echo(text, err=True))
    finally:
        await link.close()
    if len(found) >= MOST:
        typer.echo(f"the first {MOST} variables are shown", err=True)
    return found


def _show(found: Sequence[FoundVariable]) -> None:
    for item in found:
        unit = item.unit or item.said_unit or ""
        span = "" if item.range is None else f"  [{item.range[0]:g} to {item.range[1]:g}]"
        history = "  history" if item.has_history else ""
        typer.echo(f"{item.path}  {item.data_type}: {str(item.value)[:60]} {unit}{span}  {item.status}{history}")
        typer.echo(f"    {item.id}")
