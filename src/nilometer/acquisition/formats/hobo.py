"""Onset HOBO: what HOBOware and HOBOconnect export, as CSV or as text with tabs.

A title, a header whose columns name their unit, the logger's and the sensor's serial number, then rows. Columns of
events (``Coupler Detached``, ``End Of File``) hold ``Logged`` and stand aside; their rows have no values. Onset writes
-888.88 where a sensor gave none. A sample is an instant.
"""

from __future__ import annotations

import re
from pathlib import Path

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.csv import raw_table_of
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "describe", "is_hobo", "read"]

_SERIAL = re.compile(r"\b(LGR|SEN) S/N:\s*([\w-]+)")
_CHANNEL = re.compile(r"^Ch:\s*\d+\s*-\s*")
_MARKS = re.compile(r"Plot Title:|LGR S/N:|^\W*(#\W*)?Date[- ]Time.*\bCh: \d+ - ", re.MULTILINE)


def read(path: Path, wishes: Wishes) -> Recording:
    """Read an export of HOBOware or HOBOconnect.

    Raises
    ------
    ReadError
        If it is no text, or has no table of times.
    """
    raw = raw_table_of(path, FORMAT.name)
    describe(raw)
    return recording_of(raw, wishes)


def is_hobo(text: str) -> bool:
    """Say whether the first lines of a text are an Onset export.

    Examples
    --------
    >>> is_hobo('"Plot Title: weir"'), is_hobo("Date,Time,Temp")
    (True, False)
    """
    return bool(_MARKS.search(text))


def describe(raw: RawTable) -> None:
    """Put down what the title and the names of the columns tell, in place."""
    raw.format = FORMAT.name
    raw.metadata["stamps"] = "instant"
    raw.missing = (*raw.missing, "-888.88")
    for line in raw.preamble:
        title = re.match(r"\W*Plot Title:(.*)", line)
        if title and title[1].strip(' \t",;'):
            raw.metadata["station"] = title[1].strip(' \t",;')
    serials: dict[str, list[str]] = {"LGR": [], "SEN": []}
    for name in raw.names:
        for kind, serial in _SERIAL.findall(name):
            if serial not in serials[kind]:
                serials[kind].append(serial)
    if serials["LGR"]:
        raw.metadata["serial number"] = ", ".join(serials["LGR"])
    if serials["SEN"]:
        raw.metadata["sensor serial numbers"] = ", ".join(serials["SEN"])
    raw.metadata["model"] = "Onset HOBO"
    raw.called = {name: _CHANNEL.sub("", name) for name in raw.names if _CHANNEL.match(name)}


def _sniff(path: Path, head: bytes) -> float:
    try:
        data, _ = opening.as_utf8(head, path)
    except ReadError:
        return 0.0
    return 0.95 if is_hobo(data[:4096].decode("utf-8", "replace")) else 0.0


FORMAT = FormatInfo(
    name="hobo", title="Onset HOBO (HOBOware, HOBOconnect)", suffixes=(".csv", ".txt"), sniff=_sniff, read=read
)
