"""Long statements of several threads beside each other, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, text

from nilometer.errors import Overloaded
from nilometer.web.sensorthings.query.time_limit import LongStatements, Statement, time_limit
from tests.patience import PATIENCE_S
from tests.postgres import PASSWORD
from tests.system.demos import wait_for

FOR_EVER = {
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "SELECT pg_sleep(100)",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    made = create_engine(request.getfixturevalue("postgres").database() if request.param == "postgresql" else url)
    yield made
    made.dispose()


def ask(engine, question, long, seconds=PATIENCE_S, reached=None):
    with engine.connect() as connection, time_limit(connection, seconds, long):
        if reached is not None:
            raw = connection.connection.driver_connection
            reached.append(raw.interrupt if engine.dialect.name == "sqlite" else raw.cancel)
        return connection.execute(text(question)).scalar()


def test_one_more_long_statement_is_given_up_and_short_ones_are_not(engine):
    question = FOR_EVER[engine.dialect.name]
    long = LongStatements(most=2, after_s=0.05)
    stop = []
    with ThreadPoolExecutor(2) as threads:
        others = [threads.submit(ask, engine, question, long, reached=stop) for _ in range(2)]
        wait_for("two that run for long", lambda: long.running == 2)
        with pytest.raises(Overloaded, match=r"^2 questions to the catalog run for more than 0\.05 s"):
            ask(engine, question, long)
        assert ask(engine, "SELECT 7", long) == 7
        for one in stop:
            one()
        assert all(isinstance(one.exception(), Overloaded) for one in others)
    assert long.running == 0


def test_what_has_ended_counts_no_more(engine):
    question = FOR_EVER[engine.dialect.name]
    long = LongStatements(most=1, after_s=0.01)
    for _ in range(2):
        with pytest.raises(Overloaded, match=r"longer than 0\.1 s"):
            ask(engine, question, long, 0.1)


def test_a_statement_that_ended_in_time_is_not_cancelled_afterwards():
    long, cancelled, later = LongStatements(most=0, after_s=0.02), [], threading.Event()
    ended = Statement()
    long.watch(ended, lambda: cancelled.append(ended))
    long.over(ended)
    long.watch(Statement(), later.set)
    assert later.wait(PATIENCE_S)
    assert cancelled == []
