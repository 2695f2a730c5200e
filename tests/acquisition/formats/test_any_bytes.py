"""Whatever a file holds, it is a recording or a clear refusal."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acquisition.formats.made_up import files

import nilometer
from nilometer.acquisition.formats.reading import formats
from nilometer.errors import ConfigError, ReadError

CELLS = st.sampled_from(
    ["1", "2.5", "-9999", "", "NULL", "<3", "a", "2024-01-01", "2024-01-01 10:00", "13/02/24", '"', "°C"]
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=12)


def read(content, **wishes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(content)
        try:
            recording = nilometer.read(path, **wishes)
        except (ReadError, ConfigError) as error:
            said = str(error)
            recording = None
    if recording is None:
        assert str(path) in said
    else:
        assert all(len(column.values) == len(recording) for column in recording.columns.values())
        assert all(len(column) == len(recording) for column in recording.aside.values())


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_recording_or_a_read_error(content):
    read(content)


@given(TABLES, st.sampled_from(",;\t|"))
@settings(max_examples=150, deadline=None)
def test_any_table_is_a_recording_or_a_read_error(rows, delimiter):
    read("\n".join(delimiter.join(row) for row in rows).encode())


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_under_a_header_is_a_recording_or_a_read_error(text):
    read(b"time,ph\n2024-01-01,7\n" + text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("content", [b"9\n\x1f\n\n;\n"])
def test_what_the_fuzzer_found_is_refused(content):
    read(content)
    read(content, format="csv")


SEEDS = files()
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["cut", "set", "insert", "drop", "repeat"]), st.integers(0, 10**6), st.binary(max_size=8)
    ),
    max_size=6,
)


def spoiled(content, changes):
    """Return a file as a bad link or a bad disk would leave it."""
    for kind, place, data in changes:
        at = place % (len(content) + 1)
        if kind == "cut":
            content = content[: max(at, 1)]
        elif kind == "set":
            content = content[:at] + data + content[at + len(data) :]
        elif kind == "insert":
            content = content[:at] + data + content[at:]
        elif kind == "drop":
            content = content[:at] + content[at + len(data) + 1 :]
        else:
            content = content[:at] + content[at // 2 :]
    return content


@pytest.mark.parametrize("name", SEEDS)
def test_a_sound_file_is_known_by_its_content_alone(tmp_path, name):
    expected, content = SEEDS[name]
    path = tmp_path / "no-suffix"
    path.write_bytes(content)
    assert nilometer.read(path).format == expected


@pytest.mark.parametrize("name", SEEDS)
@given(changes=CHANGES)
@settings(max_examples=20, deadline=None)
def test_a_spoiled_file_is_a_recording_or_a_read_error(name, changes):
    expected, content = SEEDS[name]
    content = spoiled(content, changes)
    read(content)
    read(content, format=expected)


@pytest.mark.parametrize("name", sorted(formats().items))
@given(content=st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_any_bytes_read_as_a_named_format_are_a_recording_or_a_read_error(name, content):
    read(content, format=name)


@pytest.mark.parametrize("name", SEEDS)
def test_a_line_of_any_length_is_read_or_refused_and_hangs_nothing(name):
    expected, content = SEEDS[name]
    encoding = "utf-16-le" if content.startswith(b"\xff\xfe") else "ascii"
    for filling in (" ", ",", "#", "\t", "(", "x,"):
        for at in (len(content) // 3, 2 * len(content) // 3):
            read(content[:at] + filling.encode(encoding) * 60_000 + content[at:], format=expected)


def test_xml_nested_without_end_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep.xml"
        path.write_bytes(b"<timeSeriesResponse>" + b"<timeSeries>" * 200_000)
        with pytest.raises(ReadError, match="nested"):
            nilometer.read(path)
