"""The ledger of standards and calibration records on both kinds of catalog: versions, and what is in force."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from nilometer.errors import NotFound
from nilometer.model import Datastream, ObservedProperty, Sensor, Thing
from nilometer.model.calibration_records import CalibrationPoint, CalibrationRecord, RecordKind, StandardSolution
from nilometer.store.catalog import Catalog
from nilometer.store.catalog_database import open_database
from tests.postgres import PASSWORD

BUFFER = StandardSolution(key="ph7", name="pH 7", value=7.0, unit="1", uncertainty=0.01, expires=9, sequence=3)
RECORD = CalibrationRecord(
    kind=RecordKind.ADJUSTMENT, datastream=1, sensor=1, time=5, effective=5, operator="Li", sequence=4, limit=0.1,
    points=(CalibrationPoint(value=7.0, unit="1", standard=1, before=7.1, readings=3),), expired=("ph7",),
    outcome={"as_found": {"largest": 0.1}}, attachments=("a.pdf",), accept_expired="none other", passed=True,
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    is_far = request.param == "postgresql"
    return request.getfixturevalue("postgres").database() if is_far else f"sqlite:///{tmp_path / 'catalog.sqlite'}"


def test_versions_supersede_and_the_calibration_of_the_newest_is_in_force(url):
    with closing(Catalog(open_database(url))) as catalog:
        first, second, third = entered(catalog)
        check(catalog, first, second, third)
    with closing(Catalog(open_database(url))) as catalog:
        check(catalog, first, second, third)
        ledger = catalog.calibration_records
        ledger.enter_record(replace(third, id=0, withdrawn=True, sequence=9))
        assert (ledger.records([1]), len(ledger.records([1], withdrawn=True))) == ([], 1)
        assert ledger.records([1], 8) == [third]
        assert [row.id for row in catalog.calibrations_in_force(1)] == [1]
        with pytest.raises(NotFound, match="did you mean ph7"):
            ledger.standard("ph8")
        with pytest.raises(NotFound, match="does not exist"):
            ledger.enter_record(replace(RECORD, datastream=99))
        assert ledger.records([99]) == []


def entered(catalog):
    catalog.add_thing(Thing(key="weir", name="Weir"))
    catalog.add_sensor(Sensor(key="probe", name="Probe"))
    catalog.add_observed_property(ObservedProperty(key="ph", name="pH", definition=""))
    catalog.add_datastream(Datastream(key="weir/ph", name="pH", thing=1, sensor=1, observed_property=1))
    catalog.add_calibration(1, 0, {"kind": "identity"})
    ledger = catalog.calibration_records
    standard = ledger.enter_standard(BUFFER)
    ledger.enter_standard(replace(BUFFER, first=standard.id, value=7.02, sequence=6))
    first = ledger.enter_record(RECORD, (5, {"kind": "polynomial", "coefficients": [0, 1]}))
    assert [row.id for row in catalog.calibrations_in_force(1)] == [1, first.calibration]
    second = replace(RECORD, first=first.id, calibration=first.calibration, sequence=7, passed=None, limit=None)
    second = ledger.enter_record(second)
    third = ledger.enter_record(replace(second, id=0, calibration=None, sequence=8), (6, {"kind": "identity"}))
    return first, second, third


def check(catalog, first, second, third):
    ledger = catalog.calibration_records
    assert ledger.record_versions(first.id) == [first, second, third]
    assert ledger.records([1]) == ledger.records() == [third]
    assert (ledger.records([1], 6), ledger.records([1], 3), ledger.records([2])) == ([first], [], [])
    assert [row.id for row in catalog.calibrations_in_force(1)] == [1, third.calibration]
    assert len(catalog.calibrations(1)) == 3
    assert (ledger.standard("ph7").value, ledger.standard(1).value) == (7.02, 7.02)
    assert (ledger.standards(5)[0].value, ledger.standard_version(1).value) == (7.0, 7.0)
