"""The pipeline's log: what cannot be written there is lost, and nothing else is.

The log may be a file on the disk that is full, or a terminal that has gone; neither may end a source or hold back rows.
"""

from __future__ import annotations

import contextlib

import structlog

__all__ = ["Log"]


class Log:
    """A structlog logger that never raises.

    Parameters
    ----------
    name : str
        The module's name.
    """

    def __init__(self, name: str) -> None:
        self._logger = structlog.get_logger(name)

    def info(self, event: str, **values: object) -> None:
        """Note what is usual."""
        self._write("info", event, values)

    def warning(self, event: str, **values: object) -> None:
        """Note what somebody should look at."""
        self._write("warning", event, values)

    def error(self, event: str, **values: object) -> None:
        """Note what somebody has to do something about."""
        self._write("error", event, values)

    def exception(self, event: str, **values: object) -> None:
        """Note the exception that is being handled, with its traceback."""
        self._write("exception", event, values)

    def _write(self, level: str, event: str, values: dict[str, object]) -> None:
        # OSError: the disk is full, the pipe is broken. ValueError: the stream was closed.
        with contextlib.suppress(OSError, ValueError):
            getattr(self._logger, level)(event, **values)
