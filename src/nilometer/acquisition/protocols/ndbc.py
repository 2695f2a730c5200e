"""Real-time files of NOAA's National Data Buoy Center (``data/realtime2/STATION.txt``, ``.ocean`` and their like).

::

    #YY  MM DD hh mm WDIR WSPD GST  WVHT   DPD   APD MWD   PRES  ATMP  WTMP  DEWP  VIS PTDY  TIDE
    #yr  mo dy hr mn degT m/s  m/s     m   sec   sec degT   hPa  degC  degC  degC  nmi  hPa    ft
    2014 09 11 16 50 120  5.0  6.0   0.6     6   4.2 134 1016.5  29.3  30.5  24.4   MM +0.3    MM

UTC, the newest row first, 45 days of them; MM is no value (https://www.ndbc.noaa.gov/measdes.shtml). Units are those
that the second line names, where it names one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.acquisition.protocols.telemetry import Said
from nilometer.acquisition.protocols.web_answer import DocumentDecoder, Page
from nilometer.errors import FrameError, UnitError
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, same_dimension

__all__ = ["DECODER", "PROPERTIES", "read"]

PROPERTIES: Mapping[str, str] = {
    "WDIR": "wind_direction", "WSPD": "wind_speed", "GST": "wind_gust", "WVHT": "significant_wave_height",
    "DPD": "wave_peak_period", "APD": "wave_mean_period", "MWD": "wave_direction", "PRES": "air_pressure_sea_level",
    "ATMP": "air_temperature", "WTMP": "water_temperature", "DEWP": "dew_point", "TIDE": "water_level",
    "OTMP": "water_temperature", "COND": "conductivity", "SAL": "salinity", "O2%": "oxygen_saturation",
    "O2PPM": "dissolved_oxygen", "CLCON": "chlorophyll_a", "PH": "ph", "EH": "orp",
}  # fmt: skip
# Units that the centre writes and nobody else: parts per million of dissolved oxygen are milligrams a litre there.
_UNITS = {"degT": "degree", "sec": "s", "nmi": "nautical_mile", "psu": "1", "ppm": "mg L-1", "mv": "mV", "-": "1"}
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")
_CLOCK = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
MOST_COLUMNS = 200


def read(body: bytes) -> Page:
    """Return what a file says, the oldest row first.

    An ``.ocean`` file has a row a depth: a value below the surface has its depth in its key (``OTMP.10m``).

    Raises
    ------
    FrameError
        If its first line does not name the columns of one, or it is no text.
    """
    strange = _NO_TEXT.search(body)
    if strange is not None:
        raise FrameError(f"byte {strange.start()}: {strange[0]!r} is no text", frame=body[:256], offset=strange.start())
    lines = body.decode("latin-1").splitlines()
    names = lines[0].lstrip("#").split() if lines else []
    if [name.upper() for name in names[:_CLOCK]] != ["YY", "MM", "DD", "HH", "MM"] or len(names) > MOST_COLUMNS:
        what = "a page for people" if body.lstrip()[:1] == b"<" else f"{lines[0][:60]!r}" if lines else "nothing"
        raise FrameError(f"header: {what} came in place of #YY MM DD hh mm …", frame=body[:256])
    page = Page()
    told = lines[1].lstrip("#").split() if len(lines) > 1 and lines[1].startswith("#") else []
    kinds = [_kind(name, told[at] if at < len(told) else "", page) for at, name in enumerate(names)]
    for line in reversed(lines[1:]):
        if line.strip() and not line.startswith("#"):
            _take(page, line, names, kinds)
    return page


def _kind(name: str, unit_text: str, page: Page) -> Said:
    observed = PROPERTIES.get(name.upper())
    unit: str | None = None
    if unit_text:
        try:
            unit = _UNITS[unit_text] if unit_text in _UNITS else canonical(unit_text)
        except UnitError:
            unit = None
    if observed is not None and (unit is None or not same_dimension(unit, vocabulary()[observed].unit)):
        page.complain(f"{name}: unit {unit_text!r} is none of a {observed}")
        observed = None
    return Said(name, math.nan, unit, observed)


def _take(page: Page, line: str, names: list[str], kinds: list[Said]) -> None:
    words = line.split()
    if len(words) != len(names):
        page.complain(f"{line[:60]!r} has {len(words)} cells, and the header {len(names)}")
        return
    try:
        year, month, day, hour, minute = (int(word) for word in words[:_CLOCK])
        time = (datetime(year, month, day, hour, minute, tzinfo=UTC) - _EPOCH) // _US
    except (ValueError, OverflowError):
        page.complain(f"{line[:20]!r} is no time")
        return
    depth = words[_CLOCK] if len(names) > _CLOCK and names[_CLOCK].upper() == "DEPTH" else ""
    for kind, word in zip(kinds[_CLOCK:], words[_CLOCK:], strict=True):
        if word == "MM" or kind.key.upper() == "DEPTH":
            continue
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            page.complain(f"{kind.key}: {word[:20]!r} is no number")
            continue
        key = f"{kind.key}.{depth}m" if depth not in {"", "MM"} else kind.key
        page.values.append(Said(key, number, kind.unit, kind.observed_property, time))


DECODER = DecoderInfo(name="ndbc", title="NOAA NDBC real-time files", make=lambda _: DocumentDecoder(read))
