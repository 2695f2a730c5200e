"""nilometer itself: a server of its own process, calibration and qc on."""

from __future__ import annotations

import http.client
import multiprocessing
import time
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from web_ingest import BODIES, START_MS, run_server

from nilometer.store import Store
from peers.duck import calibrated
from peers.peer import HttpPeer, Water, Wrong, folder_size

_NARROW = "phenomenon_time,result,result_quality"
_TITLES = {"Arrow": "arrow", "CSV": "csv", "JSON": "json"}


class Ours(HttpPeer):
    name = "nilometer"
    durable = "the journal is fsynced before the answer, after admission, calibration and qc"
    kinds = tuple(_TITLES)
    forms = ("Arrow", "JSON")
    server = None

    def __init__(self, water: Water, folder: str | None) -> None:
        super().__init__(water, folder)
        self.data = self.folder / "data"

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        told = context.Queue()
        series = self.water.series
        self.server = context.Process(target=run_server, args=(str(self.data), series, series, told), daemon=True)
        self.server.start()
        self.port = told.get(timeout=300)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.join(120)
            if self.server.is_alive():
                self.server.kill()
                self.server.join()

    def kill(self) -> None:
        """End it as a crash does."""
        self.server.kill()
        self.server.join()

    @property
    def pid(self) -> int:
        return self.server.pid

    def get(self, path: str, **asked: object) -> bytes:
        return self.ask("GET", f"/api/v1/{path}?{urlencode(asked)}")

    def encode(self, kind: str, rows: pa.Table) -> bytes:
        return BODIES[_TITLES[kind]][0](rows)

    def send(self, kind: str, body: object) -> None:
        said = self.ask("POST", "/api/v1/observations", body, Content_Type=BODIES[_TITLES[kind]][1])
        answer = msgspec.json.decode(said)
        if answer["rejected"]:
            raise Wrong(said[:300].decode())

    def settle(self) -> None:
        """Seal what is in the journal, and compact."""
        self.stop()
        store = Store.open(self.data)
        store.seal()
        store.close()
        self.start()
        self.compact()

    def compact(self) -> None:
        self.ask("POST", "/api/v1/compact")
        until = time.monotonic() + 600
        while time.monotonic() < until:
            state = msgspec.json.decode(self.get("compact"))
            if state["error"]:
                raise Wrong(state["error"])
            if state["report"] is not None and not state["asked"]:
                return
            time.sleep(0.1)
        raise Wrong("compaction did not end")

    def count(self, number: int | None = None) -> int:
        # Through SensorThings, which counts without reading rows.
        of = "" if number is None else f"/Datastreams({self.ids()[number]})"
        said = self.ask("GET", f"/v1.1{of}/Observations?$top=0&$count=true")
        return int(msgspec.json.decode(said)["@iot.count"])

    def ids(self) -> tuple[int, ...]:
        """Return the id of each series."""
        if not hasattr(self, "_ids"):
            columns = msgspec.json.decode(self.get("latest"))["columns"]
            of = dict(zip(columns["key"], columns["datastream"], strict=True))
            self._ids = tuple(of[f"bench/ph{number}"] for number in range(self.water.series))
        return self._ids

    def series(self, number: int, form: str) -> bytes:
        return self.get(f"datastreams/bench/ph{number}/observations", format=form.lower(), columns=_NARROW)

    def opened(self, answer: object, form: str) -> tuple[np.ndarray, np.ndarray]:
        if form == "JSON":
            columns = msgspec.json.decode(answer)["columns"]
            return np.array(columns["time"], np.int64), np.array(columns["result"], float)
        rows = pa.ipc.open_stream(answer).read_all()
        stamps = rows["phenomenon_time"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64())
        return stamps.to_numpy(), rows["result"].to_numpy()

    def latest(self) -> bytes:
        return self.get("latest")

    def latest_values(self, answer: object) -> np.ndarray:
        columns = msgspec.json.decode(answer)["columns"]
        of = {
            int(key.removeprefix("bench/ph")): value
            for key, value in zip(columns["key"], columns["result"], strict=True)
        }
        return np.array([of[number] for number in sorted(of)])

    def chart(self, number: int) -> bytes:
        return self.get(
            f"datastreams/bench/ph{number}/observations",
            max_points=2000, start=START_MS, end=self.water.end_ms, columns=_NARROW,
        )  # fmt: skip

    def chart_values(self, answer: object) -> np.ndarray:
        return np.array(msgspec.json.decode(answer)["columns"]["result"], float)

    def delete(self, number: int, start: int, end: int) -> None:
        asked = urlencode({"start": start, "end": end, "by": "bench"})
        self.ask("DELETE", f"/api/v1/datastreams/bench/ph{number}/observations?{asked}")

    def shown(self, values: np.ndarray) -> np.ndarray:
        return calibrated(values)

    def lake(self) -> DeltaTable:
        return DeltaTable(str(self.data / "lake" / "observations"))

    def size(self) -> int:
        return sum(self._of_files("size_bytes"))

    def lake_rows(self) -> int:
        """Return how many rows are sealed."""
        return sum(self._of_files("num_records"))

    def _of_files(self, what: str) -> list[int]:
        return pa.table(self.lake().get_add_actions(flatten=True))[what].to_pylist()

    def whole_size(self) -> int:
        return folder_size(self.data)

    def journal_size(self) -> int:
        return folder_size(self.data / "journal")


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """Return what a process holds in memory now, or (VmHWM) has held at most."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the system does not say {field} of process {pid}")
