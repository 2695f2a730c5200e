"""A device server of RFC 2217: pyserial's own server side in front of a local serial port, in threads."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import serial
import serial.rfc2217

__all__ = ["DeviceServer", "device_server"]


class _Line(serial.Serial):
    """A pty has no modem lines, and the manager asks for them."""

    cts = dsr = ri = cd = True

    def _update_rts_state(self) -> None:
        return

    def _update_dtr_state(self) -> None:
        return


class DeviceServer:
    """Serves one client after another; `port` is its TCP port, `line` the serial port that it sets as it is told."""

    def __init__(self, path: Path) -> None:
        self.line = _Line(str(path), timeout=0.05, exclusive=False)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve, self._up)]
        self._manager: serial.rfc2217.PortManager | None = None
        self._is_open = True
        for thread in self._threads:
            thread.start()

    def write(self, data: bytes) -> None:
        """Send to the client: the manager writes through us."""
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.sendall(data)

    def _serve(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._client = client  # before the manager, which begins to talk at once
            self._manager = serial.rfc2217.PortManager(self.line, self)
            with contextlib.suppress(OSError):
                while data := client.recv(1024):
                    self.line.write(b"".join(self._manager.filter(data)))
            self.hang_up()

    def _up(self) -> None:
        while self._is_open:
            try:
                data = self.line.read(self.line.in_waiting or 1)
            except (OSError, TypeError, serial.SerialException):
                return
            if data and self._manager is not None:
                self.write(b"".join(self._manager.escape(data)))

    def hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def close(self) -> None:
        self._is_open = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)
        self.line.close()


@contextmanager
def device_server(path: Path) -> Iterator[DeviceServer]:
    server = DeviceServer(path)
    try:
        yield server
    finally:
        server.close()
