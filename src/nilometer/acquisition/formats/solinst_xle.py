"""Solinst ``.xle``: XML of instrument, channels and logs.

::

    <Body_xle><Instrument_info><Serial_number>1034598</Serial_number></Instrument_info>
      <Ch1_data_header><Identification>LEVEL</Identification><Unit>m</Unit></Ch1_data_header>
      <Data><Log id="1"><Date>2019/11/20</Date><Time>12:00:00</Time><ms>0</ms><ch1>3.77</ch1></Log></Data></Body_xle>
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening, solinst, xmltext
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.acquisition.formats.xmltext import local, said, within
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_MOST_CHANNELS = 64


def read(path: Path, wishes: Wishes) -> Recording:
    """Read an ``.xle`` file.

    Raises
    ------
    ReadError
        If the XML is not well formed, or has no logs.
    """
    root = xmltext.parsed(opening.contents(path), path, FORMAT.name)
    logs = list(within(root, "Log"))
    if not logs:
        raise ReadError(f"there is no <Log> in <{local(root.tag)}>", path=path, format=FORMAT.name)
    channels: dict[str, tuple[str, str]] = {}
    for part in root:
        number = re.fullmatch(r"Ch(\d{1,2})_data_header", local(part.tag))
        if number and len(channels) < _MOST_CHANNELS:
            channels[f"ch{int(number[1])}"] = (solinst.channel_name(said(part, "Identification")), said(part, "Unit"))
    if not channels:
        channels = {
            local(part.tag): (local(part.tag), "") for part in logs[0] if re.fullmatch(r"ch\d+", local(part.tag))
        }
    rows = [{local(part.tag): (part.text or "").strip() for part in log} for log in logs]
    clocks = solinst.with_milliseconds([row.get("Time", "") for row in rows], [row.get("ms", "") for row in rows])
    stamps = [f"{row.get('Date', '')} {clock}" for row, clock in zip(rows, clocks, strict=True)]
    names = distinct([name for name, _ in channels.values()])
    told = {
        "model": " ".join(w for w in ("Solinst", said(root, "Instrument_type"), said(root, "Model_number")) if w),
        "serial number": said(root, "Serial_number"),
        "station": said(root, "Location"),
        "project": said(root, "Project_ID"),
    }
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["time", *names],
        columns=[pa.array(stamps), *(pa.array([row.get(key, "") for row in rows]) for key in channels)],
        unit_texts=["", *(unit for _, unit in channels.values())],
        unit_source="file",
        metadata={"stamps": "instant"} | {key: text for key, text in told.items() if text},
        notes=solinst.level_note(names),
    )
    return recording_of(raw, wishes)


def _sniff(_path: Path, head: bytes) -> float:
    return 1.0 if xmltext.root_name(head).casefold() in {"body_xle", "body_xml"} else 0.0


FORMAT = FormatInfo(name="solinst_xle", title="Solinst Levelogger (.xle)", suffixes=(".xle",), sniff=_sniff, read=read)
