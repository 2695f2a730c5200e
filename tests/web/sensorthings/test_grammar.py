from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import NotFound, NotSupported, RequestError
from nilometer.web.sensorthings.expressions import Binary, Call, Literal, Logical, Path, Unary
from nilometer.web.sensorthings.grammar import parse_expression
from nilometer.web.sensorthings.options import decode_query, encode_query, parse_options
from nilometer.web.sensorthings.paths import Step, parse_path
from nilometer.web.sensorthings.query.binding import Binder
from nilometer.web.sensorthings.query.geometry import parse_wkt
from nilometer.web.sensorthings.schema import TYPES

PIECES = st.lists(
    st.sampled_from(
        [
            *("result", "phenomenonTime", "and", "or", "not", "eq", "gt", "(", ")", ",", "/", ";", "=", "-", "'it''s'"),
            *("3", "4.5", "2021-03-05T12:00:00Z", "null", "true", "$top", "$expand", "$filter", "Datastreams"),
            *("Observations", "name", "desc", "geography'POINT(8 51)'", "add", "mul", "length"),
        ]
    ),
    max_size=25,
).map(" ".join)
ANY_TEXT = st.one_of(st.text(max_size=60), PIECES)


@given(ANY_TEXT)
def test_any_text_is_an_expression_or_a_request_error(text):
    with contextlib.suppress(RequestError):
        parse_expression(text)


@given(st.sampled_from(["$filter", "$expand", "$orderby", "$select", "$top", "$count", "$skip"]), ANY_TEXT)
def test_any_option_value_parses_or_is_a_request_error(name, text):
    with contextlib.suppress(RequestError):
        parse_options([(name, text)])


@given(st.binary(max_size=80))
def test_any_query_and_path_bytes_parse_or_are_refused(raw):
    with contextlib.suppress(RequestError):
        parse_options(decode_query(raw))
    with contextlib.suppress(RequestError, NotFound):
        parse_path(raw)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=20)), max_size=5))
def test_an_encoded_query_decodes_to_itself(pairs):
    assert decode_query(encode_query(pairs).encode()) == pairs


def test_precedence_is_that_of_the_standard():
    tree = parse_expression("result add 2 mul 3 gt 7 and name eq 'a' or not (id eq 4)")
    assert isinstance(tree, Logical)
    assert tree.operator == "or"
    left, right = tree.operands
    assert isinstance(right, Unary)
    assert isinstance(left, Logical)
    comparison = left.operands[0]
    assert isinstance(comparison, Binary)
    assert comparison.operator == "gt"
    assert isinstance(comparison.left, Binary)
    assert comparison.left.operator == "add"
    assert comparison.left.right.operator == "mul"


def test_not_reaches_over_the_comparison_that_follows_it():
    tree = parse_expression("not a eq b and c")
    assert [type(operand) for operand in tree.operands] == [Unary, Path]
    assert tree.operands[0].operand.operator == "eq"


def test_operators_of_one_level_group_to_the_left():
    tree = parse_expression("9 sub 3 sub 2")
    assert tree.left.operator == "sub"
    assert tree.right.value == 2


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", "number", 12),
        ("-1.5e3", "number", -1500.0),
        ("'it''s (a;b,c)'", "text", "it's (a;b,c)"),
        ("null", "null", None),
        ("true", "boolean", True),
        ("1970-01-01T08:00:01.5+08:00", "time", 1_500_000),
        ("1970-01-01T00:00:01Z/1970-01-01T00:00:02Z", "interval", (1_000_000, 2_000_000)),
        ("duration'PT1H'", "duration", "PT1H"),
        ("geography'POINT(8 51)'", "geography", "POINT(8 51)"),
        ("2021-03-05", "date", "2021-03-05"),
    ],
)
def test_literals(text, kind, value):
    tree = parse_expression(text)
    assert isinstance(tree, Literal)
    assert (tree.kind, tree.value) == (kind, value)


def test_calls_and_paths():
    tree = parse_expression("substringof('x', Thing/properties/depth)")
    assert isinstance(tree, Call)
    assert isinstance(tree.arguments[1], Path)
    assert tree.arguments[1].names == ("Thing", "properties", "depth")


def test_elements_of_arrays_are_steps_of_a_path():
    tree = parse_expression("properties/list[01]/name[2] eq 'a'")
    assert tree.left.names == ("properties", "list", "[1]", "name", "[2]")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("result gt", "$filter at 9"),
        ("result gt 3)", "$filter at 11"),
        ("name eq 'x", "$filter at 8"),
        ("result[x] gt 3", "$filter at 7"),
        ("result[1 gt 3", "$filter at 9"),
        ("result[1.5] gt 3", "$filter at 7"),
        ("result # 3", "$filter at 7"),
        ("phenomenonTime gt 2021-13-45T00:00:00Z", "$filter at 18"),
        ("phenomenonTime gt 2021-03-05T00:00:00", "$filter at 18"),
    ],
)
def test_a_mistake_names_its_column(text, place):
    with pytest.raises(RequestError) as caught:
        parse_expression(text)
    assert caught.value.place == place


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "not " * 5000 + "true",
        "-" * 5000 + "1",
        "1" + " add 1" * 5000,
        "9" * 5000,
        "(" * 50 + "id" + " add 1" * 50 + " add 1)" * 50,
        "Datastreams/Thing/" * 1000 + "name eq 'x'",
        "properties/a" + "[0]" * 1000 + " eq 1",
    ],
)
def test_depth_and_length_are_bounded(text):
    with pytest.raises(RequestError):
        parse_expression(text)


def test_a_long_list_of_alternatives_is_fine():
    tree = parse_expression(" or ".join(f"id eq {n}" for n in range(1000)))
    assert len(tree.operands) == 1000


def test_nested_expansions_keep_their_own_options():
    text = (
        "Datastreams($filter=name eq 'a;b)(,';$expand=Observations($top=1;$orderby=phenomenonTime desc),Sensor;$top=2),"
        "Locations"
    )
    datastreams, locations = parse_options([("$expand", text)]).expand
    assert (datastreams.relation, locations.relation) == ("Datastreams", "Locations")
    assert datastreams.options.top == 2
    observations, sensor = datastreams.options.expand
    assert observations.options.top == 1
    assert observations.options.orderby[0].descending
    assert sensor.relation == "Sensor"
    assert dict(datastreams.options.texts)["$filter"] == "name eq 'a;b)(,'"


def test_expansions_of_one_relation_merge():
    (datastreams,) = parse_options(
        [("$expand", "Datastreams/Sensor,Datastreams($top=3)/ObservedProperty".replace("($top=3)/", "/"))]
    ).expand
    assert [item.relation for item in datastreams.options.expand] == ["Sensor", "ObservedProperty"]


def test_merged_expansions_must_agree():
    with pytest.raises(RequestError, match="two different"):
        parse_options([("$expand", "Datastreams($top=1),Datastreams($top=2)")])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("$top", "abc"),
        ("$top", "-1"),
        ("$top", "1.5"),
        ("$count", "yes"),
        ("$expand", "Datastreams("),
        ("$expand", "Datastreams(top=1)"),
        ("$expand", "Datastreams($top=1"),
        ("$expand", "Datastreams($nonsense=1)"),
        ("$expand", ""),
        ("$expand", "/".join("A" * 20)),
        ("$select", "name,"),
        ("$orderby", "name up"),
        ("$nonsense", "1"),
        ("top", "1"),
        ("samples", "some"),
    ],
)
def test_malformed_options_are_refused(name, text):
    with pytest.raises(RequestError):
        parse_options([(name, text)])


def test_any_whole_number_is_a_count():
    options = parse_options([("$top", str(2**63 - 1)), ("$skip", "9" * 20)])
    assert options.top == options.skip == 10**18


@pytest.mark.parametrize(
    "text", ["POINT(1)", "POINT(1e400 2)", "POINT(NaN 2)", "LINESTRING(0 0, inf 1)", "FOO(1 2)", ""]
)
def test_a_geometry_has_finite_coordinates(text):
    with pytest.raises(RequestError):
        parse_wkt(text, "$filter at 0")


def test_options_not_served_say_so():
    with pytest.raises(NotSupported):
        parse_options([("$format", "dataArray")])


def test_an_option_given_twice_is_refused():
    with pytest.raises(RequestError, match="twice"):
        parse_options([("$top", "1"), ("$top", "1")])


def test_option_names_may_be_percent_encoded_and_plus_is_a_blank():
    assert decode_query(b"%24filter=result+gt+3&$top=1") == [("$filter", "result gt 3"), ("$top", "1")]


def test_paths_are_steps():
    path = parse_path(b"/Things(1)/Datastreams(2)/Observations/$ref")
    assert path.steps == (Step("Things", 1), Step("Datastreams", 2), Step("Observations"))
    assert path.ending == "$ref"


@pytest.mark.parametrize(
    "raw", [b"Things('a')", b"Things(0)", b"Things(99999999999999999999999)", b"Things(9223372036854775808)"]
)
def test_ids_that_nothing_has_are_not_found(raw):
    with pytest.raises((NotFound, RequestError)):
        parse_path(raw)


def test_a_long_conjunction_is_bound_term_by_term():
    names = Binder(TYPES["Thing"]).condition(parse_expression(" and ".join(["name ne 'x'"] * 1_500)))
    assert len(names.operands) == 1_500
    mixed = " and ".join(["name ne 'x' and Datastreams/name ne 'y'"] * 700)
    alone = Binder(TYPES["Thing"]).condition(parse_expression(mixed)).operands
    assert len(alone) == 701  # what is said of one Datastream stands together
