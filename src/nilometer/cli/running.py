"""Run things: the server, and the demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

DataFolder = Annotated[Path, typer.Option("--data", help="The data folder: nilometer.toml, catalog, journal, lake.")]


def serve(
    *,
    data: DataFolder = Path(),
    config: Annotated[Path | None, typer.Option(help="Configuration; default: DATA/nilometer.toml.")] = None,
    host: Annotated[str | None, typer.Option(help="Address; another than loopback needs server.token.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = None,
) -> None:
    """Serve a data folder: acquire, flag, store, judge, show.

    Example: nilometer serve --data station --port 8080
    """
    from nilometer.config import Config, load
    from nilometer.web.running import run_server
    from nilometer.web.serving import run

    _log_to_stderr()
    file = config or data / "nilometer.toml"
    settings = load(file) if config is not None or file.exists() else Config()
    if not file.exists():
        typer.echo(f"no {file}: serving without sources; the page says how to add one", err=True)
    run(run_server(data, settings, config_file=file, host=host, port=port, say=typer.echo))


def demo(
    *,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8080,
    data: Annotated[
        Path | None,
        typer.Option(help="Where the data are kept, default demo-data/…; a second start continues them."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="How fast time runs; default 60 (a minute a second); recordings: by their step.", min=0.1, max=100_000
        ),
    ] = None,
    replay: Annotated[
        list[Path] | None, typer.Option(help="A recording in place of the virtual water; may be given several times.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    mqtt_port: Annotated[
        int | None,
        typer.Option(help="Port of SensorThings over MQTT, default 1883; 0 takes a free one.", min=0, max=65535),
    ] = None,
) -> None:
    """Show virtual or recorded water, measured over real protocols, flagged, stored, judged and drawn live.

    Example: nilometer demo --replay MainStreet2019.csv.gz
    """
    from nilometer.demo.runner import run_demo
    from nilometer.web.serving import run

    _log_to_stderr()
    folder = data
    if folder is None:
        folder = Path("demo-data") / ("replay-" + "-".join(file.stem for file in replay) if replay else "virtual")
    run(
        run_demo(
            folder, port=port, mqtt_port=mqtt_port, speed=speed, replay=replay or [], browser=browser, say=typer.echo
        )
    )


def _log_to_stderr() -> None:
    """Keep the log apart from what a command says: plain lines, one an event."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command()(demo)
    app.command()(serve)
