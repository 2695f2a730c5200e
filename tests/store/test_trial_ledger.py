"""The ledger of trials on both kinds of catalog."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nilometer.errors import NotFound
from nilometer.store.catalog_database import open_database
from nilometer.store.trial_ledger import TrialLedger, TrialRow, TrialRun
from tests.postgres import PASSWORD


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    is_far = request.param == "postgresql"
    url = request.getfixturevalue("postgres").database() if is_far else f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    engine = open_database(url)
    yield engine
    engine.dispose()


def test_a_trial_and_all_its_runs_are_read_as_they_were_written(engine):
    ledger = TrialLedger(engine)
    first = ledger.add(TrialRow(plan={"trial": {"title": "溶解氧"}}, created=1, created_by="Li Na", changed=1))
    second = ledger.add(TrialRow(plan={}, created=2, created_by="Li Na", changed=2))
    frozen = ledger.set(replace(first, history={"entries": [], "hashes": []}, changed=3))
    assert TrialLedger(engine).trials() == [second, frozen]
    early = ledger.add_run(TrialRun(trial=first.id, time=4, as_of=3, actor="", document={"a": 1}), {"pairs": []})
    late = ledger.add_run(TrialRun(trial=first.id, time=6, as_of=5, actor="", document={"a": 2}), {"pairs": [1]})
    assert ledger.runs() == {first.id: late}
    assert ledger.runs_of(first.id) == [early, late]
    assert ledger.plots(late.id) == {"pairs": [1]}
    with pytest.raises(NotFound, match="no trial 99"):
        ledger.trial(99)
    with pytest.raises(NotFound, match="a trial that does not exist"):
        ledger.add_run(TrialRun(trial=99, time=6, as_of=5, actor="", document={}), {})
