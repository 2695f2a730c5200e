"""InfluxDB 1.x as Debian has it."""

from __future__ import annotations

import csv
import shutil
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
from web_ingest import START_MS

from peers.peer import HttpPeer, folder_size, free_port, lines, moments, numbers, wait_until_still

CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  wal-fsync-delay = "0s"
  cache-max-memory-size = "4g"
  cache-snapshot-write-cold-duration = "2s"
  compact-full-write-cold-duration = "3s"
  max-concurrent-compactions = 2
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
  max-body-size = 0
"""
_NS_MS = 1_000_000


class Influx(HttpPeer):
    name = "InfluxDB 1.6"
    durable = "its write-ahead log is fsynced before the answer (wal-fsync-delay 0, its default)"
    kinds = ("line protocol",)
    body_rows = 50_000  # its manual asks for 5,000 to 10,000 lines; it gains by a few more

    @classmethod
    def absent(cls) -> str:
        return "" if shutil.which("influxd") else "no influxd (apt-get install influxdb)"

    def command(self) -> list[str]:
        config = self.folder / "influxdb.conf"
        config.write_text(CONFIG.format(folder=self.folder, http=self.port, rpc=free_port()), encoding="utf-8")
        return ["influxd", "-config", str(config)]

    def start(self) -> None:
        super().start()
        self._query("CREATE DATABASE bench", method="POST")

    def _query(self, statement: str, *, method: str = "GET") -> bytes:
        asked = urlencode({"db": "bench", "epoch": "ms", "q": statement, "chunked": "false"})
        return self.ask(method, f"/query?{asked}", Accept="application/csv")

    def encode(self, kind: str, rows: pa.Table) -> bytes:
        stamps, values = pa.array(moments(rows)), rows["result"].combine_chunks()
        return lines("ph,s=", pa.array(numbers(rows)), " value=", values, " ", stamps)

    def send(self, kind: str, body: object) -> None:
        self.ask("POST", "/write?db=bench&precision=ms", body)

    def settle(self) -> None:
        wait_until_still(self.folder, still_s=8, at_most_s=90)

    def count(self, number: int | None = None) -> int:
        where = "" if number is None else f" WHERE s = '{number}'"
        found = _rows(self._query(f"SELECT count(value) FROM ph{where}"))
        return int(found[0][3]) if found else 0

    def series(self, number: int, form: str) -> bytes:
        return self._query(f"SELECT value FROM ph WHERE s = '{number}'")

    def opened(self, answer: object, form: str) -> tuple[np.ndarray, np.ndarray]:
        found = _rows(answer)
        return np.array([int(row[2]) for row in found]), np.array([float(row[3]) for row in found])

    def latest(self) -> bytes:
        return self._query("SELECT last(value) FROM ph GROUP BY s")

    def latest_values(self, answer: object) -> np.ndarray:
        of = {int(row[1].partition("=")[2]): float(row[3]) for row in _rows(answer)}
        return np.array([of[number] for number in sorted(of)])

    def chart(self, number: int) -> bytes:
        width = -(-(self.water.end_ms - START_MS) // 1000)
        return self._query(
            f"SELECT min(value), max(value) FROM ph WHERE s = '{number}' AND time >= {START_MS}ms AND "
            f"time < {self.water.end_ms}ms GROUP BY time({width}ms) fill(none)"
        )

    def chart_values(self, answer: object) -> np.ndarray:
        return np.array([float(value) for row in _rows(answer) for value in row[3:5]])

    def delete(self, number: int, start: int, end: int) -> None:
        when = f"time >= {start * _NS_MS} AND time < {end * _NS_MS}"
        self._query(f"DELETE FROM ph WHERE s = '{number}' AND {when}", method="POST")

    def size(self) -> int:
        return folder_size(self.folder / "data") + folder_size(self.folder / "wal")


def _rows(answer: object) -> list[list[str]]:
    """Return the lines of an answer without their heads: name, tags, time, values."""
    found = csv.reader(bytes(answer).decode().splitlines())
    return [row for row in found if row and row[0] != "name"]
