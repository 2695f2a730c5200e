"""The ledger of uplinks on both kinds of catalog: both or neither, and what is asked for again."""

from __future__ import annotations

import pytest

from nilometer.store.catalog_database import open_database
from nilometer.store.uplink_ledger import Period, PeriodState, UplinkLedger
from tests.postgres import PASSWORD

HOUR = 3_600_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    is_far = request.param == "postgresql"
    url = request.getfixturevalue("postgres").database() if is_far else f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    engine = open_database(url)
    yield engine
    engine.dispose()


def hour(number, state, **more):
    return Period(kind="hour", start=number * HOUR, end=(number + 1) * HOUR, state=state, **more)


def test_what_is_noted_is_read_again(engine):
    ledger = UplinkLedger(engine)
    assert ledger.position("a") is None
    assert ledger.begin("a", "hj212", 5, {"next": {}}).since == 5
    assert ledger.begin("a", "hj212", 9, {"next": {"hour": 1}}).since == 5
    sent = hour(1, PeriodState.SENT, body=["QN=1;…"], request="1", refused={"sample": 2}, sent=7)
    ledger.note("a", [sent], {"next": {"hour": 2}})
    ledger.add("a", [hour(number, PeriodState.EMPTY) for number in (2, 3)], {"next": {"hour": 4}})
    assert ledger.period("a", "hour", HOUR) == sent
    assert ledger.position("a").position == {"next": {"hour": 4}}
    assert ledger.count("a", [PeriodState.EMPTY]) == 2
    assert [one.start // HOUR for one in ledger.periods("a", "hour", 2 * HOUR, 3 * HOUR)] == [2]
    assert ledger.ask("a", None, 0, 3 * HOUR, 99) == 2
    asked = ledger.periods("a", states=[PeriodState.ASKED])
    assert [(one.start // HOUR, one.body, one.time) for one in asked] == [(1, None, 99), (2, None, 99)]
    assert [one.name for one in ledger.positions()] == ["a"]
