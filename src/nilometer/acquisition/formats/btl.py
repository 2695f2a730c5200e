"""Sea-Bird bottle summaries (``.btl``): of each bottle the mean, the spread and the extremes at its closing.

::

        Bottle        Date      DepSM       PrDM …
      Position        Time
          1    Jun 27 2013     31.638     31.875 … (avg)
                  21:23:18      0.206      0.208 … (sdev)
                               31.320     31.555 … (min)

Columns after the date are 11 wide and may touch. The means are the values; standard deviations stand aside.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening, seabird
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

# Bottles may bear a serial number of their own.
_HEAD = re.compile(r"^\s*Bottle\s+(?:Bottle\s+)?Date\b", re.MULTILINE)
_MEAN = re.compile(r"^\s*(\d+)\s+(?:(\S+)\s+)?([A-Za-z]{3}\s+\d{1,2}\s+\d{4})(.*)\(avg\)\s*$")
_BESIDE = re.compile(r"(scan|times|latitude|longitude)( \(\d+\))?$", re.IGNORECASE)
_OTHER = re.compile(r"^\s*(\d{1,2}:\d{2}:\d{2})?(.*)\((sdev|min|max)\)\s*$")
# Units that the codes of Sea-Bird carry in themselves.
_UNITS = (
    (r"t\d?(90|68).*c|potemp.*c", "degC"),
    (r"c\ds/m", "S/m"),
    (r"c\dms/cm", "mS/cm"),
    (r"(c\d|specc)us/cm|specc", "uS/cm"),
    (r"times", "s"),
    (r"(flec|fleco|flsp|wetstar|wetcdom).*mg/m.?3", "mg/m^3"),
    (r"sigma.*|density.*", "kg/m^3"),
    (r"dz/dtm", "m/s"),
    (r"altm", "m"),
    (r"svcm", "m/s"),
    (r"(sbeox\d|v)v|v\d", "V"),
    (r"turb.*ntu\d?", "NTU"),
    (r"orp", "mV"),
    (r"latitude|longitude", "degrees"),
    (r"sal\d\d", "psu"),
    (r"pr(dm|sm|m)", "dbar"),
    (r"prd?e", "psi"),
    (r"dep(s|f)m", "m"),
    (r".*mm/kg", "umol/kg"),
    (r".*ml/l", "mL/L"),
    (r".*mg/l", "mg/L"),
    (r"sbeox\dps|cstartr.*|xmiss", "%"),
)


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a ``.btl`` file.

    Raises
    ------
    ReadError
        If there is no header of columns, or no bottle.
    """
    data, _ = opening.text_of(path)
    lines = data.decode("utf-8", "replace").split("\n")
    head = next((at for at, line in enumerate(lines) if _HEAD.match(line)), None)
    if head is None:
        raise ReadError("no line 'Bottle  Date …' heads a table", path=path, format=FORMAT.name)
    header = seabird.header_of(lines[:head])
    start = lines[head].index("Date") + 4
    codes = [lines[head][at : at + 11].strip() for at in range(start, len(lines[head].rstrip()), 11)]
    bottles = _bottles(lines[head + 1 :], len(codes))
    if not bottles or not codes:
        raise ReadError("there is no bottle under the header", path=path, line=head + 1, format=FORMAT.name)
    names = distinct(codes)
    units = [_unit(code) for code in codes]
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["bottle time", "bottle", "bottle serial number", *names, *(f"{name}_sdev" for name in names)],
        columns=[
            _stamps([bottle.when for bottle in bottles], "Z" if header.is_utc else ""),
            pa.array([bottle.number for bottle in bottles]),
            pa.array([bottle.serial for bottle in bottles]),
            *(pa.array([bottle.mean[at] for bottle in bottles]) for at in range(len(names))),
            *(pa.array([bottle.spread[at] for bottle in bottles]) for at in range(len(names))),
        ],
        unit_texts=["", "", "", *units, *units],
        unit_source="layout",
        metadata=header.metadata | {"stamps": "instant (the bottle's closing)", "start from": header.start_from},
        called={name: seabird.quantity_of(code) or "·" for name, code in zip(names, codes, strict=True)},
        beside=[
            "bottle",
            "bottle serial number",
            *(name for name in names if _BESIDE.match(name)),
            *(f"{name}_sdev" for name in names),
        ],
        statistics=dict.fromkeys(names, "mean"),
    )
    return recording_of(raw, wishes)


class _Bottle:
    def __init__(self, number: str, day: str, mean: list[str]) -> None:
        self.number, self.day, self.mean = int(number[:9]), day, mean
        self.time = self.serial = ""
        self.spread = [""] * len(mean)

    @property
    def when(self) -> str:
        return f"{self.day} {self.time}".strip()


def _bottles(lines: list[str], width: int) -> list[_Bottle]:
    bottles: list[_Bottle] = []
    for line in lines:
        mean = _MEAN.match(line)
        other = _OTHER.match(line)
        if mean:
            bottles.append(_Bottle(mean[1], mean[3], _cells(mean[4], width)))
            bottles[-1].serial = mean[2] or ""
        elif other and bottles:
            bottles[-1].time = bottles[-1].time or other[1] or ""
            if other[3] == "sdev":
                bottles[-1].spread = _cells(other[2], width)
    return bottles


def _cells(text: str, width: int) -> list[str]:
    words = text.split()
    if len(words) != width:
        words = [text[at : at + 11].strip() for at in range(0, len(text.rstrip()), 11)]
    return (words + [""] * width)[:width]


def _stamps(words: list[str], zone: str) -> pa.Array:
    names = "jan feb mar apr may jun jul aug sep oct nov dec"
    months = {name: at for at, name in enumerate(names.split(), start=1)}
    texts = []
    for word in words:
        month, day, year, *clock = word.split()
        number = months.get(month.casefold(), 0)
        texts.append(f"{year}-{number:02d}-{int(day):02d} {clock[0] if clock else '00:00:00'}{zone}")
    return pa.array(texts)


def _unit(code: str) -> str:
    folded = code.casefold()
    return next((unit for pattern, unit in _UNITS if re.fullmatch(pattern, folded)), "")


def _sniff(_path: Path, head: bytes) -> float:
    text = head.decode("latin-1")
    if not text.lstrip().startswith("*"):
        return 0.0
    if _HEAD.search(text):
        return 0.98
    return 0.55 if text.startswith("* Sea-Bird") and _path_is_btl(_path) else 0.0


def _path_is_btl(path: Path) -> bool:
    return opening.bare_suffix(path) in FORMAT.suffixes


FORMAT = FormatInfo(name="btl", title="Sea-Bird bottle summary", suffixes=(".btl", ".ros"), sniff=_sniff, read=read)
