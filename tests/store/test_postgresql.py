"""A catalog on PostgreSQL: what is not the same there, and a server that goes away."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from nilometer.errors import ConfigError, RequestError, SchemaMismatch, StoreError, StoreLocked, StoreUnwritable
from nilometer.model import Sensor, Thing
from nilometer.store import Catalog, Store
from nilometer.store.catalog_claim import Claim
from nilometer.store.catalog_database import HEAD, open_database
from tests.postgres import PASSWORD
from tests.store.waters import Water


@pytest.fixture
def url(postgres):
    return postgres.database()


@pytest.fixture(autouse=True)
def _password(monkeypatch):
    # The folder keeps the URL without the password: libpq takes it from here, or from ~/.pgpass.
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


def test_ids_given_by_hand_are_not_given_out_again(url):
    catalog = Catalog(open_database(url))
    catalog.add_sensor(Sensor(id=1, key="one", name="One"))
    assert catalog.add_sensor(Sensor(key="two", name="Two")).id == 2
    catalog.add_sensor(Sensor(id=7, key="seven", name="Seven"))
    catalog.add_sensor(Sensor(id=4, key="four", name="Four"))
    assert catalog.add_sensor(Sensor(key="eight", name="Eight")).id == 8
    catalog.close()


def test_of_two_that_open_an_empty_database_at_once_one_makes_the_tables(url):
    ready, opened, refused = threading.Barrier(2), [], []

    def race():
        ready.wait()
        try:
            opened.append(open_database(url))
        except StoreLocked as error:
            refused.append(str(error))

    racers = [threading.Thread(target=race) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert (len(opened), len(refused)) == (1, 1)
    assert "is held by another nilometer" in refused[0]
    with opened[0].connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    opened[0].dispose()
    open_database(url).dispose()


def test_a_catalog_is_held_by_one_folder_at_a_time_and_belongs_to_one(url, tmp_path):
    first = Store.open(tmp_path / "first", catalog_url=url)
    with pytest.raises(StoreLocked, match="held by another nilometer"):
        Store.open(tmp_path / "second", catalog_url=url)
    first.close()
    with pytest.raises(SchemaMismatch, match=f"belongs to the data folder {tmp_path / 'first'}, not to"):
        Store.open(tmp_path / "second", catalog_url=url)
    Store.open(tmp_path / "first", catalog_url=url).close()


def test_a_catalog_that_was_let_go_of_is_free_though_its_session_goes_on(url, monkeypatch):
    """The server ends a session when it gets to it: here it never does, for the connection is kept from closing."""
    claims, hold = [], Claim.hold

    def noted(claim, engine):
        claims.append(claim)
        hold(claim, engine)

    monkeypatch.setattr(Claim, "hold", noted)
    first = open_database(url)
    session = claims[0]._connection
    monkeypatch.setattr(session, "close", lambda: None)
    first.dispose()
    open_database(url).dispose()
    monkeypatch.undo()
    session.close()


def test_a_folder_knows_where_its_catalog_is_and_never_makes_another(url, postgres, tmp_path):
    water = Water(Store.open(tmp_path, catalog_url=url))
    water.send(water.ids[0], [0, 1], [1, 2])
    water.store.close()
    again = Water(Store.open(tmp_path))
    assert again.values(again.ids[0]) == [1, 2]
    again.store.close()
    assert not (tmp_path / "catalog.sqlite").exists()
    with pytest.raises(SchemaMismatch, match="is not the one of"):
        Store.open(tmp_path, catalog_url=postgres.database())
    with pytest.raises(SchemaMismatch, match="has its catalog at postgresql"):
        Store.open(tmp_path, catalog_url=f"sqlite:///{tmp_path / 'catalog.sqlite'}")


def test_a_folder_with_a_catalog_of_its_own_is_not_opened_with_an_empty_one(url, tmp_path):
    Store.open(tmp_path, catalog_url=f"sqlite:///{tmp_path / 'catalog.sqlite'}").close()
    with pytest.raises(SchemaMismatch, match=r"has a catalog of its own.*nilometer backup"):
        Store.open(tmp_path, catalog_url=url)


def test_no_secret_is_written_or_said(url, tmp_path, postgres):
    Store.open(tmp_path / "a", catalog_url=url).close()
    texts = [(tmp_path / "a" / "CATALOG").read_text(encoding="utf-8")]
    for call in (
        lambda: Store.open(tmp_path / "b", catalog_url=url),
        lambda: Store.open(tmp_path / "c", catalog_url=url.replace(f":{postgres.port}/", ":1/")),
        lambda: Store.open(tmp_path / "d", catalog_url=url.replace("postgresql://", "mysql://")),
        lambda: Store.open(tmp_path / "e", catalog_url=url.replace("postgresql://", "")),
    ):
        with pytest.raises((StoreError, ConfigError)) as refused:
            call()
        texts.append(str(refused.value))
    for text in texts:
        # However it is spelt: as it is, in a URL, or escaped throughout.
        assert "a password" not in text
        assert "a%20password" not in text
        assert "signs" not in text
        assert "%61%20%70" not in text


def test_a_database_that_cannot_hold_every_name_is_refused(postgres, tmp_path):
    latin = postgres.database("ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(StoreError, match=r"encoded in LATIN1.*ENCODING 'UTF8'"):
        Store.open(tmp_path, catalog_url=latin)


def test_what_the_database_cannot_keep_is_the_callers_matter(url):
    catalog = Catalog(open_database(url))
    for thing in (Thing(key="a", name="a\0b"), Thing(key="k" * 300, name="long")):
        with pytest.raises(RequestError, match="cannot keep"):
            catalog.add_thing(thing)
    assert catalog.add_thing(Thing(key="a", name="a")).key == "a"
    catalog.close()


def test_a_server_that_goes_away_is_waited_for(url, postgres, tmp_path):
    water = Water(Store.open(tmp_path, catalog_url=url))
    catalog = water.store.catalog
    water.send(water.ids[0], [0], [1])
    with postgres.away():
        for call in (
            lambda: catalog.add_sensor(Sensor(key="next", name="Next")),
            lambda: catalog.add_event(None, None, 1, "source"),
            catalog.historical_locations,
        ):
            with pytest.raises(StoreUnwritable, match="takes nothing at present") as refused:
                call()
            assert refused.value.retryable
        # Rows of Datastreams that were there before need no catalog.
        water.send(water.ids[0], [1], [2])
    assert catalog.add_sensor(Sensor(key="next", name="Next")).key == "next"
    # The lock came back with the connection: nobody else takes the catalog.
    with pytest.raises(StoreLocked):
        Store.open(tmp_path / "other", catalog_url=url)
    assert water.values(water.ids[0]) == [1, 2]
    water.store.close()
