"""A real server in a process of its own, for tests and benchmarks that start and kill one."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from nilometer.client import Client, connect
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from tests.system.forked import Forked


class Server:
    """``nilometer serve`` (or another command that serves) on a free port; `client` speaks to it.

    It is forked, which saves most of what a start costs; `is_new` starts it as its user does.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        command: str = "serve",
        start_s: float = 2 * PATIENCE_S,
        is_new: bool = sys.platform == "win32",
    ) -> None:
        self.folder = folder
        told = [command, "--data", str(folder), "--port", "0", *arguments]
        self.process: subprocess.Popen[str] | Forked = _started(told) if is_new else _forked(told)
        self.output: list[str] = []
        self._address: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.address = self._address.get(timeout=start_s)
        except queue.Empty:
            self.kill()
            raise AssertionError(f"the server did not start:\n{''.join(self.output)}") from None
        if not self.address:
            self.kill()
            raise AssertionError(f"the server ended at once:\n{''.join(self.output)}")
        self.client: Client = connect(self.address)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if " at http://" in line:
                self._address.put(line.split(" at ", 1)[1].split()[0])
        self._address.put("")

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stop(self) -> str:
        """End it as Ctrl-C does, and return what it printed."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        assert self.process.returncode == 0, "".join(self.output)
        return "".join(self.output)


def _started(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nilometer", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def _forked(arguments: list[str]) -> Forked:
    from tests.system.forked import Forked  # noqa: PLC0415 -- Windows forks nothing

    return Forked(arguments)
