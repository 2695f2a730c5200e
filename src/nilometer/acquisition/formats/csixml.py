"""Campbell Scientific CSIXML: a head of environment and fields, and a row of values per record.

::

    <csixml><head><environment>…</environment>
                  <fields><field name="WaterT_Max" process="Max" type="xsd:float" units="Deg C"/></fields></head>
            <data><r no="0" time="2014-04-11T00:00:00"><v1>17.91</v1></r></data></csixml>

LoggerNet manual, appendix B.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import campbell, opening, xmltext
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_ENVIRONMENT = {
    "station": "station-name",
    "model": "model",
    "serial": "serial-no",
    "system": "os-version",
    "program": "dld-name",
    "signature": "dld-sig",
    "table": "table-name",
}


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a CSIXML file.

    Raises
    ------
    ReadError
        If the XML is not well formed, or has no fields or no rows.
    """
    root = xmltext.parsed(opening.contents(path), path, FORMAT.name)
    fields = list(xmltext.within(root, "field"))
    rows = list(xmltext.within(root, "r"))
    if xmltext.local(root.tag) != "csixml" or not fields or not rows:
        seen = f"{len(fields)} fields and {len(rows)} rows are in <{xmltext.local(root.tag)}>"
        raise ReadError(f"{seen}: it takes a <csixml> with both", path=path, format=FORMAT.name)
    names = [field.get("name", "") for field in fields]
    methods = campbell.statistics(names, [field.get("process", "") for field in fields])
    environment = campbell.Environment(
        kind="CSIXML", **{name: xmltext.said(root, tag) for name, tag in _ENVIRONMENT.items()}
    )
    columns = _columns(rows, len(names))
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["TIMESTAMP", "RECORD", *names],
        columns=columns,
        unit_texts=["", "", *(field.get("units", "") for field in fields)],
        unit_source="file",
        metadata=environment.metadata() | ({"stamps": campbell.stamps(methods)} if methods else {}),
        statistics=methods,
        called=campbell.called(names, methods),
    )
    return recording_of(raw, wishes)


def _columns(rows: list[ET.Element], width: int) -> list[pa.Array]:
    cells: list[list[str]] = [[] for _ in range(width + 2)]
    tags = {f"v{at + 1}": at + 2 for at in range(width)}
    for row in rows:
        cells[0].append(row.get("time", ""))
        cells[1].append(row.get("no", ""))
        here = [""] * width
        for value in row:
            place = tags.get(xmltext.local(value.tag))
            if place is not None:
                here[place - 2] = (value.text or "").strip('"')
        for place, text in enumerate(here, start=2):
            cells[place].append(text)
    return [pa.array(column, pa.string()) for column in cells]


def _sniff(_path: Path, head: bytes) -> float:
    return 1.0 if xmltext.root_name(head) == "csixml" else 0.0


FORMAT = FormatInfo(
    name="csixml", title="Campbell Scientific CSIXML", suffixes=(".xml", ".dat"), sniff=_sniff, read=read
)
