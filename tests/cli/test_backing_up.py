"""backup and restore: of a folder that nobody holds, and through the server that holds one while rows come."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest

from nilometer.client import connect
from nilometer.errors import RequestError
from nilometer.store import Store
from tests.cli.conftest import ROWS, nilometer
from tests.cli.test_folder import TOKEN, exported
from tests.system.server import Server

START = 1_700_000_000_000_000


def test_a_folder_that_nobody_holds_is_backed_up_and_restored(folder, tmp_path):
    made = nilometer("backup", "--data", folder, "-o", tmp_path / "b", "--json")
    assert made.code == 0, made.err
    assert made.json["backup"] == str(tmp_path / "b")
    whole = nilometer("restore", tmp_path / "b", "--check")
    assert (whole.code, "is whole: everything up to commit" in whole.out) == (0, True)
    told = nilometer("restore", tmp_path / "b", "--data", tmp_path / "again")
    assert (told.code, "was restored:" in told.out) == (0, True)
    assert exported(tmp_path / "again", tmp_path).equals(exported(folder, tmp_path))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["restore", "{backup}"], 2, "--check"),
        (["restore", "{backup}", "--check", "--data", "{new}"], 2, "--check"),
        (["restore", "{new}", "--check"], 1, "manifest.json"),
        (["restore", "{backup}", "--data", "{backup}"], 2, "not empty"),
        (["restore", "{backup}", "--data", "{new}", "--catalog-url", "mysql://x/y"], 2, "no such kind of catalog"),
        (["backup", "--data", "{folder}", "-o", "{backup}"], 2, "is not empty"),
        (["backup", "--data", "{new}", "-o", "{new}"], 2, "no data folder"),
    ],
)
def test_a_wrong_call_is_named(folder, tmp_path, arguments, code, said):
    assert nilometer("backup", "--data", folder, "-o", tmp_path / "b").code == 0
    places = {"backup": tmp_path / "b", "new": tmp_path / "new", "folder": folder}
    called = nilometer(*(argument.format(**places) for argument in arguments))
    assert called.code == code, called.err
    assert said in called.err
    assert not (tmp_path / "new").exists()


def test_a_damaged_backup_is_named_and_not_restored(folder, tmp_path):
    assert nilometer("backup", "--data", folder, "-o", tmp_path / "b", "--copy").code == 0
    file = tmp_path / "b" / "journal.records"
    file.write_bytes(file.read_bytes()[:-1])
    called = nilometer("restore", tmp_path / "b", "--data", tmp_path / "again")
    assert (called.code, "journal.records has" in called.err) == (1, True)
    assert list((tmp_path / "again").iterdir()) == []


class Writers:
    """Three clients that write rows as fast as they are answered."""

    def __init__(self, address):
        self.ended, self.acknowledged, self.failed = threading.Event(), [0, 0, 0], []
        self._threads = [threading.Thread(target=self._write, args=(address, n), daemon=True) for n in range(3)]
        client = connect(address, token=TOKEN)
        client.configure(
            [{"key": "load", "name": "Load", "water_body": "river"}],
            [{"key": f"load/s{n}", "thing": "load", "property": "water_temperature"} for n in range(3)],
        )
        for thread in self._threads:
            thread.start()

    def until(self, rows):
        while min(self.acknowledged) < rows and not self.failed:
            self.ended.wait(0.01)

    def stop(self):
        self.ended.set()
        for thread in self._threads:
            thread.join()
        assert not self.failed, self.failed

    def _write(self, address, n):
        client = connect(address, token=TOKEN)
        try:
            while not self.ended.is_set():
                number = np.arange(self.acknowledged[n], self.acknowledged[n] + 500)
                times = pa.array(START + number * 1_000_000).cast(pa.timestamp("us", tz="UTC"))
                keys = pa.array([f"load/s{n}"] * len(number))
                table = pa.table({"datastream": keys, "phenomenon_time": times, "result": number / 1000.0})
                assert client.write(table)["accepted"] == 500
                self.acknowledged[n] += 500
        except Exception as error:  # noqa: BLE001 -- said by `stop`
            self.failed.append(error)


@pytest.mark.slow
def test_a_backup_through_the_server_under_load_holds_every_acknowledged_row_once(creek, tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    text = f'[server]\ntoken = "{TOKEN}"\n[store]\nseal_every_s = 0.2\n'
    (folder / "nilometer.toml").write_text(text, encoding="utf-8")
    assert nilometer("import", creek, "--data", folder, "--thing", "creek", "--water-body", "river").code == 0
    server = Server(folder)
    writers = Writers(server.address)
    try:
        writers.until(2000)
        for n in range(3):
            began = list(writers.acknowledged)
            made = nilometer("backup", "--data", folder, "-o", tmp_path / f"b{n}", "--json")
            assert made.code == 0, made.err
            assert nilometer("restore", tmp_path / f"b{n}", "--data", tmp_path / f"again{n}").code == 0
            audit(tmp_path / f"again{n}", began)
        with pytest.raises(RequestError, match="no absolute path"):
            connect(server.address, token=TOKEN).backup("here")
    finally:
        writers.stop()
        server.stop()


def audit(folder, began):
    store = Store.open(folder)
    try:
        assert store.status().damage == ()
        assert store.snapshot().count(water_only=False) >= 4 * ROWS + sum(began)
        for n, least in enumerate(began):
            number = store.catalog.datastream_by_key(f"load/s{n}").id
            table = store.snapshot().read([number], columns=["id", "phenomenon_time", "result", "result_quality"])
            second = (table["phenomenon_time"].cast(pa.int64()).to_numpy() - START) // 1_000_000
            assert second.tolist() == list(range(len(second)))
            assert len(second) >= least
            assert len(set(table["id"].to_pylist())) == len(second)
            assert table["result"].to_numpy() == pytest.approx(second / 1000.0)
            assert table["result_quality"].null_count == 0
    finally:
        store.close()
