"""DuckDB in this process: a table of its own, and our Parquet files."""

from __future__ import annotations

import importlib.util

import numpy as np
import pyarrow as pa
from web_ingest import CERTIFICATE, START_MS

from peers.peer import Peer, folder_size, moments, numbers

_CHART = (
    "SELECT ({time} - {start}) // {width} AS place, min({value}), max({value}) FROM {table} "
    "WHERE {datastream} = {number} AND {time} >= {start} AND {time} < {end} GROUP BY place ORDER BY place"
)


class Duck(Peer):
    """Without an index: with one, which it keeps in memory, rows come in many times slower."""

    name = "DuckDB table"
    durable = "a committed transaction in this process, without a server: its log or file is fsynced"
    kinds = ("Arrow, in process",)

    @classmethod
    def absent(cls) -> str:
        return "" if importlib.util.find_spec("duckdb") else "no duckdb (pip install duckdb)"

    def start(self) -> None:
        import duckdb  # noqa: PLC0415 -- whoever has none leaves it out

        self.base = duckdb.connect(str(self.folder / "base.duckdb"))
        self._do("CREATE TABLE obs (datastream INTEGER, time BIGINT, value DOUBLE)")

    def _do(self, statement: str) -> list[tuple]:
        """Run a statement to its end; what it leaves open would keep the next from beginning."""
        return self.base.execute(statement).fetchall()

    def stop(self) -> None:
        if hasattr(self, "base"):
            self.base.close()

    def encode(self, kind: str, rows: pa.Table) -> pa.Table:
        return pa.table(
            {"datastream": numbers(rows).astype(np.int32), "time": moments(rows), "value": rows["result"].to_numpy()}
        )

    def send(self, kind: str, body: object) -> None:
        self.base.register("body", body)
        self._do("INSERT INTO obs SELECT * FROM body")
        self.base.unregister("body")

    def late(self, body: object) -> None:
        self.base.register("late", body)
        self._do(
            "MERGE INTO obs USING late ON obs.datastream = late.datastream AND obs.time = late.time "
            "WHEN MATCHED THEN UPDATE SET value = late.value WHEN NOT MATCHED THEN INSERT"
        )
        self.base.unregister("late")

    def settle(self) -> None:
        self._do("CHECKPOINT")

    def count(self, number: int | None = None) -> int:
        where = "" if number is None else f" WHERE datastream = {number}"
        return int(self._do(f"SELECT count(*) FROM obs{where}")[0][0])

    def series(self, number: int, form: str) -> pa.Table:
        query = f"SELECT time, value FROM obs WHERE datastream = {number} ORDER BY time"
        return self.base.sql(query).to_arrow_table()

    def opened(self, answer: object, form: str) -> tuple[np.ndarray, np.ndarray]:
        return answer["time"].to_numpy(), answer["value"].to_numpy()

    def latest(self) -> list[tuple]:
        return self._do("SELECT datastream, arg_max(value, time) FROM obs GROUP BY 1 ORDER BY 1")

    def latest_values(self, answer: object) -> np.ndarray:
        return np.array([row[-1] for row in answer])

    def chart(self, number: int) -> list[tuple]:
        width = -(-(self.water.end_ms - START_MS) // 1000)
        return self._do(
            _CHART.format(
                time="time",
                value="value",
                table="obs",
                datastream="datastream",
                number=number,
                start=START_MS,
                end=self.water.end_ms,
                width=width,
            )
        )

    def chart_values(self, answer: object) -> np.ndarray:
        return np.array([value for row in answer for value in row[1:]])

    def delete(self, number: int, start: int, end: int) -> None:
        self._do(f"DELETE FROM obs WHERE datastream = {number} AND time >= {start} AND time < {end}")

    def size(self) -> int:
        return folder_size(self.folder)


class DuckOverOurs(Duck):
    """Reads the files that our lake consists of after compaction; it cannot write them."""

    name = "DuckDB on our Parquet"
    durable = "writes nothing"
    kinds = ()
    files: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()

    def start(self) -> None:
        import duckdb  # noqa: PLC0415 -- whoever has none leaves it out

        self.base = duckdb.connect()

    def _files(self) -> str:
        return f"read_parquet({list(self.files)!r})"

    def settle(self) -> None: ...

    def count(self, number: int | None = None) -> int:
        return int(self._do(f"SELECT count(*) FROM {self._files()}")[0][0])

    def series(self, number: int, form: str) -> pa.Table:
        return self.base.sql(
            f"SELECT phenomenon_time AS time, result AS value FROM {self._files()} "
            f"WHERE datastream = {self.ids[number]} ORDER BY phenomenon_time"
        ).to_arrow_table()

    def opened(self, answer: object, form: str) -> tuple[np.ndarray, np.ndarray]:
        return answer["time"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_numpy(), answer["value"].to_numpy()

    def latest(self) -> list[tuple]:
        return self._do(
            f"SELECT datastream, arg_max(result, phenomenon_time) FROM {self._files()} GROUP BY 1 ORDER BY 1"
        )

    def chart(self, number: int) -> list[tuple]:
        width = -(-(self.water.end_ms - START_MS) // 1000)
        return self._do(
            _CHART.format(
                time="epoch_ms(phenomenon_time)",
                value="result",
                table=self._files(),
                datastream="datastream",
                number=self.ids[number],
                start=START_MS,
                end=self.water.end_ms,
                width=width,
            )
        )

    def shown(self, values: np.ndarray) -> np.ndarray:
        return calibrated(values)

    def size(self) -> int:
        return 0


def calibrated(values: np.ndarray) -> np.ndarray:
    """Return what the certificate of web_ingest.py makes of values."""
    offset, slope = CERTIFICATE["coefficients"]
    return offset + slope * values
