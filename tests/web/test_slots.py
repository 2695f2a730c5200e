"""Digits belong to the profile version that judged: 25 tests, then another version, through every way out."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import sqlalchemy as sa
import xarray as xr

from nilometer.config import parse
from nilometer.model import ObservationBatch
from nilometer.model.outcomes import outcomes_by_name
from nilometer.pipeline import Pipeline
from nilometer.qc import check, load
from nilometer.qc.cf import flag_name
from nilometer.store import Store, tables
from nilometer.web.app import create_app
from nilometer.web.sensorthings.quality import names_of_tests
from tests.cli.conftest import nilometer
from tests.web.api.test_live import Stream
from tests.web.conftest import MINUTE, NOON

KEY = "reach/odd"
CONFIG = {
    "store": {"seal_every_s": 3600.0},
    "thing": [{"key": "reach", "name": "Reach", "water_body": "river", "location": [120.1, 30.2]}],
    "datastream": [{"key": KEY, "thing": "reach", "property": "oddness", "unit": "1", "profile": "reach/many"}],
}
RANGES = {f"range {n:02d}": f'test = "gross_range"\nsuspect = [0, {10 + n}]\nfail = [-50, 50]' for n in range(12)}
SPIKES = {f"spike_{n}": f'test = "spike"\nsuspect = {0.5 + n}\nfail = 20' for n in range(10)}
OTHERS = {
    "gap": 'suspect = "30 min"',
    "rate_of_change": 'suspect = 4\nper = "1 min"',
    "flat_line": 'suspect = "5 min"\ntolerance = 0.001',
}
FIRST = RANGES | SPIKES | OTHERS
# Another order, some tests gone, one of the old name with another threshold.
SECOND = {name: FIRST[name] for name in reversed(FIRST) if not name.endswith(("3", "7"))}
SECOND["range 00"] = 'test = "gross_range"\nsuspect = [0, 5]\nfail = [-50, 50]'

VALUES = 8 + 3 * np.sin(np.arange(60) * 0.9) + np.where(np.arange(60) % 11 == 5, 9.0, 0.0)
VALUES[[13, 47]] = np.nan
CUT = 33
TIMES = NOON + MINUTE * np.arange(60)


def document(version: int, tests: dict[str, str]) -> str:
    body = "\n".join(f'[tests."{name}"]\n{text}' for name, text in tests.items())
    return f'version = "{version}"\nunit = "1"\nrequired = ["gap"]\n{body}\n'


def install(folder, version, tests):
    file = folder / "profiles" / "reach" / "many.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(document(version, tests), encoding="utf-8")
    return load(file)


@asynccontextmanager
async def opened(folder):
    pipeline = Pipeline(folder, parse(CONFIG), clock=lambda: NOON + 90 * MINUTE)
    await pipeline.start()
    try:
        app = create_app(pipeline, None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://station") as client:
            yield pipeline, app, client
    finally:
        await pipeline.close()


async def send(pipeline, first, last, pieces):
    number = pipeline.store.catalog.datastream_by_key(KEY).id
    for part in np.array_split(np.arange(first, last), pieces):
        batch = ObservationBatch(
            datastream=np.full(len(part), number, np.int32), phenomenon_time=TIMES[part], raw_result=VALUES[part]
        )
        await pipeline.ingest(batch)


def outcomes_of(profile, rows: slice) -> Iterator[dict[str, int]]:
    """What a library call over the same rows says, test by test."""
    judged = check(VALUES[: rows.stop], profile, TIMES[: rows.stop].view("datetime64[us]"))
    for row in range(rows.start, rows.stop):
        yield {name: int(flags[row]) for name, flags in judged.tests.items()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profiles")
    first, second = install(folder, 1, FIRST), install(folder, 2, SECOND)
    # The newest row of the first version: its spikes stay open, for it belongs to that version.
    rows = [*outcomes_of(first, slice(0, CUT)), *outcomes_of(second, slice(CUT, len(VALUES)))]
    for row, value in enumerate(VALUES):
        wide = "range 11"
        assert rows[row][wide] == (9 if np.isnan(value) else 3 if value > 21 else 1)
    assert len(rows[0]) == 25
    assert len(rows[-1]) == 21
    assert rows[0].keys() != rows[-1].keys()
    # The two versions would be mixed up by their digits: in some place they say different things.
    assert {*rows[20].values()} >= {1, 3}
    return rows


async def everything_served(client) -> dict[str, list[dict[str, int]]]:
    """Every row's outcomes by name, in time order, by each way in which they leave over HTTP."""
    answers = {}
    page = "/v1.1/Observations?$orderby=phenomenonTime&$top=25"
    found = []
    while page:
        body = msgspec.json.decode((await client.get(page)).content)
        found += body["value"]
        page = body.get("@iot.nextLink", "").removeprefix("http://station")
    answers["SensorThings"] = [one["resultQuality"]["tests"] for one in found]
    for one in found[:1] + found[-1:]:
        profile = one["resultQuality"]["profile"]
        told = (await client.get(profile["href"].removeprefix("http://station"))).json()
        assert (told["name"], told["version"]) == (profile["name"], profile["version"])
        assert set(told["document"]["slots"]) == one["resultQuality"]["tests"].keys()
        assert told["document"]["tests"]["range 00"]["suspect"] == ([0, 10] if profile["version"] == "1" else [0, 5])
    path = f"/api/v1/datastreams/{KEY}/observations"
    body = (await client.get(path)).json()
    answers["JSON"] = [
        dict(
            zip(
                body["profiles"][str(profile)]["tests"],
                map(int, tests or "1" * len(body["profiles"][str(profile)]["tests"])),
                strict=True,
            )
        )
        for profile, tests in zip(body["columns"]["profile"], body["columns"]["tests"], strict=True)
    ]
    answers["one by one"] = [None] * len(VALUES)
    for row in (0, 20, CUT - 1, CUT, len(VALUES) - 1):
        one = (await client.get(f"/api/v1/observations/{body['columns']['id'][row]}")).json()
        answers["one by one"][row] = {test["name"]: test["outcome"] for test in one["tests"]}
    arrow = pa.ipc.open_stream((await client.get(f"{path}?format=arrow")).content).read_all()
    answers["Arrow"] = rows_of(arrow)
    answers["Parquet"] = rows_of(
        pyarrow.parquet.read_table(io.BytesIO((await client.get(f"{path}?format=parquet")).content))
    )
    answers["CSV"] = rows_of(pyarrow.csv.read_csv(io.BytesIO((await client.get(f"{path}?format=csv")).content)))
    for kind, reader in (("csv", pyarrow.csv.read_csv), ("parquet", pyarrow.parquet.read_table)):
        content = (await client.get(f"/api/v1/export?datastream={KEY}&format={kind}")).content
        answers[f"export as {kind}"] = rows_of(reader(io.BytesIO(content)))
    return answers


def rows_of(table) -> list[dict[str, int]]:
    """Each row's outcomes by name, of the tests that its own profile version has."""
    flags = outcomes_by_name(table)
    names = table["test_names"].to_pylist()
    versions = table["profile_version"].to_pylist()
    assert [str(version) for version in versions] == ["1"] * CUT + ["2"] * (len(VALUES) - CUT)
    return [{name: int(flags[name][row]) for name in text.split(";")} for row, text in enumerate(names)]


async def test_every_outcome_of_every_row_is_served_by_the_name_it_had_for_the_version_that_judged(tmp_path, expected):
    install(tmp_path, 1, FIRST)
    async with opened(tmp_path) as (pipeline, app, client):
        stream = Stream(app)
        assert await stream.status() == 200
        await send(pipeline, 0, CUT, pieces=4)
        event = await stream.event("observations")
        (columns,) = event["rows"].values()
        (profile,) = event["profiles"].values()
        assert set(columns["profile"]) == {int(next(iter(event["profiles"])))}
        assert profile["tests"] == list(FIRST)
        live = dict(zip(profile["tests"], map(int, columns["tests"][2]), strict=True))
        assert live == expected[2]
        await stream.close()
    install(tmp_path, 2, SECOND)
    async with opened(tmp_path) as (pipeline, _, client):
        await send(pipeline, CUT, len(VALUES), pieces=3)
        fresh = await everything_served(client)
        pipeline.store.seal()
        sealed = await everything_served(client)
    async with opened(tmp_path) as (_, _, client):
        restarted = await everything_served(client)
    for when, answers in (("fresh", fresh), ("sealed", sealed), ("restarted", restarted)):
        for way, rows in answers.items():
            assert len(rows) == len(expected)
            for row, (got, wanted) in enumerate(zip(rows, expected, strict=True)):
                assert got == wanted or (got is None and way == "one by one"), f"{when}, {way}, row {row}"
    check_files(tmp_path, expected)


def check_files(folder, expected):
    """The same out of the folder itself, as files."""
    for suffix, reader in (("csv", pyarrow.csv.read_csv), ("parquet", pyarrow.parquet.read_table)):
        assert nilometer("export", "--data", folder, "-o", folder / f"out.{suffix}").code == 0
        assert rows_of(reader(folder / f"out.{suffix}")) == expected
    told = json.loads(pyarrow.parquet.read_metadata(folder / "out.parquet").metadata[b"nilometer_profiles"])
    assert [one["tests"] for one in told.values()] == [list(FIRST), list(SECOND)]
    called = nilometer("export", "--data", folder, "-o", folder / "out.nc")
    assert called.code == 0, called.err
    with xr.open_dataset(folder / "out.nc", engine="h5netcdf") as file:
        assert np.array_equal(file["odd"].values, VALUES, equal_nan=True)
        for name, text in (FIRST | SECOND).items():
            kind = text.split('"')[1] if text.startswith("test") else name
            flags = file[flag_name("odd", name, kind)]
            for row, outcomes in enumerate(expected):
                assert flags.values[row] == outcomes.get(name, 2), f"{name}, row {row}"
        versions = json.loads(file["odd_qartod_rollup"].attrs["nilometer_profile_versions"])
        assert {one["version"] for one in versions.values()} == {"1", "2"}
        assert file["odd_qartod_profile"].attrs["flag_meanings"] == "reach_many_v1 reach_many_v2"
        assert file["longitude"].item() == 120.1


async def test_a_database_that_loses_the_order_of_keys_loses_no_slot(tmp_path, expected):
    install(tmp_path, 1, FIRST)
    async with opened(tmp_path) as (pipeline, _, _):
        await send(pipeline, 0, CUT, pieces=1)
    store = Store.open(tmp_path)
    table = tables.profile_versions
    with store.catalog.engine.begin() as connection:
        # What PostgreSQL's jsonb does with the keys of an object: shorter ones first, then by alphabet.
        (row,) = connection.execute(sa.select(table)).all()
        tests = row.document["tests"]
        stored = row.document | {
            "tests": {name: tests[name] for name in sorted(tests, key=lambda name: (len(name), name))}
        }
        assert list(stored["tests"]) != list(FIRST)
        connection.execute(sa.update(table).values(document=stored))
    store.close()
    async with opened(tmp_path) as (_, _, client):
        body = msgspec.json.decode((await client.get("/v1.1/Observations?$orderby=phenomenonTime&$top=100")).content)
        assert [one["resultQuality"]["tests"] for one in body["value"]] == expected[:CUT]
        detail = (await client.get(f"/api/v1/datastreams/{KEY}")).json()["profile_detail"]
        assert [test["name"] for test in sorted(detail["tests"], key=lambda test: test["slot"])] == list(FIRST)


def test_a_version_stored_before_slots_were_keeps_the_order_of_its_tests():
    assert names_of_tests({"tests": {"b": {}, "a": {}}}) == ("b", "a")
    assert names_of_tests({"tests": {"b": {}, "a": {}}, "slots": ["a", "b"]}) == ("a", "b")
