"""What Sea-Bird files share: the header of ``*`` and ``#`` lines, what a column's code means, when the cast began."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Channel", "Header", "channel_of", "header_of", "quantity_of"]

# Codes of the Seasoft manual (SBE Data Processing, appendix on variable names), by their beginning in lower case.
_QUANTITIES = (
    (r"t[0-9v]*(90|68)([a-z]*c)?|tnc[\d]*c|tv290c|t\d{3}c", "water_temperature"),
    (r"c\d(m?s/c?m|us/cm)|c_s/m|cond\d?(m?s/c?m|us/cm)", "conductivity"),
    (r"sal\d\d", "salinity"),
    (r"pr(d?s?m|dm|sm|d?e)?", "water_pressure"),
    (r"dep(s|f)m?", "sensor_depth"),
    (r"(sbeox\d|oxy?|sbox\d|opox)(ps)", "oxygen_saturation"),
    # Oxygen in ml/l or umol/kg is another quantity than a mass in a volume: it takes a density or a molar volume.
    (r"(sbeox\d|oxy?|sbox\d|opox)(mg/l)", "dissolved_oxygen"),
    (r"ph", "ph"),
    (r"orp", "orp"),
    (r"sv(cm|d|w)", "sound_speed"),
    (r"specc", "conductivity_25"),
    (r"(turb|obs|upoly).*ntu.*", "turbidity_ntu"),
)
# Chlorophyll fluorometers whose output is scaled to a mass of pigment.
_CHLOROPHYLL = re.compile(r"^(flEC|flECO|wetStar|flSP|flC|chl)", re.IGNORECASE)
_UNITS = {"db": "dbar", "psu": "psu", "ml/l": "mL/L", "% saturation": "%", "s/m": "S/m", "seconds": "s"}
_STARTS = ("%b %d %Y %H:%M:%S", "%b %d %Y", "%d %b %Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_SENSOR = re.compile(
    r"<!--\s*(?:Frequency|A/D voltage|SPAR voltage|Count|RS-232)[^,>]{0,99},([^>]{0,199})-->.{0,2000}?"
    r"<SerialNumber>\s*([^<\s]*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One column: its code, what it is called in words, its unit as the header has it, the vocabulary key."""

    code: str
    title: str = ""
    unit: str = ""
    quantity: str | None = None


@dataclass(slots=True, kw_only=True)
class Header:
    """What the lines above ``*END*`` tell."""

    channels: list[Channel] = field(default_factory=list)
    start: np.datetime64 | None = None
    start_from: str = ""
    uploaded: np.datetime64 | None = None
    interval: tuple[str, float] | None = None
    bad_flag: str = ""
    is_binary: bool = False
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def is_utc(self) -> bool:
        """Whether the start is told by a clock that keeps UTC."""
        return "NMEA" in self.start_from or "UTC" in self.start_from


def header_of(lines: Sequence[str]) -> Header:
    """Return what the header tells.

    Parameters
    ----------
    lines : sequence of str
        Up to ``*END*``.
    """
    header, channels = Header(), dict[int, Channel]()
    for line in lines:
        name = re.match(r"#\s*name\s+(\d{1,4})\s*=\s*(.*)", line)
        pair = re.match(r"[*#]+\s*([^=:]{1,60}?)\s*[=:]\s*(.*)$", line.rstrip())
        model = re.match(r"\*\s*Sea-Bird\s+(.*?)\s+Data File", line)
        serial = re.search(r"SERIAL NO\.?\s*(\S+)", line)
        if name:
            channels[int(name[1])] = channel_of(name[2])
        elif model:
            header.metadata["model"] = f"Sea-Bird {model[1].replace(' ', '')}"
        elif serial:
            header.metadata["serial number"] = serial[1]
        elif pair:
            _take(header, line, pair[1].strip().casefold(), pair[2])
    if header.start is None and header.uploaded is not None:
        header.start, header.start_from = header.uploaded, "clock of the computer"
    header.channels = [channels[number] for number in sorted(channels)]
    sensors = [f"{title.strip()} {number}" for title, number in _SENSOR.findall("\n".join(lines)) if number]
    if sensors:
        header.metadata["sensor serial numbers"] = "; ".join(sensors)
    return header


def channel_of(text: str) -> Channel:
    """Return the channel that a ``# name`` line tells.

    Examples
    --------
    >>> channel_of("t090C: Temperature [ITS-90, deg C]")
    Channel(code='t090C', title='Temperature', unit='deg C', quantity='water_temperature')
    """
    code, _, rest = text[:500].partition(":")
    match = re.match(r"\s*([^\[]*?)\s*(?:\[([^\]]*)\].*)?$", rest)
    title, unit = (match[1], match[2] or "") if match else (rest.strip(), "")
    unit = unit.rpartition(",")[2].strip()
    unit = _UNITS.get(unit.casefold(), unit)
    return Channel(code=code.strip(), title=title, unit=unit, quantity=quantity_of(code.strip(), title, unit))


def quantity_of(code: str, title: str = "", unit: str = "") -> str | None:
    """Return the vocabulary key that a code of Sea-Bird stands for; None where it tells none.

    Examples
    --------
    >>> quantity_of("t190C"), quantity_of("prDM"), quantity_of("sbeox0PS"), quantity_of("v0")
    ('water_temperature', 'water_pressure', 'oxygen_saturation', None)
    """
    folded = code.casefold()
    for pattern, key in _QUANTITIES:
        if re.fullmatch(pattern, folded):
            return key
    is_pigment = _CHLOROPHYLL.match(code) and "CDOM" not in title
    return "chlorophyll_a" if is_pigment and unit in {"mg/m^3", "ug/l", "ug/L"} else None


def _take(header: Header, line: str, key: str, text: str) -> None:
    if key in {"start_time", "nmea utc (time)", "date"}:
        _take_start(header, key, text)
    elif key == "system upload time":
        header.uploaded = _moment(text)
    elif key == "bad_flag":
        header.bad_flag = text
    elif key == "file_type":
        header.is_binary = text == "binary"
    elif key == "interval":
        match = re.match(r"(\w+)\s*:\s*([\d.eE+-]+)", text)
        try:
            header.interval = (match[1], float(match[2])) if match else None
        except ValueError:
            header.interval = None
    elif key in {"station", "cruise", "ship", "nmea latitude", "nmea longitude"} and text:
        header.metadata.setdefault(key, text)
    elif re.fullmatch(r"(temperature|conductivity) sn", key):
        header.metadata[f"{key[:-3]} serial number"] = text


def _take_start(header: Header, key: str, text: str) -> None:
    if key == "start_time":
        stamp, _, source = text.partition("[")
        nmea = header.start if header.is_utc else None
        header.start, header.start_from = _moment(stamp), source.strip("] ") or "header"
        if nmea is not None and header.start == nmea and "NMEA" not in header.start_from:
            header.start_from = "header, the same as the NMEA time"
    elif header.start is None and key == "date":
        plain = text.strip().removesuffix("UTC")
        header.start, header.start_from = _moment(plain), "header" if plain == text.strip() else "UTC, header"
    elif header.start is None:
        header.start, header.start_from = _moment(text), "NMEA time, header"


def _moment(text: str) -> np.datetime64 | None:
    plain = " ".join(text.split())
    # Programs of the nineties counted years from 1900: May 10 107 is in 2007.
    plain = re.sub(r"^(\w{3} \d{1,2}) 1(\d{2}) ", lambda m: f"{m[1]} {2000 + int(m[2])} ", plain)
    for pattern in _STARTS:
        try:
            moment = dt.datetime.strptime(plain, pattern)  # noqa: DTZ007 -- its zone is told beside it
        except ValueError:
            continue
        return np.datetime64(moment, "us")
    return None
