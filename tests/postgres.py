"""A PostgreSQL of the tests' own: Debian's, on a free port, in a folder that is deleted after."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "a password / with @ signs"
_PROGRAMS = Path("/usr/lib/postgresql")
_TRIES = 5


def programs() -> Path | None:
    """Return where the newest initdb and pg_ctl are, or None."""
    found = [place for place in _PROGRAMS.glob("*/bin") if (place / "initdb").exists() and (place / "pg_ctl").exists()]
    return max(found, key=lambda place: float(place.parent.name), default=None)


class Cluster:
    """A running server; each database in it is one test's."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder, self._place = folder, place
        # As root neither program runs; Debian's package makes this user.
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
        secret = folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if self._as:
            shutil.chown(secret, "postgres", "postgres")
        self.port = 0
        self._run(
            "initdb", "--username=nilometer", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale=C.UTF-8", "--no-sync", f"--pgdata={folder / 'data'}",
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it, on the port it had before or on a free one."""
        for left in reversed(range(_TRIES)):
            port = self.port or _free_port()
            options = (
                f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={self.folder} "
                "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=60 "
                "-c shared_buffers=16MB -c autovacuum=off"
            )
            try:
                self._ctl("start", "-o", options, "-l", str(self.folder / "log"))
            except AssertionError:
                if not left:
                    raise
            else:
                self.port = port
                return

    def stop(self) -> None:
        """Stop it as a power cut of its machine would: no client is told."""
        self._ctl("stop", "-m", "immediate")

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Have it gone for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def url(self, name: str = "postgres") -> str:
        """Return the URL of a database, as a user writes it."""
        secret = "".join(f"%{byte:02X}" for byte in PASSWORD.encode())
        return f"postgresql://nilometer:{secret}@127.0.0.1:{self.port}/{name}"

    def database(self, options: str = "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'") -> str:
        """Make an empty database, which sorts texts as English has them unless told otherwise, and return its URL."""
        name = f"t{secrets.token_hex(8)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        return self.url(name)

    def execute(self, statement: str) -> None:
        import psycopg  # noqa: PLC0415 -- whoever has no PostgreSQL need not have it

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _ctl(self, action: str, *options: str) -> None:
        self._run("pg_ctl", action, "-w", "-D", str(self.folder / "data"), *options)

    def _run(self, program: str, *arguments: str) -> None:
        # Into a file: a server that pg_ctl starts inherits a pipe and never ends it.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [*self._as, str(self._place / program), *arguments],
                stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False, cwd="/",
            )  # fmt: skip
            said.seek(0)
            assert done.returncode == 0, said.read().decode(errors="replace")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a server for a session of tests, or skip and say what is absent."""
    place = programs()
    if place is None:
        pytest.skip(f"PostgreSQL is absent: no initdb under {_PROGRAMS} (apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is absent: pip install 'psycopg[binary]'")
    # Not pytest's own folder, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="nilometer-postgres-"))
    try:
        running = Cluster(folder, place)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
