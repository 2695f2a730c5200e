"""What the benchmark asks of every database, and the rows that it gives to each."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from web_ingest import START_MS, STEP_MS, table

LATE_STEP_MS = 60_000
LATE_FROM_MS = START_MS + 30_000
"""Between the rows that are there: not one of them falls on another's time."""

IDLE_S = 5.0
"""Less than any of the servers waits for the next request."""


class Wrong(Exception):  # noqa: N818 -- it says what happened, as those of nilometer.errors
    """A database answered something else than what it was given: its time means nothing."""


class Water:
    """The rows: `series` rivers, each with its pH every ten minutes, as they arrive live (see web_ingest.py)."""

    def __init__(self, series: int, rows: int, late: int, block: int) -> None:
        self.series, self.per_series, self.late_rows = series, max(1, rows // series), late
        self.rows = self.series * self.per_series
        self.block = max(1, block // series) * series
        self.starts = range(0, self.rows, self.block)
        self.values = np.concatenate([self.table(at)["result"].to_numpy() for at in self.starts])
        self.end_ms = START_MS + STEP_MS * self.per_series

    def table(self, at: int) -> pa.Table:
        return table(min(self.block, self.rows - at), self.series, at)

    def of(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return times and values of one series."""
        return START_MS + STEP_MS * np.arange(self.per_series), self.values[number :: self.series]

    def late(self, number: int) -> pa.Table:
        """Return what the memory of one instrument held: a row a minute, from the beginning on."""
        keys = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(self.late_rows, np.int32)), pa.array([f"bench/ph{number}"])
        )
        moments = LATE_FROM_MS + LATE_STEP_MS * np.arange(self.late_rows)
        values = np.round(7.5 + np.random.default_rng(5).normal(0, 0.015, self.late_rows), 2)
        return pa.table(
            {"datastream": keys, "phenomenon_time": pa.array(moments, pa.timestamp("ms", "UTC")), "result": values}
        )

    def deleted(self) -> tuple[int, int, int]:
        """Return what is deleted of the series with the late rows: from, to, and how many rows that are."""
        start, end = START_MS, LATE_FROM_MS + LATE_STEP_MS * self.late_rows
        return start, end, self.late_rows + min(self.per_series, -(-(end - start) // STEP_MS))


def numbers(rows: pa.Table) -> np.ndarray:
    """Return the number of the series of each row."""
    keys = rows["datastream"].combine_chunks()
    of_key = np.array([int(key.removeprefix("bench/ph")) for key in keys.dictionary.to_pylist()])
    return of_key[keys.indices.to_numpy()]


def moments(rows: pa.Table) -> np.ndarray:
    return rows["phenomenon_time"].cast(pa.int64()).to_numpy()


def lines(*parts: object) -> bytes:
    """Join columns and words to lines of text."""
    made = [pc.cast(part, pa.string()) if isinstance(part, pa.Array) else pa.scalar(part) for part in parts]
    joined = pc.binary_join_element_wise(*made, "")
    return ("\n".join(joined.to_pylist()) + "\n").encode()


class Peer(ABC):
    """A database under measurement; what is here is what every one of them must do."""

    name = ""
    durable = ""
    """What an acknowledgement means."""
    kinds: tuple[str, ...] = ()
    body_rows: int | None = None
    """How many rows it wants at once; None: as many as ours gets."""
    forms: tuple[str, ...] = ("",)
    """In which forms it gives a series."""

    def __init__(self, water: Water, folder: str | None) -> None:
        self.water = water
        self.folder = Path(tempfile.mkdtemp(prefix="nilometer-peer-", dir=folder))
        self.log = (self.folder / "log").open("wb")

    @classmethod
    def absent(cls) -> str:
        """Return what is missing to run it, or nothing."""
        return ""

    def start(self) -> None:  # noqa: B027 -- what runs in this process has nothing to start,
        """Begin."""

    def stop(self) -> None:  # noqa: B027 -- and nothing to stop
        """End, whatever state it is in."""

    def close(self) -> None:
        """Stop it and remove everything, whatever state it is in."""
        try:
            self.stop()
        finally:
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @abstractmethod
    def encode(self, kind: str, rows: pa.Table) -> object: ...

    @abstractmethod
    def send(self, kind: str, body: object) -> None: ...

    def late(self, body: object) -> None:
        """Take rows that may be there already."""
        self.send(self.kinds[0], body)

    def settle(self) -> None:  # noqa: B027 -- some flush by themselves
        """Flush and compact, as far as it can be told to."""

    @abstractmethod
    def count(self, number: int | None = None) -> int: ...

    @abstractmethod
    def series(self, number: int, form: str) -> object:
        """Return all of one series as it comes."""

    @abstractmethod
    def opened(self, answer: object, form: str) -> tuple[np.ndarray, np.ndarray]:
        """Return times and values of what `series` gave."""

    @abstractmethod
    def latest(self) -> object: ...

    @abstractmethod
    def latest_values(self, answer: object) -> np.ndarray: ...

    @abstractmethod
    def chart(self, number: int) -> object: ...

    @abstractmethod
    def chart_values(self, answer: object) -> np.ndarray: ...

    @abstractmethod
    def delete(self, number: int, start: int, end: int) -> None: ...

    def shown(self, values: np.ndarray) -> np.ndarray:
        """Return what it shows for what it was given."""
        return values

    @abstractmethod
    def size(self) -> int:
        """Return the bytes of the data, without what waits to be reused or removed."""

    def whole_size(self) -> int:
        return folder_size(self.folder)


class HttpPeer(Peer):
    """A peer that is a process with HTTP on a port."""

    port = 0
    process: subprocess.Popen[bytes] | None = None
    answered = 0.0
    connection: http.client.HTTPConnection

    def command(self) -> list[str]:
        """Return its command line; who starts otherwise has none."""
        return []

    def start(self) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        until = time.monotonic() + 60
        while True:
            try:
                self.ask("GET", "/ping")
            except (OSError, http.client.HTTPException):
                self.connection.close()
                if self.process.poll() is not None or time.monotonic() > until:
                    said = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.name} did not start: {said}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        if time.monotonic() - self.answered > IDLE_S:
            self.connection.close()  # the server may have hung up on who said nothing for so long
        self.connection.request(method, path, body, {name.replace("_", "-"): what for name, what in headers.items()})
        answer = self.connection.getresponse()
        said = answer.read()
        self.answered = time.monotonic()
        if answer.status >= 400:
            raise Wrong(f"{method} {path.partition('?')[0]}: {answer.status} {said[:300]!r}")
        return said


def end_well() -> None:
    """Have SIGTERM end this process as Ctrl-C does, so that what it started is stopped and removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def folder_size(folder: Path) -> int:
    """Return the bytes that all files take on the disk: holes take none, what is set aside does."""
    total = 0
    for where, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(where) / file).stat().st_blocks * 512
    return total


def wait_until_still(folder: Path, *, still_s: float = 4, at_most_s: float = 60) -> None:
    """Wait until the files of a folder have kept their size for a while: nothing is compacted any more."""
    until, since, before = time.monotonic() + at_most_s, time.monotonic(), -1
    while time.monotonic() < min(until, since + still_s):
        now = folder_size(folder)
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.25)
