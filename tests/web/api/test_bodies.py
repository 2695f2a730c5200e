from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import RequestError, TooLarge, WrongMediaType
from nilometer.model import NO_TIME
from nilometer.web.api import bodies
from nilometer.web.api.bodies import ARROW, read_body
from nilometer.web.api.columns import Refusals, numbers, times
from nilometer.web.times import format_time, parse_time

HEADER = "datastream,phenomenon_time,result\n"
EAST = dt.timezone(dt.timedelta(hours=8))
NOON = 1_614_945_600_000_000


def csv(text):
    return read_body((HEADER + text).encode(), "text/csv")


def column_times(cells, *, required=True):
    refusals = Refusals(len(cells))
    return times(pa.array(cells), "phenomenon_time", refusals, required=required), refusals


def column_numbers(cells):
    refusals = Refusals(len(cells))
    return numbers(pa.array(cells), "result", refusals), refusals


def test_a_sound_csv_is_read_as_numbers_and_times():
    body = csv("river/ph,2021-03-05T12:00:00Z,7.5\nriver/ph,2021-03-05T20:00:01.25+08:00,\n")
    refusals = Refusals(2)
    moments = times(body.columns["phenomenon_time"], "phenomenon_time", refusals, required=True)
    assert moments.tolist() == [NOON, NOON + 1_250_000]
    values = numbers(body.columns["result"], "result", refusals)
    assert values[0] == 7.5
    assert np.isnan(values[1])
    assert not refusals.refused.any()


def test_one_bad_cell_leaves_the_other_rows_readable():
    body = csv("a,2021-03-05T12:00:00Z,7.5\na,yesterday,7.6\na,2021-03-05T12:00:02Z,high\n")
    refusals = Refusals(3)
    times(body.columns["phenomenon_time"], "phenomenon_time", refusals, required=True)
    numbers(body.columns["result"], "result", refusals)
    assert refusals.refused.tolist() == [False, True, True]
    assert "yesterday" in refusals.reasons[1]
    assert "'high' is not a number" in refusals.reasons[2]


def test_rows_with_too_few_or_too_many_cells_are_set_aside_by_number():
    body = csv(
        "a,2021-03-05T12:00:00Z,1\na,2021-03-05T12:00:01Z\na,2021-03-05T12:00:02Z,3,4\na,2021-03-05T12:00:03Z,4\n"
    )
    assert sorted(body.broken) == [1, 2]
    assert body.rows().tolist() == [0, 3]
    assert body.n == 4


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    text = "\ufeff" + HEADER.replace("\n", "\r\n") + "a,2021-03-05T12:00:00Z,1\r\n"
    body = read_body(text.encode(), "text/csv")
    assert body.n == 1
    assert "datastream" in body.columns


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "byte 0"),
        (b"datastream,result\na,1\n", "line 1"),
        (b"datastream,phenomenon_time,resullt\na,b,c\n", "line 1"),
        (b"datastream,phenomenon_time,result,result\n", "line 1"),
        (HEADER.encode() + b"a\xff,2021-03-05T12:00:00Z,x\n", "byte 35: not UTF-8"),
        (b"\xff\xfe\n", "line 1"),
    ],
)
def test_a_csv_that_cannot_be_read_names_the_place(body, place):
    with pytest.raises(RequestError) as caught:
        read_body(body, "text/csv")
    assert caught.value.place == place


def test_an_unknown_column_has_near_names():
    with pytest.raises(RequestError, match="did you mean result"):
        read_body(b"datastream,phenomenon_time,resullt\n", "text/csv")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    for media_type in bodies.MEDIA_TYPES:
        try:
            read_body(body, media_type)
        except RequestError:
            continue


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_texts_are_times_and_numbers_or_refused(cells):
    moments, refusals = column_times(pa.array(cells, pa.string()))
    assert len(moments) == len(cells)
    assert all(moment != NO_TIME for moment, bad in zip(moments, refusals.refused, strict=True) if not bad)
    values, _ = column_numbers(pa.array(cells, pa.string()))
    assert not np.isinf(values[~_.refused]).any()


@given(
    st.lists(
        st.integers(-62_135_500_000_000_000, 253_402_200_000_000_000).map(
            lambda moment: dt.datetime(1970, 1, 1, tzinfo=EAST) + dt.timedelta(microseconds=moment)
        ),
        min_size=1,
        max_size=5,
    )
)
def test_times_agree_with_the_one_by_one_reader(moments):
    cells = [moment.isoformat() for moment in moments]
    read, refusals = column_times(cells)
    assert not refusals.refused.any()
    assert read.tolist() == [parse_time(cell) for cell in cells]
    assert [parse_time(format_time(value)) for value in read.tolist()] == read.tolist()


@pytest.mark.parametrize(
    "cell",
    [
        *("2021-02-29T00:00:00Z", "2021-04-31T00:00:00Z", "2021-13-01T00:00:00Z", "2021-01-01T24:00:00Z"),
        *("2021-01-01T00:00:60Z", "2021-01-01T00:00:00", "2021-01-01", "0000-01-01T00:00:00Z", "9" * 15, "noon", "٣"),
    ],
)
def test_times_that_do_not_exist_are_refused_and_the_rest_kept(cell):
    read, refusals = column_times(["2021-03-05T12:00:00Z", cell, "1614945600000"])
    assert refusals.refused.tolist() == [False, True, False]
    assert read[[0, 2]].tolist() == [NOON, NOON]


@pytest.mark.parametrize(
    "cell", ["2020-02-29T00:00:00Z", "2000-02-29T00:00:00.1234567Z", "2021-03-05 12:00+0800", "-1"]
)
def test_unusual_times_that_exist_are_read(cell):
    _, refusals = column_times([cell, "bad"])
    assert refusals.refused.tolist() == [False, True]


def test_numbers_in_their_usual_spellings():
    values, refusals = column_numbers(["1", "-2.5", "+3", ".5", "4.", "1e-3", " 7 ", "NaN", "", None])
    assert not refusals.refused.any()
    assert values[:7].tolist() == [1, -2.5, 3, 0.5, 4, 0.001, 7]
    assert np.isnan(values[7:]).all()


def test_infinite_results_are_refused():
    values, refusals = column_numbers([1.0, float("inf"), None])
    assert refusals.refused.tolist() == [False, True, False]
    assert values[0] == 1
    _, refusals = column_numbers(["1", "1e999"])
    assert refusals.refused.tolist() == [False, True]


def arrow(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_an_arrow_stream_is_read_and_naive_timestamps_are_refused():
    table = pa.table(
        {
            "datastream": ["a", "b"],
            "phenomenon_time": pa.array([1, 2], pa.timestamp("ms", "UTC")),
            "result": [1.0, None],
        }
    )
    assert read_body(arrow(table), ARROW).n == 2
    with pytest.raises(RequestError, match="time zone"):
        times(pa.array([1], pa.timestamp("ms")), "phenomenon_time", Refusals(1), required=True)


def test_a_cut_arrow_stream_is_refused():
    table = pa.table({"datastream": ["a"] * 100, "phenomenon_time": [1] * 100, "result": [1.0] * 100})
    whole = arrow(table)
    for end in (3, 100, len(whole) // 2):
        with pytest.raises(RequestError):
            read_body(whole[:end], ARROW)


def test_a_small_body_that_holds_too_many_rows_is_refused(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_ROWS", 10)  # a real bomb would take the memory this test is about
    table = pa.table({"datastream": ["a"] * 11, "phenomenon_time": [1] * 11, "result": [1.0] * 11})
    with pytest.raises(TooLarge):
        read_body(arrow(table), ARROW)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"{", "byte"),
        (b"[]", "$"),
        (b'{"datastream": ["a"]}', "$"),
        (b'{"datastream": ["a"], "phenomenon_time": 3, "result": [1]}', "$.phenomenon_time"),
        (b'{"datastream": ["a"], "phenomenon_time": [1, 2], "result": [1]}', "$"),
        (b'{"datastream": ["a"], "phenomenon_time": [1], "result": [1], "x": []}', "$"),
        (b'{"datastream": ["\xff"]}', "byte"),
        (b"[" * 100_000, ""),
    ],
)
def test_json_that_cannot_be_read_names_the_place(body, place):
    with pytest.raises(RequestError) as caught:
        read_body(body, "application/json")
    assert caught.value.place.startswith(place)


def test_json_cells_of_a_wrong_kind_refuse_their_row_only():
    body = read_body(
        b'{"datastream": ["a", "a", 3], "phenomenon_time": [1614945600000, "x", null], "result": [1, "2", {}]}',
        "application/json",
    )
    refusals = Refusals(3)
    moments = times(body.columns["phenomenon_time"], "phenomenon_time", refusals, required=True)
    values = numbers(body.columns["result"], "result", refusals)
    assert moments[0] == NOON
    assert values[:2].tolist() == [1, 2]
    assert refusals.refused.tolist() == [False, True, True]


def test_another_media_type_says_what_is_read():
    with pytest.raises(WrongMediaType, match="text/csv"):
        read_body(b"x", "application/x-www-form-urlencoded")
