"""A Mosquitto broker of our own, on loopback, for as long as it is needed; it can be killed and come back."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from nilometer.errors import ConfigError, LinkError

__all__ = ["Mosquitto"]

PATIENCE_S = 10.0


class Mosquitto:
    """The broker as a process.

    Parameters
    ----------
    port : int
        Where it listens on 127.0.0.1; 0 takes a free port, and keeps it over restarts.
    options : mapping of str to str, optional
        Further lines of its configuration.
    persistent : bool
        Keep sessions and queues on disk, so that they outlive it.

    Raises
    ------
    ConfigError
        If Mosquitto is not installed.
    """

    def __init__(self, port: int = 0, *, options: Mapping[str, str] | None = None, persistent: bool = False) -> None:
        # Debian puts daemons where an ordinary user's PATH does not look.
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if found is None:
            raise ConfigError("mosquitto", reason="it is not installed: apt install mosquitto, or give a broker")
        self._program = found
        self._options, self._persistent = dict(options or {}), persistent
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or _free_port()

    def start(self) -> None:
        """Start it, and return when it listens.

        Raises
        ------
        LinkError
            If it does not come up.
        """
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="nilometer-mosquitto-")
        folder = Path(self._folder.name)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            f"log_dest file {folder}/log",
        ]
        # Started by root it would drop to a user that owns none of this.
        lines += ["user root", "max_queued_messages 0"]
        if self._persistent:
            lines += ["persistence true", f"persistence_location {folder}/", "autosave_on_changes true"]
            lines += ["autosave_interval 1"]
        lines += [f"{key} {value}" for key, value in self._options.items()]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [self._program, "-c", str(folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 -- fixed words
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        self.stop()
        raise LinkError(f"Mosquitto does not listen on port {self.port}: {self.log[-400:]}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it say and hear nothing, with all its connections standing, until `resume`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it in order: what it keeps is written."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        """Return what it said."""
        log = None if self._folder is None else Path(self._folder.name) / "log"
        return log.read_text("utf-8", "replace") if log is not None and log.exists() else ""

    def close(self) -> None:
        """End it and remove what it kept."""
        self.kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
