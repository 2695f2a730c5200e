"""A command of ours, or a program, in a process that is forked, with what `subprocess.Popen` gives of one started."""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from nilometer.cli.main import run
from tests.forks import FORKS


class Forked:
    """``nilometer`` with these arguments, or a program's text; what it prints and logs is in `stdout`."""

    def __init__(self, arguments: list[str], *, program: str | None = None, folder: Path | None = None) -> None:
        heard, said = FORKS.Pipe(duplex=False)
        # Who tests no longer serves nobody.
        told = (said, arguments, program, folder or Path.cwd(), dict(os.environ))
        self._process = FORKS.Process(target=_begin, args=told, daemon=True)
        self._process.start()
        said.close()
        self.stdout: IO[str] = os.fdopen(os.dup(heard.fileno()), encoding="utf-8")
        heard.close()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its status, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return its status, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        self._process.join(timeout)
        status = self._process.exitcode
        assert status is not None, f"it has not ended within {timeout} s"
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()


def _begin(
    said: Connection, arguments: list[str], program: str | None, folder: Path, environment: dict[str, str]
) -> None:
    for number in (1, 2):
        os.dup2(said.fileno(), number)
    said.close()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if program is not None:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
        return
    sys.argv = ["nilometer", *arguments]
    run()
