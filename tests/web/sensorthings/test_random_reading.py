"""Reading what nobody would ask: paths, options and expressions put together at random."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.web.sensorthings.query.functions import FUNCTIONS
from nilometer.web.sensorthings.schema import SETS

pytestmark = pytest.mark.asyncio(loop_scope="module")
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


@given(PATHS, QUERIES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_request_is_answered_with_2xx_4xx_or_501(filled, path, query):
    text = "&".join(f"{name}={quote(value)}" for name, value in query)
    answer = await filled.client.get(f"/v1.1/{quote(path, safe='/()')}?{text}")
    assert answer.status_code < 500 or answer.status_code == 501


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


@given(st.sampled_from(sorted(SETS)), TERMS, st.sampled_from(["$filter=", "$orderby=", "$top=0&$count=true&$filter="]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_expression_is_answered_or_refused_with_its_place(filled, plural, term, option):
    answer = await filled.client.get(f"/v1.1/{plural}?{option}{quote(term)}")
    assert answer.status_code in {200, 400, 413}, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["place"], answer.text
