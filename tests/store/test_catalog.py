"""The catalog: entities, places, features, ledgers, migrations."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from nilometer.errors import ConfigError, NotFound, RequestError, SchemaMismatch, StoreError
from nilometer.model import (
    Datastream,
    FeatureOfInterest,
    Location,
    ObservedProperty,
    Origin,
    SampleKind,
    Sensor,
    Thing,
    WaterBody,
)
from nilometer.store import Catalog
from nilometer.store.catalog_database import HEAD, open_database
from nilometer.store.document_indexes import DOCUMENT_INDEXES
from nilometer.store.tables import METADATA


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres").database()
    return f"sqlite:///{tmp_path / 'catalog.sqlite'}"


@pytest.fixture
def catalog(url):
    catalog = Catalog(open_database(url))
    yield catalog
    catalog.close()


@pytest.fixture
def filled(catalog):
    catalog.add_thing(Thing(key="weir", name="Weir", water_body=WaterBody.RIVER, time_zone="Asia/Shanghai"))
    catalog.add_sensor(Sensor(key="probe", name="Probe", metadata={"maker": "溶解氧"}))
    catalog.add_observed_property(ObservedProperty(key="ph", name="pH", definition="d"))
    catalog.add_datastream(
        Datastream(key="weir/ph", name="pH", thing=1, sensor=1, observed_property=1, origin=Origin.SIMULATED)
    )
    return catalog


def everything(catalog):
    return (
        catalog.things(),
        catalog.locations(),
        catalog.sensors(),
        catalog.observed_properties(),
        catalog.datastreams(),
        catalog.features(),
        catalog.historical_locations(),
        catalog.profile_versions(),
        catalog.events(),
        catalog.calibrations(1),
    )


def differences(connection):
    # Comments are for readers of `tables.py`: SQLite has none, and no migration writes them.
    # `tables.py` does not know the indexes that PostgreSQL alone has; `shape` does.
    is_known = {"include_object": lambda _, name, *__: name not in DOCUMENT_INDEXES}
    context = MigrationContext.configure(connection, opts=is_known)
    found = compare_metadata(context, METADATA)
    return [one for one in found if one[0] != "add_table_comment"]


def upgrade(engine, revision):
    config = Config()
    config.set_main_option("script_location", str(files("nilometer.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def shape(engine):
    """Return all that the database says of each table: columns with types and defaults, keys, constraints, indexes."""
    seen = sa.inspect(engine)
    told = {}
    for table in seen.get_table_names():
        columns = [column | {"type": repr(column["type"]), "comment": None} for column in seen.get_columns(table)]
        parts = [seen.get_foreign_keys(table), seen.get_unique_constraints(table), seen.get_indexes(table)]
        parts.append(seen.get_check_constraints(table))
        told[table] = (columns, seen.get_pk_constraint(table), [sorted(map(repr, part)) for part in parts])
    with engine.connect() as connection:
        return told, connection.execute(sa.text("SELECT version_num FROM alembic_version")).all()


def test_a_new_catalog_is_what_the_migrations_build(catalog, url):
    with catalog.engine.connect() as connection:
        assert differences(connection) == []
    laid = shape(catalog.engine)
    catalog.engine.dispose()
    migrated = sa.create_engine(url)
    with migrated.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            table.drop(connection)
        connection.execute(sa.text("DROP TABLE alembic_version"))
    upgrade(migrated, "head")
    assert shape(migrated) == laid
    documents = {
        index["name"] for table in DOCUMENT_INDEXES.values() for index in sa.inspect(migrated).get_indexes(table)
    }
    assert documents >= set(DOCUMENT_INDEXES) or migrated.dialect.name == "sqlite"
    assert laid[1] == [(HEAD,)]
    migrated.dispose()


def test_tables_of_a_stranger_are_left_as_they_are(url):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE things (mine INTEGER)"))
    with pytest.raises(StoreError, match="things"):
        open_database(url)
    assert sa.inspect(engine).get_table_names() == ["things"]
    engine.dispose()


def test_a_catalog_of_an_unknown_revision_is_refused(catalog, url):
    with catalog.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    catalog.close()
    with pytest.raises(SchemaMismatch, match="revision 9999"):
        open_database(url)


def test_everything_is_found_again_after_a_restart(filled, url):
    place = filled.add_location(Location(name="Here", location={"type": "Point", "coordinates": [1.5, 2]}))
    filled.place(1, [place.id], 5)
    filled.water_feature(1)
    filled.sample_feature(1, SampleKind.SPAN)
    filled.add_calibration(1, 7, {"kind": "polynomial", "coefficients": [0, 1.01]})
    filled.profile_version("river/ph", 1, {"tests": []})
    filled.add_event(1, None, 9, "silent", {"since": 3})
    before = everything(filled)
    filled.close()
    other = Catalog(open_database(url))
    assert everything(other) == before
    assert other.thing_by_key("weir").water_body is WaterBody.RIVER
    assert other.datastream_by_key("weir/ph").origin is Origin.SIMULATED
    assert other.sensor(1).metadata == {"maker": "溶解氧"}
    assert other.water_feature(1) == 1
    assert other.sample_feature(1, SampleKind.SPAN) == 2
    assert other.provenance(1, 1, "modbus_tcp", "0.1") == other.provenance(1, 1, "modbus_tcp", "0.1")
    other.close()


def test_a_thing_moves_and_its_history_stays(filled):
    first = filled.add_location(Location(name="First"))
    second = filled.add_location(Location(name="Second"))
    filled.place(1, [first.id], 10)
    filled.place(1, [second.id, first.id], 20)
    assert [item.name for item in filled.locations_of(1)] == ["Second", "First"]
    past = filled.historical_locations_of(1)
    assert [(item.time, item.locations) for item in past] == [(10, (1,)), (20, (2, 1))]
    assert filled.historical_location(past[0].id) == past[0]
    assert [item.key for item in filled.things_at(first.id)] == ["weir"]


def test_the_water_is_one_a_thing_and_takes_its_place_when_it_is_known(filled):
    filled.add_datastream(Datastream(key="weir/ph2", name="pH", thing=1, sensor=1, observed_property=1))
    water = filled.water_feature(1)
    assert filled.water_feature(2) == water
    assert filled.feature(water).feature is None
    point = {"type": "Point", "coordinates": [1, 2]}
    filled.place(1, [filled.add_location(Location(name="Here", location=point)).id], 0)
    assert filled.feature(water).feature == point
    assert filled.water_feature(1) == water


def test_samples_belong_to_a_datastream_and_a_kind(filled):
    zero = filled.sample_feature(1, SampleKind.ZERO)
    assert filled.sample_feature(1, SampleKind.ZERO) == zero
    assert filled.sample_feature(1, SampleKind.CHECK) != zero
    assert filled.sample_feature(1, SampleKind.WATER) == filled.water_feature(1)
    assert set(filled.sample_kinds().values()) == {SampleKind.ZERO, SampleKind.CHECK}
    own = filled.add_feature(FeatureOfInterest(name="Blank", sample_kind=SampleKind.BLANK))
    assert filled.sample_kinds()[own.id] is SampleKind.BLANK


def test_updates_are_kept_and_told_of(filled):
    told = []
    filled.on_change(told.append)
    changed = filled.update_datastream(replace(filled.datastream(1), key="weir/acidity", profile="river/ph"))
    assert told == [changed]
    assert filled.datastream_by_key("weir/ph") is None
    assert filled.datastream_by_key("weir/acidity").profile == "river/ph"
    filled.update_thing(replace(filled.thing(1), target_class="III"))
    assert filled.thing(1).target_class == "III"


def test_the_same_content_has_the_same_row(filled):
    first = filled.profile_version("p", 1, {"a": [1, 2]})
    assert filled.profile_version("p", 1, {"a": [1, 2]}) == first
    assert filled.profile_version("p", 1, {"a": [1, 3]}) != first
    assert filled.profile_version_row(first).document == {"a": [1, 2]}
    way = filled.provenance(None, first, "csv", "0.1")
    assert filled.provenance(None, first, "csv", "0.1") == way
    assert filled.provenance(None, None, "csv", "0.1") != way
    assert filled.provenance_row(way).profile_version == first


def test_events_come_newest_first_within_their_range(filled):
    for time in (1, 2, 3, 4):
        filled.add_event(1, 1, time, "silent")
    filled.add_event(None, None, 9, "started")
    assert [event.time for event in filled.events()] == [9, 4, 3, 2, 1]
    assert [event.time for event in filled.events(thing=1, start=2, end=4)] == [3, 2]
    assert [event.time for event in filled.events(limit=1)] == [9]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: c.add_thing(Thing(key="weir", name="x")), ConfigError, "taken"),
        (lambda c: c.add_thing(Thing(key="1st", name="x")), ConfigError, "starts with a letter"),
        (
            lambda c: c.add_datastream(Datastream(key="b", name="b", thing=7, sensor=1, observed_property=1)),
            RequestError,
            "does not exist",
        ),
        (lambda c: c.thing(7), NotFound, "no Thing with id 7"),
        (lambda c: c.profile_version_row(7), NotFound, "profile version with id 7"),
        (lambda c: c.provenance_row(7), NotFound, "provenance with id 7"),
        (lambda c: c.historical_location(7), NotFound, "HistoricalLocation with id 7"),
        (lambda c: c.place(1, [7], 0), NotFound, "no Location with id 7"),
        (lambda c: c.add_calibration(7, 0, {}), NotFound, "no Datastream with id 7"),
        (lambda c: c.provenance(7, None, "x", "y"), NotFound, "does not exist"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(filled, call, error, words):
    with pytest.raises(error, match=words):
        call(filled)


def test_a_batch_of_many_calls_does_not_ask_the_database(filled):
    filled.water_feature(1)
    filled.datastreams()
    filled.sample_kinds()
    filled.provenance(None, None, "x", "y")
    asked = []
    sa.event.listen(filled.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    for _ in range(10):
        filled.datastream(1)
        filled.datastream_by_key("weir/ph")
        filled.water_feature(1)
        filled.sample_kinds()
        filled.provenance(None, None, "x", "y")
    assert asked == []


def test_a_catalog_of_the_first_release_is_brought_here_with_all_it_holds(url):
    engine = sa.create_engine(url)
    upgrade(engine, "0001")
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO things (key, name, description, water_body, time_zone, properties) "
            "VALUES ('weir', 'Weir', '', 'river', 'UTC', '{}')",
            "INSERT INTO events (thing, time, kind, detail) VALUES (1, 5, 'source', '{\"state\": \"silent\"}')",
            "INSERT INTO events (thing, time, kind, detail) VALUES (1, 9, 'source', '{}')",
            "DELETE FROM events WHERE id = 2",
            "INSERT INTO provenance (source, code_version) VALUES ('csv', '0.1')",
        ):
            connection.execute(sa.text(statement))
    engine.dispose()
    catalog = Catalog(open_database(url))
    with catalog.engine.connect() as connection:
        assert differences(connection) == []
    assert [(event.time, event.kind, event.detail) for event in catalog.events()] == [
        (5, "source", {"state": "silent"})
    ]
    assert catalog.add_event(1, None, 10, "source").id == 3, "the id of a deleted row is never given out again"
    assert catalog.provenance_row(1).source == "csv"
    assert catalog.provenance_row(1).review is None
    assert catalog.provenance(None, None, "csv", "0.1") == 1
    assert not catalog.reviewed(np.array([0, 1, 7], np.int32)).any()
    catalog.close()
