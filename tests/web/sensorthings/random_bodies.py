"""Bodies that nobody would write, put together at random: of every entity with what may come beside it, of batches."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from nilometer.web.sensorthings.schema import SETS, TYPES
from tests.web.sensorthings.random_urls import URLS

TEXTS = st.sampled_from(["a", "Buoy", "é'\"", "河", "", "x" * 300, "$1", "null"])
NUMBERS = st.sampled_from([0, 1, -1, 7.5, 1e308, -0.0, 2**53 + 1, 2**70, 10**400])
TIMES = st.sampled_from(
    [
        *("2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"),
        *("2026-01-01T00:00:00.123456Z", "1600-01-01T00:00:00Z", "2300-01-01T00:00:00Z"),
    ]
)
INSTANTS = st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00.5+08:00", "1990-01-01T00:00:00Z"])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OURS = st.dictionaries(
    st.sampled_from(["key", "unit", "profile", "property", "identity", "origin", "sample_kind", "time_zone", "x"]),
    st.sampled_from(["a", "m", "river/ph", "ph", "time", "check", "UTC"]) | JSON,
    max_size=2,
)
PROPERTIES = st.one_of(
    st.just({}), st.dictionaries(TEXTS, JSON, max_size=2), st.fixed_dictionaries({"nilometer": OURS})
)
PLACES = st.sampled_from(
    [
        {"type": "Point", "coordinates": [8, 51]},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [8, 51, 3]}},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": [1e308, -1e308]},
    ]
)
GEOJSON = st.sampled_from(["application/geo+json", "application/vnd.geo+json"])
UNIT = st.fixed_dictionaries(
    {
        "name": TEXTS | st.none(),
        "symbol": st.sampled_from(["m", "", "°C", None]),
        "definition": st.sampled_from(["ucum:m", "ucum:Cel", None, "x"]),
    }
)
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
NAMED: dict[str, st.SearchStrategy[Any]] = {"name": TEXTS, "description": TEXTS}

OWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Things": {**NAMED, "properties": PROPERTIES},
    "Locations": {**NAMED, "encodingType": GEOJSON, "location": PLACES},
    "HistoricalLocations": {"time": INSTANTS},
    "Datastreams": {
        **NAMED,
        "unitOfMeasurement": UNIT,
        "observationType": st.just(MEASUREMENT),
        "properties": PROPERTIES,
    },
    "MultiDatastreams": {
        **NAMED,
        "unitOfMeasurements": st.lists(UNIT, min_size=1, max_size=2),
        "multiObservationDataTypes": st.just([]),
        "properties": PROPERTIES,
    },
    "Sensors": {**NAMED, "encodingType": TEXTS, "metadata": TEXTS | PROPERTIES, "properties": PROPERTIES},
    "ObservedProperties": {**NAMED, "definition": TEXTS, "properties": PROPERTIES},
    "Observations": {
        "phenomenonTime": TIMES,
        "result": st.one_of(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=2), JSON),
        "resultQuality": JSON,
        "parameters": PROPERTIES,
    },
    "FeaturesOfInterest": {**NAMED, "encodingType": GEOJSON, "feature": PLACES, "properties": PROPERTIES},
}
NEEDED = {"Thing", "Sensor", "ObservedProperty", "ObservedProperties", "Datastream", "Locations"}
LINKED = {"Thing", "Sensor", "ObservedProperty", "ObservedProperties", "Datastream", "Things", "Locations"}
LINKS = st.sampled_from([1, 1, 1, 2, 2, 3]).map(lambda number: {"@iot.id": number})
ODD = [None, True, -1, 2**70, 1e308, "", "\x00", [], {}, [[]], {"@iot.id": 1}, {"@iot.id": "1"}, {"a": {"b": []}}]


@st.composite
def entities(
    draw: Callable[[st.SearchStrategy[Any]], Any], plural: str, depth: int = 2, inside: str = ""
) -> dict[str, Any]:
    """Draw the body of an entity: its own properties, and what is related to it linked or beside it.

    `inside` is the type of the entity that it stands in, which is its relation.
    """
    own = OWN[plural].items()
    made = {name: draw(strategy) for name, strategy in own if name != "properties" or draw(st.booleans())}
    for relation in SETS[plural].relations.values():
        if relation.target == inside or relation.name == "MultiDatastream":
            continue
        if relation.name == "Datastream" and inside == "MultiDatastream":
            continue
        ways = ["beside"] * bool(depth) + ["link"] * (relation.name in LINKED)
        if relation.name not in NEEDED:
            ways += ["none"] * 3
        way = draw(st.sampled_from(ways)) if ways else "none"
        if way != "none":
            target = TYPES[relation.target]
            one = entities(target.plural, depth - 1, SETS[plural].name) if way == "beside" else LINKS
            made[relation.name] = draw(st.lists(one, min_size=1, max_size=2)) if relation.many else draw(one)
    if plural == "MultiDatastreams":
        several = len(made["unitOfMeasurements"])
        made["multiObservationDataTypes"] = [MEASUREMENT] * several
        made["ObservedProperties"] = (made.get("ObservedProperties", []) * 2)[:several]
        for one in made.get("Observations", []):
            one["result"] = [1.5] * several
    return made


def places(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield every place in a document."""
    if path:
        yield path
    if isinstance(document, dict | list):
        for step, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from places(value, (*path, step))


@st.composite
def spoilt(draw: Callable[[st.SearchStrategy[Any]], Any], document: Any) -> Any:
    """Draw a document as it is, or with something odd at a place or two."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        found = list(places(document))
        if not found:
            break
        *way, last = draw(st.sampled_from(found))
        part = document
        for step in way:
            part = part[step]
        if isinstance(part, dict) and draw(st.booleans()):
            del part[last]
        else:
            part[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return document


POINTERS = st.sampled_from(
    ["", "/name", "/description", "/properties", "/properties/a", "/properties/-", "/id", "/a~1b"]
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": POINTERS},
        optional={"from": POINTERS, "value": JSON},
    ),
    max_size=3,
)
GROUPS = st.lists(
    st.fixed_dictionaries(
        {
            "Datastream": LINKS,
            "components": st.lists(
                st.sampled_from(["phenomenonTime", "result", "resultTime", "parameters", "FeatureOfInterest/id", "x"]),
                max_size=3,
            ),
            "dataArray": st.lists(st.lists(st.one_of(TIMES, NUMBERS, JSON), max_size=3), max_size=3),
        }
    ),
    max_size=2,
)
ONE = st.builds("{}({})".format, st.sampled_from(sorted(SETS)), st.integers(1, 6))

Request = tuple[str, str, Any]
"""The method, what follows ``/v1.1/``, and the body: a document, bytes or None; a PATCH with a list is a JSON patch."""

CREATIONS = st.sampled_from(sorted(SETS)).flatmap(
    lambda plural: entities(plural).flatmap(spoilt).map(lambda body: ("POST", plural, body))
)
CHANGES = st.one_of(
    st.tuples(st.just("PATCH"), ONE, OPERATIONS),
    st.sampled_from(sorted(SETS)).flatmap(
        lambda plural: st.tuples(
            st.sampled_from(["PATCH", "PUT"]),
            st.integers(1, 6).map(lambda number: f"{plural}({number})"),
            entities(plural, 0).flatmap(spoilt),
        )
    ),
)
LINKINGS = st.tuples(
    st.sampled_from(["POST", "PUT", "DELETE"]),
    st.builds(
        "{}/{}/$ref".format, ONE, st.sampled_from(["Locations", "Locations(1)", "Thing", "Datastreams", "Sensor"])
    ),
    LINKS,
)
RELATED = st.builds("{}/{}".format, ONE, st.sampled_from(sorted(SETS))).flatmap(
    lambda path: entities(path.rpartition("/")[2], 1).flatmap(spoilt).map(lambda body: ("POST", path, body))
)
DATA_ARRAYS = GROUPS.flatmap(spoilt).map(lambda groups: ("POST", "CreateObservations", groups))
BYTES = st.tuples(
    st.sampled_from(["POST", "PATCH", "PUT"]), st.one_of(st.sampled_from(sorted(SETS)), ONE), st.binary(max_size=40)
)
DELETIONS = st.tuples(st.just("DELETE"), ONE, st.none())
SINGLE: st.SearchStrategy[Request] = st.one_of(
    CREATIONS, CREATIONS, CHANGES, LINKINGS, RELATED, DATA_ARRAYS, BYTES, DELETIONS
)


@st.composite
def batches(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Request:
    """Draw a batch of a few requests, some of them in one change set."""
    parts = draw(
        st.lists(st.one_of(CREATIONS, CHANGES, DELETIONS, URLS.map(lambda url: ("GET", url, None))), max_size=3)
    )
    group = draw(st.booleans())
    requests = []
    for number, (method, url, body) in enumerate(parts):
        one = {"id": str(number), "method": method.lower(), "url": url}
        requests.append(one | ({} if body is None else {"body": body}) | ({"atomicityGroup": "g"} if group else {}))
    return ("POST", "$batch", draw(spoilt({"requests": requests})))


WRITES: st.SearchStrategy[Request] = st.one_of(SINGLE, SINGLE, SINGLE, batches())


def encoded(method: str, body: Any) -> tuple[bytes, str]:
    """Return a body's bytes and its media type."""
    if body is None or isinstance(body, bytes):
        return body or b"", "application/json"
    is_patch = method == "PATCH" and isinstance(body, list)
    return json.dumps(body).encode(), "application/json-patch+json" if is_patch else "application/json"


COUNTING = {
    "requests": [
        {"id": plural, "method": "get", "url": f"{plural}?$count=true&$top=0&samples=all"} for plural in sorted(SETS)
    ]
}
"""A batch that asks how many entities there are of each set."""


def counted(answer: Any) -> dict[str, int]:
    """Return what `COUNTING` was answered."""
    return {one["id"]: one["body"]["@iot.count"] for one in answer["responses"]}
