"""``nilometer``: the application, and what every command shares."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from nilometer import __version__
from nilometer.cli import (
    backing_up,
    benching,
    calibrating,
    compacting,
    deleting,
    deriving,
    files,
    folder,
    instruments,
    listing,
    probing,
    profiles,
    quality,
    rating,
    reprocessing,
    reviewing,
    running,
    trial,
    uplinking,
    wire,
)
from nilometer.errors import ConfigError, NilometerError, ReadError, RequestError, UnitError

__all__ = ["app", "run"]

app = typer.Typer(
    name="nilometer",
    help="Water, from the probe on the wire to a verdict that can be trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 -- Typer calls it with the option's value
    if wanted:
        typer.echo(f"nilometer {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version and leave.")
    ] = False,
) -> None:
    del version


for family in (
    running,
    files,
    quality,
    rating,
    trial,
    wire,
    folder,
    backing_up,
    benching,
    calibrating,
    compacting,
    deleting,
    reviewing,
    reprocessing,
    deriving,
    listing,
    instruments,
    probing,
    profiles,
    uplinking,
):
    family.register(app)


def run() -> None:
    """Run the command line; an error of ours is one clear line and a status, never a traceback.

    Exit status 2 says that the call was wrong (a name, a file, a setting), 1 that the work failed.
    """
    try:
        app()
    except NilometerError as error:
        typer.echo(f"nilometer: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError | UnitError | ReadError | RequestError) else 1)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): that is how it says that it has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        typer.echo(f"nilometer: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", err=True)
        sys.exit(1)
