"""URLs that nobody would ask for, put together at random: any words, any expressions, and sound ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from nilometer.web.sensorthings.query.functions import FUNCTIONS
from nilometer.web.sensorthings.schema import SETS, TYPES

WORD_OPERATORS = ["eq", "ne", "gt", "ge", "lt", "le", "and", "or", "add", "sub", "mul", "div", "mod"]


PATHS = st.lists(
    st.sampled_from(
        [
            *SETS,
            "Things(1)",
            "Datastreams(1)",
            "Observations(4294967297)",
            "Thing",
            "name",
            "$ref",
            "$value",
            "(",
            "'",
            "é",
        ]
    ),
    max_size=5,
).map("/".join)
WORDS = [
    "name",
    "result",
    "phenomenonTime",
    "Datastream",
    "Thing/name",
    "properties/a",
    "eq",
    "gt",
    "and",
    "or",
    "not",
    "(",
    ")",
]
WORDS += [
    "1",
    "'a'",
    "null",
    "true",
    "2021-03-05T12:00:00Z",
    ",",
    "add",
    "-",
    "id",
    "9e999",
    "$top=1",
    ";",
    "Observations",
]
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["$filter", "$orderby", "$expand", "$select", "$top", "$skip", "$count", "x"]),
        st.one_of(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), st.text(max_size=12)),
    ),
    max_size=3,
)

TERMS = st.recursive(
    st.sampled_from(
        [
            *(
                "name",
                "id",
                "properties/a",
                "result",
                "phenomenonTime",
                "resultTime",
                "resultQuality/tests/spike",
                "validTime",
            ),
            *(
                "parameters/n",
                "Thing/name",
                "Datastreams/name",
                "Datastream/Thing/id",
                "Datastreams/Observations/result",
            ),
            *(
                "Locations/location",
                "FeatureOfInterest/feature",
                "observedArea",
                "unitOfMeasurement/symbol",
                "null",
                "true",
            ),
            *(
                "1",
                "-1.5e300",
                "'a'",
                "'%é'",
                "2021-03-05T12:00:00Z",
                "2021-03-05T12:00:00Z/2021-03-05T13:00:00Z",
                "2021-03-05",
            ),
            *(
                "12:30",
                "duration'PT1H'",
                "geography'POINT(8 51)'",
                "geography'POLYGON((0 0,1 1,0 1,1 0,0 0))'",
                "now()",
            ),
            *(
                "99999999999999999999",
                "Datastreams/any(d: d/id eq 1)",
                "Things/Datastreams/properties",
                "Sensor/metadata",
            ),
        ]
    ),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(WORD_OPERATORS), inner),
        st.builds("{}({})".format, st.sampled_from(list(FUNCTIONS)), inner),
        st.builds("{}({},{})".format, st.sampled_from(list(FUNCTIONS)), inner, inner),
        st.builds("st_relate({},{},'T********')".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("-{}".format, inner),
        st.builds("{}/any(x: {})".format, st.sampled_from(["Datastreams", "Observations", "Things"]), inner),
    ),
    max_leaves=6,
)

EXPRESSIONS = st.tuples(
    st.sampled_from(sorted(SETS)), st.sampled_from(["$filter=", "$orderby=", "$top=0&$count=true&$filter="]), TERMS
).map(lambda asked: f"{asked[0]}?{asked[1]}{quote(asked[2])}")
"""A set, filtered or ordered by any expression; what follows ``/v1.1/``."""

URLS = st.builds(
    lambda path, query: f"{quote(path, safe='/()')}?{'&'.join(f'{name}={quote(value)}' for name, value in query)}",
    PATHS,
    QUERIES,
)
"""Any path with any options; what follows ``/v1.1/``."""


def _steps(plural: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the paths to the properties of a set and of what it is related to, each with its kind."""
    kind = SETS[plural]
    yield "id", "number"
    for name, found in kind.properties.items():
        yield name, found.kind
    for relation in kind.relations.values() if depth else ():
        target = TYPES[relation.target].plural
        yield from ((f"{relation.name}/{path}", of) for path, of in _steps(target, depth - 1))


MEMBERS = {
    "properties": ["/a", "/nilometer/key", "/list[0]"],
    "parameters": ["/n"],
    "result": ["/a", "[0]"],
    "resultQuality": ["/flag", "/tests/spike"],
}


@cache
def paths_of(plural: str) -> dict[str, list[str]]:
    """Return the paths that lead from a set to texts, numbers, times, intervals, JSON and places."""
    found: dict[str, list[str]] = {"text": [], "number": [], "time": [], "interval": [], "json": [], "place": []}
    for path, kind in _steps(plural, 2):
        last = path.rpartition("/")[2]
        if last in {"location", "feature", "observedArea"}:
            found["place"].append(path)
        elif last in MEMBERS:
            found["json"] += [path + member for member in MEMBERS[last]]
        elif last == "unitOfMeasurement":
            found["text"].append(f"{path}/symbol")
        elif kind != "json":
            found[kind].append(path)
    return found


COMPARISONS = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
INSTANTS = st.sampled_from(
    ["2026-01-01T00:00:00Z", "2021-03-05", "now()", "now() sub duration'P1D'", "mindatetime()", "maxdatetime()"]
)
SPANS = st.sampled_from(["2021-03-05T00:00:00Z/2026-03-06T00:00:00Z", "2026-01-01T00:00:00Z/2026-01-01T00:00:01Z"])
SHAPES = st.sampled_from(
    ["POINT(8 51)", "LINESTRING(0 0,9 52)", "POLYGON((0 0,10 0,10 60,0 60,0 0))", "POLYGON((0 0,1 1,0 1,1 0,0 0))"]
)
TEXT_OF_TEXT = st.sampled_from(["tolower", "toupper", "trim"])
NUMBER_OF_TIME = st.sampled_from(
    ["year", "month", "day", "hour", "minute", "second", "fractionalseconds", "totaloffsetminutes"]
)
TESTS_OF_TEXTS = st.sampled_from(["startswith", "endswith", "substringof", "contains"])
TESTS_OF_INTERVALS = st.sampled_from(["before", "after", "during", "meets", "starts", "finishes", "overlaps"])
TESTS_OF_PLACES = st.sampled_from(
    [
        "geo.intersects",
        "st_equals",
        "st_disjoint",
        "st_touches",
        "st_within",
        "st_overlaps",
        "st_crosses",
        "st_contains",
    ]
)


def _texts(plural: str) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from([*paths_of(plural)["text"], "'a'", "'%'", "'é''_'", "''"]),
        lambda inner: st.one_of(
            st.builds("{}({})".format, TEXT_OF_TEXT, inner),
            st.builds("concat({},{})".format, inner, inner),
            st.builds("substring({},{})".format, inner, st.sampled_from(["0", "1,2", "-1", "99"])),
        ),
        max_leaves=3,
    )


def _numbers(plural: str) -> st.SearchStrategy[str]:
    paths, texts = paths_of(plural), _texts(plural)
    return st.recursive(
        st.one_of(
            st.sampled_from([*paths["number"], "0", "1.5", "-3", "1e300", "9007199254740993"]),
            st.builds("length({})".format, texts),
            st.builds("indexof({},{})".format, texts, texts),
            st.builds("{}({})".format, NUMBER_OF_TIME, st.sampled_from([*paths["time"], *paths["interval"], "now()"])),
        ),
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from(["add", "sub", "mul", "div", "mod"]), inner),
            st.builds("{}({})".format, st.sampled_from(["round", "floor", "ceiling"]), inner),
            st.builds("(-{})".format, inner),
        ),
        max_leaves=3,
    )


def _leaves(plural: str) -> list[st.SearchStrategy[str]]:
    texts, numbers, paths = _texts(plural), _numbers(plural), paths_of(plural)
    of = {kind: st.sampled_from(found) for kind, found in paths.items() if found}
    leaves = [
        st.builds("{} {} {}".format, texts, COMPARISONS, texts),
        st.builds("{} {} {}".format, numbers, COMPARISONS, numbers),
        st.builds("{}({},{})".format, TESTS_OF_TEXTS, texts, texts),
        st.builds("{} {} null".format, st.one_of(texts, *of.values()), st.sampled_from(["eq", "ne"])),
    ]
    if "json" in of:
        leaves.append(st.builds("{} {} {}".format, of["json"], COMPARISONS, of["json"] | st.sampled_from(["1", "'a'"])))
    leaves += [
        st.builds("{} {} {}".format, of[kind], COMPARISONS, INSTANTS) for kind in ("time", "interval") if kind in of
    ]
    if "interval" in of:
        leaves.append(st.builds("{}({},{})".format, TESTS_OF_INTERVALS, of["interval"], SPANS))
    if "place" in of:
        leaves.append(st.builds("{}({},geography'{}')".format, TESTS_OF_PLACES, of["place"], SHAPES))
        leaves.append(st.builds("geo.distance({},geography'{}') {} 2".format, of["place"], SHAPES, COMPARISONS))
    many = [one.name for one in SETS[plural].relations.values() if one.many]
    if many:
        asked = st.sampled_from(["any()", "any(x: x/id gt 1)", "all(x: x/id lt 9)"])
        leaves.append(st.builds("{}/{}".format, st.sampled_from(many), asked))
    return leaves


@cache
def conditions(plural: str) -> st.SearchStrategy[str]:
    """Return conditions on a set whose kinds fit."""
    return st.recursive(
        st.one_of(_leaves(plural)),
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
            st.builds("not ({})".format, inner),
        ),
        max_leaves=4,
    )


@st.composite
def options(draw: Callable[[st.SearchStrategy[Any]], Any], plural: str, depth: int = 2) -> list[str]:
    """Draw options that fit a set."""
    kind, found = SETS[plural], []
    names = st.sampled_from(["id", *kind.properties])
    if draw(st.booleans()):
        found.append(f"$filter={quote(draw(conditions(plural)))}")
    if draw(st.booleans()):
        found.append(f"$orderby={draw(names)}{draw(st.sampled_from(['', '%20desc']))}")
    if draw(st.booleans()):
        found.append(f"$select={','.join(draw(st.lists(names, min_size=1, max_size=3, unique=True)))}")
    if depth and draw(st.booleans()):
        relation = draw(st.sampled_from(list(kind.relations.values())))
        inner = draw(options(TYPES[relation.target].plural, depth - 1)) if relation.many else []
        found.append(f"$expand={relation.name}" + (f"({';'.join(inner)})" if inner else ""))
    return found + draw(st.sampled_from([[], ["$top=1"], ["$top=0", "$count=true"], ["$top=2", "$skip=1"]]))


@st.composite
def sound(draw: Callable[[st.SearchStrategy[Any]], Any]) -> str:
    """Draw a set with options that fit; what follows ``/v1.1/``."""
    plural = draw(st.sampled_from(sorted(SETS)))
    asked = draw(options(plural))
    if not any(one.startswith("$expand") for one in asked):
        asked = asked + draw(st.sampled_from([[], [], ["$resultFormat=CSV"], ["$resultFormat=GeoJSON"]]))
    return f"{plural}?{'&'.join(asked)}"
