"""What the doctor looks at of the configured sources: serial ports, ports to listen on, and clocks.

It only looks: a serial port is not opened, for that would disturb who reads it, and a port is bound for a moment and
left alone where somebody else has it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nilometer.acquisition.driver import DriverOptions
from nilometer.acquisition.probing import REMOTE
from nilometer.config import Config, SourceConfig
from nilometer.errors import NilometerError

__all__ = ["clocks", "device_clocks", "links", "server_port", "serving"]

Finding = tuple[bool, str, str]

BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""Older than this no copy of this program is: a clock that says so was never set."""
AHEAD_S = 300.0
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_MODES_TO_STATUS = 40  # bytes before `status` in struct timex where long has eight


def serving(folder: Path) -> str:
    """Return the address of the server that runs on a folder; empty where none does."""
    try:
        told = json.loads((folder / "lock").read_text(encoding="utf-8") or "{}")
        os.kill(int(told["pid"]), 0)
    except PermissionError:
        pass  # It runs, and is somebody else's.
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(told.get("address", ""))


def links(sources: Sequence[tuple[SourceConfig, DriverOptions]], holder: str) -> Iterator[Finding]:
    """Yield what stands in the way of the sources: a serial port that is not there or not ours, a port that is taken.

    Parameters
    ----------
    sources : sequence
        Configured sources with their options.
    holder : str
        The address of the server that runs on the folder: it has the ports itself.
    """
    for config, options in sources:
        path = getattr(options, "path", None)
        if isinstance(path, str) and path and not path.startswith(REMOTE):
            yield _serial(config.name, Path(path), holder)
        for kind, host, port in options.listening():
            yield _port(f"source {config.name}", kind, host, port, holder)


def server_port(config: Config, holder: str) -> Finding:
    """Return whether the server's own port is free, or who has it."""
    return _port("web server", "tcp", config.server.host, config.server.port, holder)


def clocks() -> Iterator[Finding]:
    """Yield what is to be said of this machine's clock."""
    now = datetime.now(UTC)
    if now < BUILT:
        yield False, "system clock", f"{now:%Y-%m-%d %H:%M}Z: it was never set; every value would be stored in the past"
        return
    match _is_synchronised():
        case True:
            said = "synchronised"
        case False:
            said = "not synchronised by NTP, as far as the kernel knows: set it by NTP, or values bear a wrong time"
        case None:
            said = "whether it is synchronised cannot be said here"
    yield True, "system clock", f"{now:%Y-%m-%d %H:%M:%S}Z, {said}"


def device_clocks(address: str, token: str | None) -> Iterator[Finding]:
    """Yield the Datastreams whose newest value lies ahead of us, as the running server has them."""
    from nilometer.client import connect

    try:
        server = connect(address, token=token, timeout_s=10.0)
        table, keys = server.latest(), {item["id"]: item["key"] for item in server.datastreams()}
    except NilometerError as error:
        yield False, "device clocks", f"the server at {address} does not answer: {error}"
        return
    now_us = time.time_ns() // 1000
    names = [keys.get(number, number) for number in table["datastream"].to_pylist()]
    ahead = [
        f"{name} by {(at - now_us) / 1e6:.0f} s"
        for name, at in zip(names, table["phenomenon_time"].cast("int64").to_pylist(), strict=True)
        if at is not None and (at - now_us) / 1e6 > AHEAD_S
    ]
    said = f"ahead of ours: {', '.join(ahead[:5])}; set the device's clock, or take the time of arrival"
    yield not ahead, "device clocks", said if ahead else f"none of {len(names)} newest values lies ahead of us"


def _serial(source: str, path: Path, holder: str) -> Finding:
    what = f"source {source}"
    try:
        about = path.stat()
    except OSError as error:
        near = sorted(str(other) for other in Path("/dev").glob("tty[UA][SCM]*")) or ["none is plugged in"]
        return False, what, f"{path}: {error.strerror}; serial ports here: {', '.join(near)}"
    if not stat.S_ISCHR(about.st_mode):
        return False, what, f"{path} is no serial port"
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        group = _group(about.st_gid)
        return (
            False,
            what,
            f"{path} may not be read and written by us; sudo usermod -aG {group} $USER, and log in again",
        )
    users = _users(path)
    if users and not holder:
        return False, what, f"{path} is used by {', '.join(users)}: two readers of one line take each other's bytes"
    return True, what, f"{path}, used by {', '.join(users)}" if users else f"{path} is there and may be opened"


def _group(number: int) -> str:
    try:
        import grp

        return grp.getgrgid(number).gr_name
    except (ImportError, KeyError):  # no groups on Windows
        return str(number)


def _port(what: str, kind: str, host: str, port: int, holder: str) -> Finding:
    place = f"{kind} {host}:{port}"
    if port == 0:
        return True, what, f"{place}: takes a free port"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as tried:
        if kind == "tcp":
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
            if kind == "tcp":
                tried.listen(1)
        except OSError as error:
            return _refused(what, place, port, kind, error, holder)
    return True, what, f"{place} is free"


def _refused(what: str, place: str, port: int, kind: str, error: OSError, holder: str) -> Finding:
    if error.errno == errno.EADDRINUSE:
        who = _listener(port, kind)
        by = f" by {who}" if who else ""
        return (True, what, f"{place} is open{by}") if holder else (False, what, f"{place} is taken{by}")
    if error.errno == errno.EACCES:
        return (
            False,
            what,
            f"{place} may not be opened by us: ports below 1024 need root, or setcap cap_net_bind_service",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return False, what, f"{place}: this machine has no such address; 0.0.0.0 is all of them"
    return False, what, f"{place}: {error.strerror or error}"


def _users(path: Path) -> list[str]:
    """Return the processes that have a device open, as far as we may look."""
    real = str(path.resolve())
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) == real:
                found.add(_named(link.parts[2]))
    return sorted(found)


def _listener(port: int, kind: str) -> str:
    """Return the process that has a port, where the system lets us see it."""
    inodes = set()
    for table in (f"/proc/net/{kind}", f"/proc/net/{kind}6"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                words = line.split()
                if int(words[1].rpartition(":")[2], 16) == port and (kind == "udp" or words[3] == "0A"):
                    inodes.add(f"socket:[{words[9]}]")
    for link in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        with contextlib.suppress(OSError):
            if str(link.readlink()) in inodes:
                return _named(link.parts[2])
    return ""


def _named(number: str) -> str:
    try:
        name = Path(f"/proc/{number}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        name = "?"
    return f"{name} (process {number})"


def _is_synchronised() -> bool | None:
    """Return what the kernel knows of its clock (adjtimex, read only); None where it cannot be asked."""
    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    room = ctypes.create_string_buffer(512)  # modes = 0: nothing is set
    if ask(room) < 0:
        return None
    status = int.from_bytes(room.raw[_MODES_TO_STATUS : _MODES_TO_STATUS + 4], "little")
    return not status & _UNSYNCHRONISED
