"""reprocess: a folder that nobody holds, and through the server that holds one; report, changed rows, refusals."""

from __future__ import annotations

import polars as pl
import pytest

from nilometer.cli import reprocessing
from nilometer.errors import StoreError
from nilometer.store import Store
from tests.cli.conftest import nilometer, write_csv

CALIBRATION = {"kind": "polynomial", "coefficients": [0.5, 1.0], "certificate": "B 2", "unit_in": "1", "unit_out": "1"}
ROWS = 200


def calibrate(folder, key="creek/ph"):
    store = Store.open(folder)
    try:
        number = store.catalog.datastream_by_key(key).id
        store.catalog.add_calibration(number, -(1 << 63), CALIBRATION)
    finally:
        store.close()


@pytest.fixture
def creek_folder(tmp_path):
    folder = tmp_path / "data"
    file = write_csv(tmp_path / "creek.csv")
    assert nilometer("import", file, "--data", folder, "--thing", "creek", "--water-body", "river").code == 0
    return folder


def exported(folder, out):
    assert nilometer("export", "--data", folder, "--datastream", "creek/ph", "-o", out).code == 0
    return pl.read_parquet(out)


def test_a_folder_is_reprocessed_and_the_report_says_what_moved(creek_folder, tmp_path):
    calibrate(creek_folder)
    before = exported(creek_folder, tmp_path / "before.parquet")
    trial = nilometer("reprocess", "creek/ph", "--data", creek_folder, "--dry-run")
    assert trial.code == 0, trial.err
    assert f"{ROWS} would be revised" in trial.out
    assert exported(creek_folder, tmp_path / "trial.parquet").equals(before)
    csv = tmp_path / "moved.csv"
    done = nilometer("reprocess", "creek/ph", "--data", creek_folder, "--json", "--dry-run")
    assert done.json["datastreams"][0]["result"]["absolute"]["median"] == pytest.approx(0.5)
    real = nilometer("reprocess", "creek/ph", "--data", creek_folder, "--changes", csv, "--by", "Li")
    assert real.code == 0, real.err
    assert "calibration none → 1 (B 2)" in real.out
    assert "as of before" in real.out
    moved = pl.read_csv(csv)
    assert moved.height == ROWS
    assert (moved["result_new"] - moved["result_old"] - 0.5).abs().max() < 1e-9
    after = exported(creek_folder, tmp_path / "after.parquet")
    raw = [frame["raw_result"].fill_null(frame["result"]) for frame in (before, after)]
    assert raw[0].equals(raw[1])
    again = nilometer("reprocess", "--data", creek_folder, "--json")
    assert (again.json["revised"], again.json["restated"], again.json["rows"]) == (0, 0, 4 * ROWS)


def test_a_folder_that_a_server_holds_is_reprocessed_through_it(server, tmp_path):
    parquet = tmp_path / "moved.parquet"
    done = nilometer("reprocess", "--data", server.folder, "--json", "--dry-run", "--changes", parquet)
    assert done.code == 0, done.err
    assert (done.json["rows"], done.json["revised"]) == (4 * ROWS, 0)
    assert pl.read_parquet(parquet).height == 0


def test_what_cannot_be_done_is_named(creek_folder, tmp_path):
    called = nilometer("reprocess", "creek/phh", "--data", creek_folder)
    assert (called.code, "creek/ph" in called.err) == (1, True)
    called = nilometer("reprocess", "--data", creek_folder, "--what", "verdict")
    assert (called.code, "allowed: calibration, qc" in called.err) == (2, True)
    called = nilometer("reprocess", "--data", creek_folder, "--changes", tmp_path / "moved.xlsx")
    assert (called.code, "FILE.csv" in called.err) == (2, True)


def test_what_a_server_could_not_do_is_said():
    class Refused:
        """A server whose disk is full: the store's own refusals are tested with the store."""

        def reprocess(self, **_):
            return {"running": False, "report": None, "error": "the disk is full"}

    with pytest.raises(StoreError, match="the disk is full"):
        reprocessing._followed(Refused(), {}, lambda *_: None)
