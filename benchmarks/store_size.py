"""Bytes per observation on real recordings, beside a SQLite table with its index and Parquet with defaults.

    python benchmarks/store_size.py [--data DIR]

Each numeric column of a recording is a Datastream; values go in as recorded, and the whole row (id, flags, provenance,
commit …) is in the size. Peers hold only Datastream, time, value and flag. The order-0 entropy of the values stands
beside: no coder that looks at one value at a time gets below it. "at once" seals each recording in one go; "weekly"
seals after every week of rows and lets files merge as a running station would.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nilometer.model import Datastream, ObservationBatch, ObservedProperty, Sensor, Settlements, Thing
from nilometer.store import Store

WEEK_US = 7 * 86400 * 1_000_000


def recordings(root):
    """Yield name, times in µs and named columns of values."""
    for path in sorted((root / "water_quality" / "lro").glob("*.csv.gz")):
        yield f"Logan River {path.name.split('.')[0]}", *columns(path, "datetime")
    yield "NERRS apacpwq", *columns(root / "water_quality" / "nerrs" / "apacpwq_2012_2013.csv.gz", "datetimestamp")


def columns(path, time):
    frame = pd.read_csv(path, na_values="NULL")
    frame = frame.dropna(subset=[time])
    stamps = pd.to_datetime(frame[time]).to_numpy("datetime64[us]").astype(np.int64)
    found = {}
    for name in frame.columns:
        if name == time or name.endswith(("_cor", "_qual")) or name.startswith("f_"):
            continue
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(float)
        if np.isfinite(values).any():
            found[name] = values
    return stamps, found


def entropy_bytes(values):
    _, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum() / 8)


def long_table(stamps, found):
    n = len(stamps)
    datastream = np.repeat(np.arange(1, len(found) + 1, dtype=np.int32), n)
    times = np.tile(stamps, len(found))
    values = np.concatenate(list(found.values()))
    keep = np.isfinite(values)
    return datastream[keep], times[keep], values[keep]


def ours(folder, datastream, times, values, *, weekly):
    store = Store.open(folder)
    catalog = store.catalog
    catalog.add_thing(Thing(key="a", name="A"))
    catalog.add_sensor(Sensor(key="s", name="S"))
    catalog.add_observed_property(ObservedProperty(key="p", name="P", definition=""))
    for number in range(1, int(datastream.max()) + 1):
        catalog.add_datastream(Datastream(key=f"a/{number}", name="d", thing=1, sensor=1, observed_property=1))
    week = (times - times.min()) // WEEK_US if weekly else np.zeros(len(times), int)
    for number in range(int(week.max()) + 1):
        part = week == number
        batch = ObservationBatch(datastream=datastream[part], phenomenon_time=times[part], raw_result=values[part])
        rows = store.admit(batch).rows
        rows.result, rows.result_quality = rows.raw_result, np.ones(len(rows), np.int8)
        rows.provenance = np.ones(len(rows), np.int32)
        sequence = store.commit(rows, Settlements.none())
        store.save_state("qc", sequence, b"")
        store.seal()
        store.compact(everything=False)
    if not weekly:
        store.compact()
    snapshot = store.snapshot()
    size, rows = sum(file.size for file in snapshot.files), sum(file.rows for file in snapshot.files)
    files = len(snapshot.files)
    store.close()
    return size / rows, files


def sqlite_size(path, datastream, times, values):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE o (datastream INTEGER, time INTEGER, value REAL, flag INTEGER)")
    rows = zip(datastream.tolist(), times.tolist(), values.tolist(), [1] * len(times), strict=True)
    connection.executemany("INSERT INTO o VALUES (?, ?, ?, ?)", rows)
    connection.execute("CREATE INDEX i ON o (datastream, time)")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    return path.stat().st_size / len(times)


def parquet_size(path, datastream, times, values):
    order = np.argsort(times, kind="stable")
    stamps = pa.array(times[order]).cast(pa.timestamp("us", "UTC"))
    table = pa.table(
        {"datastream": datastream[order], "time": stamps, "value": values[order], "flag": np.ones(len(times), np.int8)}
    )
    pq.write_table(table, path)
    return path.stat().st_size / len(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NILOMETER_REAL_DATA", here)))
    options = parser.parse_args()
    print(
        f"{'bytes per observation':34} {'rows':>8} {'at once':>8} {'weekly':>8} {'files':>6} {'Parquet':>8} "
        f"{'SQLite':>7} {'entropy':>8}"
    )
    for name, stamps, found in recordings(options.data):
        table = long_table(stamps, found)
        entropy = np.average(
            [entropy_bytes(v) for v in found.values()], weights=[np.isfinite(v).sum() for v in found.values()]
        )
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            at_once, _ = ours(place / "once", *table, weekly=False)
            weekly, files = ours(place / "weekly", *table, weekly=True)
            plain = parquet_size(place / "plain.parquet", *table)
            sqlite = sqlite_size(place / "peer.sqlite", *table)
        print(
            f"{name:34} {len(table[0]):8} {at_once:8.2f} {weekly:8.2f} {files:6} {plain:8.2f} {sqlite:7.1f} "
            f"{entropy:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
