"""Deletes through the native API: several Datastreams in one commit, in the order of commits, with an audit row."""

from __future__ import annotations

import asyncio

import pytest

from nilometer.pipeline.deleting import DeleteOrder
from tests.web.conftest import MINUTE, NOON

API = "/api/v1"


async def results(station, key, **query):
    text = "".join(f"&{name}={value}" for name, value in query.items())
    return (await station.json(f"{API}/datastreams/{key}/observations?samples=all{text}"))["columns"]["result"]


async def test_several_datastreams_are_deleted_in_one_commit(station):
    await station.ingest("river/ph", NOON, [7.0, 7.1, 7.2])
    await station.ingest("river/codmn", NOON, [3.0, 3.1, 3.2])
    await station.ingest("river/dissolved_oxygen", NOON, [9.0])
    path = f"{API}/observations?datastream=river/ph,river/codmn&start=2021-03-05T12:01:00Z&end=2021-03-05T12:02:00Z"
    answer = await station.client.delete(f"{path}&by=Li%20Na&reason=out_of_water&comment=dry")
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert done["deleted"] == 2
    assert await results(station, "river/ph") == [7.0, 7.2]
    assert await results(station, "river/codmn") == [3.0, 3.2]
    assert await results(station, "river/dissolved_oxygen") == [9.0]
    # The moment that is told shows the delete, the one before does not: a delete is marked.
    assert await results(station, "river/ph", as_of=done["since"]) == [7.0, 7.2]
    (row,) = station.pipeline.store.catalog.ledger.audit("observations.delete")
    assert (row.actor, row.subject) == ("Li Na", f"commit/{done['commit']}")
    assert row.detail == {
        "datastreams": sorted([station.id("river/ph"), station.id("river/codmn")]),
        "start": NOON + MINUTE,
        "end": NOON + 2 * MINUTE,
        "sequence": done["commit"],
        "reason": "out_of_water",
        "comment": "dry",
        "rows": 2,
    }


async def test_where_no_row_lies_nothing_is_written(station):
    await station.ingest("river/ph", NOON, [7.0])
    before = station.pipeline.store.sequence()
    answer = await station.client.delete(f"{API}/observations?datastream=river/ph&end=2021-03-05T12:00:00Z")
    assert answer.json() == {"deleted": 0, "commit": None, "since": None}
    assert station.pipeline.store.sequence() == before
    assert station.pipeline.store.catalog.ledger.audit("observations.delete") == []


async def test_a_delete_takes_what_was_sent_before_it_and_nothing_after(station):
    pipeline, order = station.pipeline, DeleteOrder([station.id("river/ph")])
    await station.ingest("river/ph", NOON, [7.0])
    first = asyncio.create_task(pipeline.delete(order))
    await first
    again = await station.ingest("river/ph", NOON, [7.0])
    assert again.accepted == 1, "deleted rows are new when they are sent again"
    assert await results(station, "river/ph") == [7.0]
    # Many senders and deletes at once: every row is either in the answer of a delete or still there.
    sent = [station.ingest("river/ph", NOON + n * MINUTE, [float(n)]) for n in range(1, 41)]
    deletes = [pipeline.delete(order) for _ in range(5)]
    mixed = [*sent[:13], deletes[0], *sent[13:25], *deletes[1:4], *sent[25:], deletes[4]]
    done = await asyncio.gather(*mixed)
    deleted = sum(one.rows for one in done if hasattr(one, "rows"))
    assert deleted + len(await results(station, "river/ph")) == 41


async def test_signed_rows_are_deleted_only_with_force(station):
    await station.ingest("river/ph", NOON, [7.0, 7.1])
    body = {"action": "sign_off", "level": "first", "datastreams": ["river/ph"], "by": "Li", "reason": "other"}
    span = {"start": NOON // 1000, "end": (NOON + MINUTE) // 1000}
    assert (await station.client.post(f"{API}/reviews", json={**body, **span})).status_code == 200
    path = f"{API}/datastreams/river/ph/observations"
    refused = await station.client.delete(path)
    assert refused.status_code == 409, refused.text
    assert "with force" in refused.json()["error"]["message"]
    assert await results(station, "river/ph") == [7.0, 7.1]
    # What nobody signed goes without.
    assert (await station.client.delete(f"{path}?start=2021-03-05T12:01:00Z")).json()["deleted"] == 1
    assert (await station.client.delete(f"{path}?force=true")).json()["deleted"] == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?datastream=", 400),
        ("?datastream=river/none", 404),
        ("?datastream=river/ph&start=2021-03-05T12:00:00Z&end=2021-03-05T11:00:00Z", 400),
        ("?datastream=river/ph&start=noon", 400),
        ("?datastream=river/ph&reason=whim", 400),
    ],
)
async def test_a_delete_that_cannot_be_is_refused(refusing, query, status):
    answer = await refusing.client.delete(f"{API}/observations{query}")
    assert answer.status_code == status, answer.text


async def test_both_methods_of_observations_stand_in_the_description(station):
    paths = (await station.json("/openapi.json"))["paths"]
    assert set(paths[f"{API}/observations"]) == {"post", "delete"}
