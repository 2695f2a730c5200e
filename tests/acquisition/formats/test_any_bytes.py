"""Whatever a file holds, it is a recording or a clear refusal."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import nilometer
from nilometer.errors import ConfigError, ReadError

CELLS = st.sampled_from(
    ["1", "2.5", "-9999", "", "NULL", "<3", "a", "2024-01-01", "2024-01-01 10:00", "13/02/24", '"', "°C"]
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=12)


def read(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(content)
        try:
            recording = nilometer.read(path)
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
