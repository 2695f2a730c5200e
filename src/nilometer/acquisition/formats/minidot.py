"""PME miniDOT daily files: a line with the serial number, one of revisions, then a table in seconds since 1970 UTC."""

from __future__ import annotations

import re
from pathlib import Path

from nilometer.acquisition.formats.csv import raw_table_of
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import recording_of

__all__ = ["FORMAT", "read"]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a daily file of a miniDOT.

    Raises
    ------
    ReadError
        If it has no table of times.
    """
    raw = raw_table_of(path, FORMAT.name)
    raw.metadata |= {"stamps": "instant", "model": "PME miniDOT"}
    for line in raw.preamble:
        serial = re.match(r"^(\d{3,6}-\d{3,8})\s*$", line)
        if serial:
            raw.metadata["serial number"] = serial[1]
    # The quality of the fit of the luminescence, about 1: no quantity of the water.
    raw.beside = [name for name in raw.names if re.match(r"^Q\b", name)]
    return recording_of(raw, wishes)


def _sniff(_path: Path, head: bytes) -> float:
    return 0.96 if re.search(rb"^Time \(sec\),\s*BV \(Volts\),\s*T \(deg C\)", head[:4096], re.MULTILINE) else 0.0


FORMAT = FormatInfo(name="minidot", title="PME miniDOT", suffixes=(".txt",), sniff=_sniff, read=read)
