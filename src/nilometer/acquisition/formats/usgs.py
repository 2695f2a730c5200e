"""What USGS codes stand for: parameters, statistics and time zones, as NWIS writes them.

Parameter codes are five digits (https://help.waterdata.usgs.gov/codes-and-parameters/parameters); only those of water
and weather whose quantity the vocabulary has stand here, with the unit that the code implies. Others keep their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["DAILY", "PARAMETERS", "STATISTICS", "ZONES", "Parameter", "stamps"]


class Parameter(NamedTuple):
    """A vocabulary key and a unit."""

    quantity: str
    unit: str


PARAMETERS = {
    "00010": Parameter("water_temperature", "degree_Celsius"),
    "00020": Parameter("air_temperature", "degree_Celsius"),
    "00025": Parameter("air_pressure", "mmHg"),
    "00035": Parameter("wind_speed", "mi h-1"),
    "00036": Parameter("wind_direction", "degree"),
    "00045": Parameter("rainfall", "in"),
    "00052": Parameter("relative_humidity", "%"),
    "00060": Parameter("discharge", "ft3 s-1"),
    "00065": Parameter("water_level", "ft"),
    "00095": Parameter("conductivity_25", "uS cm-1"),
    "00300": Parameter("dissolved_oxygen", "mg L-1"),
    "00301": Parameter("oxygen_saturation", "%"),
    "00400": Parameter("ph", "1"),
    "00480": Parameter("salinity", "1"),
    "32318": Parameter("chlorophyll_a", "ug L-1"),
    "63680": Parameter("turbidity_fnu", "FNU"),
    "90860": Parameter("salinity", "1"),
    "99133": Parameter("nitrate_n", "mg L-1"),
}
STATISTICS = {
    "00001": "maximum",
    "00002": "minimum",
    "00003": "mean",
    "00006": "sum",
    "00008": "median",
    "00011": "point",
}
# Values of these are of a whole day by the station's clock, stamped with its date.
DAILY = frozenset({"maximum", "minimum", "mean", "sum", "median"})
ZONES = {
    "UTC": "+00:00", "GMT": "+00:00", "AST": "-04:00", "ADT": "-03:00", "EST": "-05:00", "EDT": "-04:00",
    "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00",
    "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00", "HDT": "-09:00", "GST": "+10:00", "SST": "-11:00",
}  # fmt: skip


def stamps(statistics: Sequence[str]) -> str:
    """Return what the stamps of columns of these statistics stand for.

    Examples
    --------
    >>> stamps(["mean", "maximum"]), stamps(["point"]), stamps([])
    ('start of the day (maximum, mean)', 'instant', 'instant (not told by the file)')
    """
    days = sorted(DAILY & set(statistics))
    if days:
        return f"start of the day ({', '.join(days)})" + ("; instant (point)" if "point" in statistics else "")
    return "instant" if "point" in statistics else "instant (not told by the file)"
