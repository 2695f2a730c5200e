"""VictoriaMetrics as Debian has it."""

from __future__ import annotations

import shutil
import time
from urllib.parse import urlencode

import msgspec
import numpy as np
import pyarrow as pa
from web_ingest import START_MS, STEP_MS

from peers.peer import HttpPeer, Wrong, folder_size, lines, moments, numbers, wait_until_still


class Victoria(HttpPeer):
    name = "VictoriaMetrics 1.79"
    durable = "nothing: it answers from memory and writes every few seconds; a crash loses those"
    kinds = ("CSV", "Prometheus lines")
    body_rows = 100_000

    @classmethod
    def absent(cls) -> str:
        return "" if shutil.which("victoria-metrics") else "no victoria-metrics (apt-get install victoria-metrics)"

    def command(self) -> list[str]:
        return [
            "victoria-metrics", f"-storageDataPath={self.folder / 'data'}", f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s",
            "-search.maxStalenessInterval=24h", "-search.maxQueryDuration=600s", "-loggerLevel=ERROR",
        ]  # fmt: skip

    def encode(self, kind: str, rows: pa.Table) -> bytes:
        which, stamps = pa.array(numbers(rows)), pa.array(moments(rows))
        values = rows["result"].combine_chunks()
        if kind == "CSV":
            return lines(which, ",", stamps, ",", values)
        return lines('ph{s="', which, '"} ', values, " ", stamps)

    def send(self, kind: str, body: object) -> None:
        path = "csv?format=1:label:s,2:time:unix_ms,3:metric:ph" if kind == "CSV" else "prometheus"
        self.ask("POST", f"/api/v1/import/{path}", body)

    def settle(self) -> None:
        self.ask("GET", "/internal/force_flush")
        self.ask("GET", "/internal/force_merge")
        until = time.monotonic() + 120
        while time.monotonic() < until and self._merging():
            time.sleep(0.2)
        wait_until_still(self.folder)

    def _merging(self) -> bool:
        said = self.ask("GET", "/metrics").decode().splitlines()
        return any(line.startswith("vm_active_merges{") and not line.endswith(" 0") for line in said)

    def _query(self, **asked: object) -> list[dict]:
        path = "query_range" if "step" in asked else "query"
        found = msgspec.json.decode(self.ask("GET", f"/api/v1/{path}?{urlencode(asked | {'nocache': 1})}"))
        if found["status"] != "success":
            raise Wrong(str(found))
        return found["data"]["result"]

    def count(self, number: int | None = None) -> int:
        self.ask("GET", "/internal/force_flush")
        if number is not None:
            return sum(len(values) for _, values in [self.opened(self.series(number, ""), "")])
        span = -(-(self.water.end_ms - START_MS) // 1000) + 86_400
        found = self._query(query=f"sum(count_over_time(ph[{span}s]))", time=self.water.end_ms // 1000)
        return int(float(found[0]["value"][1])) if found else 0

    def series(self, number: int, form: str) -> bytes:
        wanted = urlencode({"match[]": _of(number)})
        return self.ask("GET", f"/api/v1/export?{wanted}")

    def opened(self, answer: object, form: str) -> tuple[np.ndarray, np.ndarray]:
        found = [msgspec.json.decode(line) for line in bytes(answer).splitlines()]
        stamps = np.concatenate([np.array(one["timestamps"], np.int64) for one in found] or [np.empty(0, np.int64)])
        values = np.concatenate([np.array(one["values"], float) for one in found] or [np.empty(0)])
        order = np.argsort(stamps, kind="stable")
        return stamps[order], values[order]

    def latest(self) -> list[dict]:
        # A day back: it has no word for "whenever that was".
        return self._query(query="last_over_time(ph[1d])", time=(self.water.end_ms - STEP_MS) // 1000)

    def latest_values(self, answer: object) -> np.ndarray:
        of = {int(one["metric"]["s"]): float(one["value"][1]) for one in answer}
        return np.array([of[number] for number in sorted(of)])

    def chart(self, number: int) -> list[dict]:
        step = -(-(self.water.end_ms - START_MS) // 1_000_000)
        return self._query(
            query=f"rollup({_of(number)}[{step}s])",
            start=START_MS // 1000,
            end=START_MS // 1000 + 1001 * step,
            step=step,
        )

    def chart_values(self, answer: object) -> np.ndarray:
        wanted = [one["values"] for one in answer if one["metric"].get("rollup") in {"min", "max"}]
        return np.array([float(value) for values in wanted for _, value in values])

    def delete(self, number: int, start: int, end: int) -> None:
        raise Wrong("deletes whole series only")

    def size(self) -> int:
        return folder_size(self.folder / "data")


def _of(number: int) -> str:
    """Return the word for one series."""
    return 'ph{s="' + str(number) + '"}'
