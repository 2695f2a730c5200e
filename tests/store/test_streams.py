"""Datastreams and MultiDatastreams in one table: who sees which, one count of ids, one count of keys."""

from __future__ import annotations

from importlib.resources import files

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from nilometer.errors import ConfigError, NotFound
from nilometer.model import Datastream, MultiDatastream, ObservedProperty, Sensor, Thing
from nilometer.store import Catalog
from nilometer.store.catalog_copy import fill_database
from nilometer.store.catalog_database import open_database
from nilometer.uplink.rows import datastreams_of

UNITS = [{"name": "a", "symbol": "m/s", "definition": None}, {"name": "b", "symbol": "deg", "definition": None}]


def multi(key: str = "weir/multi", **more: object) -> MultiDatastream:
    fields = {"name": "current", "thing": 1, "sensor": 1, "observed_property": 1, "unit_of_measurements": UNITS}
    return MultiDatastream(key=key, multi_observation_data_types=["t", "t"], **{**fields, **more})


def plain(key: str) -> Datastream:
    return Datastream(key=key, name="pH", thing=1, sensor=1, observed_property=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres").database()
    return f"sqlite:///{tmp_path / 'catalog.sqlite'}"


@pytest.fixture
def catalog(url):
    catalog = Catalog(open_database(url))
    catalog.add_thing(Thing(key="weir", name="Weir"))
    catalog.add_sensor(Sensor(key="meter", name="Meter"))
    for key in ("speed", "direction"):
        catalog.add_observed_property(ObservedProperty(key=key, name=key, definition=key))
    yield catalog
    catalog.close()


def test_each_is_seen_by_who_asks_for_it_and_both_by_who_asks_for_rows(catalog):
    first = catalog.add_datastream(plain("weir/ph"))
    with catalog.edit("add", 5) as edit:
        made = edit.add(multi())
        edit.observe(made.id, [2, 1, 2])
    other = catalog.add_datastream(plain("weir/level"))
    assert [first.id, made.id, other.id] == [1, 2, 3]
    for known in (catalog, Catalog(catalog.engine)):  # as it was told, and as it is read after a restart
        assert [one.id for one in known.datastreams()] == [1, 3]
        assert [one.id for one in known.streams.all()] == [1, 2, 3]
        assert known.streams.get(2) == made
        assert known.streams.get(3).key == "weir/level"
        assert made.width == 2
        assert known.datastream_by_key("weir/multi") is None
        for missing in (lambda known=known: known.datastream(2), lambda known=known: known.streams.get(9)):
            with pytest.raises(NotFound):
                missing()
    with catalog.edit("look", 6) as edit:
        assert edit.observed_by(2) == [2, 1, 2]
        assert edit.observing(2) == [2]


def test_a_key_is_taken_whichever_of_the_two_has_it(catalog):
    catalog.add_datastream(plain("weir/ph"))
    with catalog.edit("add", 5) as edit:
        edit.add(multi("weir/current"))
        assert edit.owner(Datastream, "weir/current") == 2
        for one in (multi("weir/ph"), plain("weir/current")):
            with pytest.raises(ConfigError, match="taken"):
                edit.add(one)
    with pytest.raises(ConfigError, match="taken"):
        catalog.add_datastream(plain("weir/current"))


def test_rows_of_one_that_was_deleted_are_still_known_to_be_of_several(catalog):
    catalog.add_datastream(plain("weir/ph"))
    assert datastreams_of(catalog, ()) is None
    with catalog.edit("add", 5) as edit:
        number = edit.add(multi()).id
        edit.observe(number, [1, 2])
    assert datastreams_of(catalog, ()) == [1]
    assert datastreams_of(catalog, ("weir",)) == [1]
    with catalog.edit("delete", 6) as edit:
        edit.observe(number, [])
        edit.strike(MultiDatastream, number)
    for known in (catalog, Catalog(catalog.engine)):
        assert known.streams.ever_multi().tolist() == [number]
        assert known.streams.is_multi(number)
        assert known.streams.deleted() == [number]
        assert [one.id for one in known.streams.all()] == [1]
    assert catalog.add_datastream(plain("weir/multi")).id == number + 1  # the key is free, the id is not


def test_a_copy_of_the_catalog_knows_which_is_which(tmp_path, url):
    file = tmp_path / "from.sqlite"
    source = Catalog(open_database(f"sqlite:///{file}"))
    source.add_thing(Thing(key="weir", name="Weir"))
    source.add_sensor(Sensor(key="meter", name="Meter"))
    source.add_observed_property(ObservedProperty(key="speed", name="speed", definition="speed"))
    source.add_datastream(plain("weir/ph"))
    with source.edit("add", 5) as edit:
        edit.observe(edit.add(multi()).id, [1, 1])
    expected = source.streams.all()
    source.close()
    fill_database(file, url)
    copy = Catalog(open_database(url))
    assert copy.streams.all() == expected
    assert [one.key for one in copy.datastreams()] == ["weir/ph"]
    with copy.edit("look", 6) as edit:
        assert edit.observed_by(2) == [1, 1]
    copy.close()


def test_a_catalog_without_them_is_brought_here(url):
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(files("nilometer.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
    thing = {"key": "weir", "water_body": "river", "time_zone": "UTC"}
    stream = {"key": "weir/ph", "thing": 1, "sensor": 1, "observed_property": 1, "unit": "1", "identity": "time"}
    rows = {
        "things": thing,
        "sensors": {"key": "meter", "encoding_type": "text"},
        "observed_properties": {"key": "ph", "definition": "d"},
        "datastreams": {**stream, "observation_type": "m", "origin": "manual", "clock_resolution_us": 1},
    }
    with engine.begin() as connection:
        for table, row in rows.items():
            values = {"name": "x", "description": "", "properties": "{}", **row}
            names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)
    engine.dispose()
    catalog = Catalog(open_database(url))
    assert [one.key for one in catalog.datastreams()] == ["weir/ph"]
    assert not len(catalog.streams.ever_multi())
    with catalog.edit("add", 5) as edit:
        number = edit.add(multi()).id
        edit.observe(number, [1, 1])
    assert catalog.streams.is_multi(number)
    assert [one.key for one in catalog.datastreams()] == ["weir/ph"]
    catalog.close()
