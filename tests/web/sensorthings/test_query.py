"""SQL on both databases and columns, compared with an oracle that shares nothing with them but the grammar."""

from __future__ import annotations

import contextlib
import functools
import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text

from nilometer.errors import RequestError
from nilometer.model import Datastream, Location, ObservedProperty, Sensor, Thing
from nilometer.store import Catalog, tables
from nilometer.store.catalog_database import open_database
from nilometer.web.sensorthings.grammar import parse_expression
from nilometer.web.sensorthings.options import parse_options
from nilometer.web.sensorthings.query.binding import Binder
from nilometer.web.sensorthings.query.dialects import prepare
from nilometer.web.sensorthings.query.rooting import quantified
from nilometer.web.sensorthings.query.sql import Sql
from nilometer.web.sensorthings.records import Records
from nilometer.web.sensorthings.schema import TYPES
from tests.web.sensorthings.oracle import SHAPES, Row, meeting

TEXTS = ["", "a", "A", "%", "_", "a_b", "é", "É", "ß", "STRASSE", "日本", "it's", " pad ", "12.5", "9", "River", "ΑΣ"]
NUMBERS = [0, 1, -1, 2.5, 9, 12.5, 1e300, 5e-324, -7, 3, 2**53, 1e17]
MEMBERS = [*TEXTS[:9], *NUMBERS, True, False, None, {"b": 3}, {"b": "x"}, [1, 2]]


def catalog_of(seed, url):  # noqa: C901 -- one kind of entity after the other
    """Fill a catalog with what a seed says, and return it with the same as rows of dictionaries."""
    draw = random.Random(seed)
    catalog = Catalog(open_database(url))
    things, places, streams = [], [], []

    def properties():
        return {name: draw.choice(MEMBERS) for name in ("a", "n", "s") if draw.random() < 0.8}

    def named(kind):
        return {"name": draw.choice(TEXTS), "description": draw.choice(TEXTS), "properties": properties()}

    def row(entity, given):
        return Row({"id": entity.id, **given})

    sensors, kinds = [], []
    for n in range(3):
        given = named("s")
        sensors.append(row(catalog.add_sensor(Sensor(key=f"s{n}", **given)), given))
        given = named("o")
        kinds.append(row(catalog.add_observed_property(ObservedProperty(key=f"o{n}", definition="d", **given)), given))
    for _ in range(3):
        given = named("l")
        places.append(row(catalog.add_location(Location(location=None, **given)), given))
    for n in range(6):
        given = named("t")
        thing = row(catalog.add_thing(Thing(key=f"t{n}", water_body="river", **given)), given)
        chosen = draw.sample(places, draw.randrange(3))
        if chosen:
            catalog.place(thing.values["id"], [place.values["id"] for place in chosen], 10**15)
        thing.many = {"Locations": chosen, "Datastreams": []}
        things.append(thing)
    for n in range(12):
        given = named("d")
        thing, sensor, kind = draw.choice(things), draw.choice(sensors), draw.choice(kinds)
        unit = {"name": draw.choice([None, "x"]), "symbol": draw.choice(TEXTS), "definition": None}
        made = Datastream(
            key=f"d{n}", thing=thing.values["id"], sensor=sensor.values["id"], observed_property=kind.values["id"],
            unit_name=unit["name"], unit_symbol=unit["symbol"], **given,
        )  # fmt: skip
        stream = row(catalog.add_datastream(made), {**given, "unitOfMeasurement": unit})
        stream.one = {"Thing": thing, "Sensor": sensor, "ObservedProperty": kind}
        thing.many["Datastreams"].append(stream)
        streams.append(stream)
    for place in places:
        place.many = {"Things": [thing for thing in things if place in thing.many["Locations"]]}
    for name, some in {"Sensor": sensors, "ObservedProperty": kinds}.items():
        for one in some:
            one.many = {"Datastreams": [stream for stream in streams if stream.one[name] is one]}
    SHAPES.update(
        Thing=things[0], Things=things[0], Datastreams=streams[0], Locations=places[0],
        Sensor=sensors[0], ObservedProperty=kinds[0],
    )  # fmt: skip
    return catalog, {"Thing": things, "Datastream": streams, "Location": places}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def catalogs(request):
    """Give the catalog and the rows of a seed; each is made once."""
    opened = []

    @functools.cache
    def made(seed):
        url = request.getfixturevalue("postgres").database() if request.param == "postgresql" else "sqlite://"
        opened.append(catalog_of(seed, url))
        return opened[-1]

    yield made
    for catalog, _ in opened:
        catalog.close()


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def value_texts(kind):
    """Return expressions that give texts, and such that give numbers."""
    own = ["name", "description", "properties/s", "properties/a", "properties/a/b", "tolower(name)"]
    numbers = ["id", "properties/n", "properties/a", "properties/a/b", "length(name)"]
    reached = {
        "Thing": [
            "Datastreams/name",
            "Datastreams/ObservedProperty/name",
            "Locations/name",
            "Datastreams/properties/a",
        ],
        "Datastream": ["Thing/name", "unitOfMeasurement/symbol", "unitOfMeasurement/name", "Sensor/properties/s"],
        "Location": ["Things/name", "Things/Datastreams/name", "Things/properties/a"],
    }[kind]
    texts = st.sampled_from([*own, *reached, *map(quoted, TEXTS)])
    texts = st.recursive(
        texts,
        lambda inner: st.one_of(
            st.builds("{}({})".format, st.sampled_from(["tolower", "toupper", "trim"]), inner),
            st.builds("concat({},{})".format, inner, inner),
            st.builds("substring({},{})".format, inner, st.sampled_from(["0", "1", "-3", "1.7", "9e99"])),
            st.builds("substring({},1,{})".format, inner, st.sampled_from(["0", "1", "-1", "2"])),
        ),
        max_leaves=2,
    )
    numbers = st.sampled_from([*numbers, *map(str, NUMBERS), "0.1", "99999999999999999999999"])
    numbers = st.recursive(
        st.one_of(numbers, st.builds("indexof({},{})".format, texts, texts)),
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from(["add", "sub", "mul", "div", "mod"]), inner),
            st.builds("{}({})".format, st.sampled_from(["round", "floor", "ceiling"]), inner),
            st.builds("(-{})".format, inner),
        ),
        max_leaves=3,
    )
    return texts, numbers


def conditions(kind):
    texts, numbers = value_texts(kind)
    comparison = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
    beside = {"Thing": "Datastreams/id", "Datastream": "Thing/id", "Location": "Things/name"}[kind]
    own = ["properties/a", "properties/n", "properties/a/b", "name"]
    members = st.sampled_from([*own, beside, "true", "false", "9", "'9'"])
    test = st.sampled_from(["startswith", "endswith", "substringof", "contains"])
    lambdas = {
        "Thing": ["Datastreams/any(d: d/id gt 4 and d/Sensor/name eq Datastreams/name)", "Datastreams/any()",
                  "Locations/all(l: l/properties/n eq properties/n)",
                  "Datastreams/any(x: x/properties/a eq properties/a)"],
        "Datastream": ["Thing/Locations/any(l: l/id eq id)", "Thing/Datastreams/any(d: d/id gt id)"],
        "Location": ["Things/any(t: t/Datastreams/any(d: d/name eq t/name))", "Things/all(t: t/id gt 2)"],
    }[kind]  # fmt: skip
    leaf = st.one_of(
        st.builds("{} {} {}".format, texts, comparison, texts),
        st.builds("{} {} {}".format, numbers, comparison, numbers),
        st.builds("{} {} {}".format, members, comparison, members),
        st.builds("{}({},{})".format, test, texts, texts),
        st.builds("{}({},{}) eq {}".format, test, texts, texts, st.sampled_from(["true", "false"])),
        st.builds("{} {} null".format, st.one_of(texts, members), st.sampled_from(["eq", "ne"])),
        st.sampled_from([*lambdas, "properties/a", "true", "id eq 3"]),
    )
    several = st.lists(leaf, min_size=2, max_size=3).map(" and ".join)
    alone = st.one_of(leaf, st.builds("not ({})".format, leaf), several, st.builds("not ({})".format, several))
    return st.one_of(
        alone, st.lists(alone, min_size=2, max_size=3).map(lambda some: " or ".join(f"({x})" for x in some))
    )


ASKED = st.sampled_from(["Thing", "Datastream", "Location"]).flatmap(
    lambda kind: st.tuples(st.just(kind), conditions(kind))
)
SLOWLY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@contextlib.contextmanager
def too_much_is_refused():
    """Leave out what is too long for SQL and speaks of entities that columns cannot bring together."""
    try:
        yield
    except RequestError as error:
        assume("do not compare" not in str(error))
        raise


@given(st.integers(0, 3), ASKED)
@SLOWLY
def test_sql_says_what_the_oracle_says(catalogs, seed, asked):
    (catalog, rows), (kind, text) = catalogs(seed), asked
    with catalog.engine.connect() as connection, too_much_is_refused():
        found = Records(connection).page(TYPES[kind], parse_options([("$filter", text), ("$count", "true")]))
    ids = [record["id"] for record in found.records]
    assert ids == meeting(rows[kind], parse_expression(text))
    assert found.count == len(ids)


@given(st.integers(0, 3), ASKED)
@SLOWLY
def test_columns_say_what_sql_says(catalogs, seed, asked):
    (catalog, rows), (kind, text) = catalogs(seed), asked
    binder = Binder(TYPES[kind])
    condition = binder.condition(parse_expression(text))
    assume(not quantified(condition))  # quantifiers are SQL's
    with catalog.engine.connect() as connection:
        records = Records(connection)
        found = records._lookups.entities(binder.root, condition)
        wanted = meeting(rows[kind], parse_expression(text))
        assert (found.tolist(), sorted(records.ids(binder.root, condition).tolist())) == (wanted, wanted)


@pytest.mark.parametrize(
    "asked",
    ["properties/s eq 'River'", "properties/n eq 12.5", "properties/a/b eq 3", "Things/properties/s eq 'River'"],
)
def test_an_index_finds_what_has_a_member_on_postgresql(postgres, asked):
    catalog, _ = catalog_of(1, postgres.database())
    binder = Binder(TYPES["Location"])
    condition = binder.condition(parse_expression(asked))
    with catalog.engine.connect() as connection:
        rows = tables.locations.alias()
        chosen = select(rows.c.id).where(Sql(prepare(connection), None).condition(condition, {binder.root: rows}))
        connection.execute(text("SET enable_seqscan = off"))
        event.listen(connection, "before_cursor_execute", lambda *given: (f"EXPLAIN {given[2]}", given[3]), retval=True)
        plan = "\n".join(row[0] for row in connection.execute(chosen))
    catalog.close()
    assert f"ix_{'things' if 'Things' in asked else 'locations'}_properties" in plan
