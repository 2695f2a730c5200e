"""PostgreSQL as Debian has it: one table, whose primary key is Datastream and time."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from web_ingest import START_MS

from peers.peer import Peer, free_port, moments, numbers

_PROGRAMS = Path("/usr/lib/postgresql")
_SINCE_MS = 946_684_800_000
_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_ROW = np.dtype([("n", ">i2"), ("ls", ">i4"), ("s", ">i4"), ("lt", ">i4"), ("t", ">i8"), ("lv", ">i4"), ("v", ">f8")])
_READ = np.dtype([("n", ">i2"), ("lt", ">i4"), ("t", ">i8"), ("lv", ">i4"), ("v", ">f8")])


def _programs() -> Path | None:
    found = [place for place in _PROGRAMS.glob("*/bin") if (place / "initdb").exists()]
    return max(found, key=lambda place: float(place.parent.name), default=None)


class Postgres(Peer):
    name = "PostgreSQL"
    durable = "a committed transaction: its write-ahead log is fsynced"
    kinds = ("COPY, binary",)

    @classmethod
    def absent(cls) -> str:
        if _programs() is None:
            return f"no initdb under {_PROGRAMS} (apt-get install postgresql)"
        return "" if importlib.util.find_spec("psycopg") else "no psycopg (pip install 'psycopg[binary]')"

    def start(self) -> None:
        import psycopg  # noqa: PLC0415 -- whoever has none leaves it out

        place = _programs()
        assert place is not None
        self._place, self.name = place, f"PostgreSQL {place.parent.name}"
        # As root neither program runs; Debian's package makes this user.
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        password, secret = secrets.token_hex(16), self.folder / "password"
        secret.write_text(password, encoding="ascii")
        if self._as:
            shutil.chown(self.folder, "postgres", "postgres")
            shutil.chown(secret, "postgres", "postgres")
        self._run("initdb", "--username=bench", f"--pwfile={secret}", "--auth=scram-sha-256", "--locale=C.UTF-8",
                  "--encoding=UTF8", f"--pgdata={self.folder / 'data'}")  # fmt: skip
        port = free_port()
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={self.folder} "
            "-c shared_buffers=1GB -c max_wal_size=8GB -c work_mem=64MB"
        )
        self._run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-o", options, "-l",
                  str(self.folder / "server"))  # fmt: skip
        self.base = psycopg.connect(
            host="127.0.0.1", port=port, user="bench", password=password, dbname="postgres", autocommit=True
        )
        self.base.execute(
            "CREATE TABLE obs (datastream int, time timestamptz, value double precision, "
            "PRIMARY KEY (datastream, time))"
        )
        self.base.execute("CREATE TABLE datastreams (id int PRIMARY KEY)")
        self.base.execute("INSERT INTO datastreams SELECT generate_series(0, %s)", [self.water.series - 1])

    def stop(self) -> None:
        if hasattr(self, "base"):
            self.base.close()
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))

    def _run(self, program: str, *arguments: str) -> None:
        # Into a file: a server that pg_ctl starts inherits a pipe and never ends it.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [*self._as, str(self._place / program), *arguments],
                stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False, cwd="/",
            )  # fmt: skip
            said.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program}: {said.read().decode(errors='replace')}")

    def encode(self, kind: str, rows: pa.Table) -> bytes:
        made = np.zeros(rows.num_rows, _ROW)
        made["n"], made["ls"], made["lt"], made["lv"] = 3, 4, 8, 8
        made["s"], made["v"] = numbers(rows), rows["result"].to_numpy()
        made["t"] = (moments(rows) - _SINCE_MS) * 1000
        return _HEAD + made.tobytes() + b"\xff\xff"

    def send(self, kind: str, body: object) -> None:
        with self.base.cursor() as cursor, cursor.copy("COPY obs FROM STDIN (FORMAT binary)") as copy:
            copy.write(body)

    def late(self, body: object) -> None:
        with self.base.transaction(), self.base.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE late (LIKE obs) ON COMMIT DROP")
            with cursor.copy("COPY late FROM STDIN (FORMAT binary)") as copy:
                copy.write(body)
            cursor.execute(
                "INSERT INTO obs SELECT * FROM late ON CONFLICT (datastream, time) DO UPDATE SET value = EXCLUDED.value"
            )

    def settle(self) -> None:
        self.base.execute("VACUUM ANALYZE obs")
        self.base.execute("CHECKPOINT")

    def _one(self, statement: str, *values: object) -> int:
        return int(self.base.execute(statement, values or None).fetchone()[0])

    def count(self, number: int | None = None) -> int:
        if number is None:
            return self._one("SELECT count(*) FROM obs")
        return self._one("SELECT count(*) FROM obs WHERE datastream = %s", number)

    def series(self, number: int, form: str) -> bytes:
        query = f"SELECT time, value FROM obs WHERE datastream = {number} ORDER BY time"
        with self.base.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
            return b"".join(copy)

    def opened(self, answer: object, form: str) -> tuple[np.ndarray, np.ndarray]:
        found = np.frombuffer(bytes(answer)[len(_HEAD) : -2], _READ)
        return found["t"].astype(np.int64) // 1000 + _SINCE_MS, found["v"].astype(float)

    def latest(self) -> list[tuple]:
        # A step into the index for each: many times faster than DISTINCT ON over the table.
        return self.base.execute(
            "SELECT id, o.time, o.value FROM datastreams, LATERAL (SELECT time, value FROM obs "
            "WHERE datastream = id ORDER BY time DESC LIMIT 1) o ORDER BY id"
        ).fetchall()

    def latest_values(self, answer: object) -> np.ndarray:
        return np.array([value for _, _, value in answer])

    def chart(self, number: int) -> list[tuple]:
        width = f"{-(-(self.water.end_ms - START_MS) // 1000)} milliseconds"
        return self.base.execute(
            "SELECT date_bin(%s, time, to_timestamp(%s)) AS at, min(value), max(value) FROM obs "
            "WHERE datastream = %s AND time >= to_timestamp(%s) AND time < to_timestamp(%s) GROUP BY at ORDER BY at",
            [width, START_MS / 1000, number, START_MS / 1000, self.water.end_ms / 1000],
        ).fetchall()

    def chart_values(self, answer: object) -> np.ndarray:
        return np.array([value for row in answer for value in row[1:]])

    def delete(self, number: int, start: int, end: int) -> None:
        self.base.execute(
            "DELETE FROM obs WHERE datastream = %s AND time >= to_timestamp(%s) AND time < to_timestamp(%s)",
            [number, start / 1000, end / 1000],
        )

    def size(self) -> int:
        return self._one("SELECT pg_total_relation_size('obs')")
