"""CSV of Hydrolab sondes, as Hydrotech software writes it: quoted keys, then a table with columns of marks."""

from __future__ import annotations

import re
from pathlib import Path

from nilometer.acquisition.formats.csv import raw_table_of
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import recording_of

__all__ = ["FORMAT", "read"]

_MODEL = re.compile(r"^\W*((?:Mini|Data|Multi|Hydro)\s?(?:Sonde|lab)\s?\w*)\s+(\d{3,})\W*$", re.IGNORECASE)


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a CSV of a Hydrolab sonde.

    Raises
    ------
    ReadError
        If it has no table of times.
    """
    raw = raw_table_of(path, FORMAT.name)
    raw.metadata |= {"stamps": "instant", "model": "Hydrolab"}
    # Named by the range of the sensor: Dep25, Dep100.
    raw.called = {name: "sensor_depth" for name in raw.names if re.fullmatch(r"Dep\d+", name)}
    for line in raw.preamble:
        model = _MODEL.match(line)
        key = re.match(r'^"?(Log File Name|Interval \(HHMMSS\))\s*:\s*([^"]*?)\s*"?\W*$', line)
        if model:
            raw.metadata |= {"model": f"Hydrolab {model[1]}", "serial number": model[2]}
        elif key:
            raw.metadata[re.sub(r" \(.*", "", key[1]).casefold()] = key[2]
    return recording_of(raw, wishes)


def _sniff(_path: Path, head: bytes) -> float:
    text = head[:4096].decode("latin-1")
    # A spreadsheet that saved it again took the quotes away.
    is_one = re.search(r'^"?Log File Name : ', text, re.MULTILINE) and re.search(
        r'^"?Date"?,"?Time"?,', text, re.MULTILINE
    )
    return 0.96 if is_one else 0.0


FORMAT = FormatInfo(name="hydrolab_csv", title="Hydrolab (Hydrotech CSV)", suffixes=(".csv",), sniff=_sniff, read=read)
