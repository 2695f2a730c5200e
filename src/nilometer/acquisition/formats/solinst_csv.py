"""Solinst CSV: keys over their values, a block with the unit of each channel, then a table.

::

    Serial_number:
    1067933
    LEVEL
    UNIT: m
    Date,Time,ms,LEVEL,TEMPERATURE
    2012/07/30,09:00:00,0,0.866,30.10
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening, solinst
from nilometer.acquisition.formats.csv import raw_table_of
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a CSV export of the Levelogger software.

    Raises
    ------
    ReadError
        If it has no table of times.
    """
    raw = raw_table_of(path, FORMAT.name)
    _describe(raw)
    return recording_of(raw, wishes)


def _describe(raw: RawTable) -> None:
    units: dict[str, str] = {}
    block = ""
    for line in raw.preamble:
        text = line.strip(' ",;')
        unit = re.match(r"UNIT:\s*(.*)$", text, re.IGNORECASE)
        if unit:
            units[block.casefold()] = unit[1].strip()
        elif ":" not in text:
            block = solinst.channel_name(text)
    raw.unit_texts = [units.get(name.casefold(), "") for name in raw.names]
    raw.unit_source = "file"
    folded = [name.casefold() for name in raw.names]
    if "ms" in folded and "time" in folded:
        at = folded.index("time")
        parts = raw.columns[folded.index("ms")].to_pylist()
        clocks = solinst.with_milliseconds(raw.columns[at].to_pylist(), parts)
        raw.columns = [pa.array(clocks) if place == at else column for place, column in enumerate(raw.columns)]
        raw.beside = [raw.names[folded.index("ms")]]
    raw.metadata |= {"stamps": "instant", "model": "Solinst Levelogger"}
    raw.notes += solinst.level_note(raw.names)


def _sniff(_path: Path, head: bytes) -> float:
    try:
        data, _ = opening.as_utf8(head, _path)
    except ReadError:
        return 0.0
    start = data[:4096].decode("utf-8", "replace")
    is_one = re.match(r"\W*Serial[_ ]number:", start, re.IGNORECASE) and re.search(
        r'^"?UNIT:', start, re.IGNORECASE | re.MULTILINE
    )
    return 0.96 if is_one else 0.0


FORMAT = FormatInfo(name="solinst_csv", title="Solinst Levelogger (CSV)", suffixes=(".csv",), sniff=_sniff, read=read)
