"""The unit of an OPC UA variable, from its EngineeringUnits: by its text where we can read it, else by its code.

A unit's number is its UNECE common code (Recommendation 20), the characters as bytes, the first one highest (OPC UA
Part 8, 5.6.4.3): ``CEL`` is 0x43454C. The codes below are those of water; others are read by their text alone.
"""

from __future__ import annotations

from nilometer.errors import UnitError
from nilometer.units import canonical

__all__ = ["code_of", "unit_of"]

_UNECE = {
    "CEL": "degree_Celsius",
    "FAH": "degree_Fahrenheit",
    "KEL": "K",
    "MTR": "m",
    "CMT": "cm",
    "MMT": "mm",
    "MTS": "m s-1",
    "BAR": "bar",
    "MBR": "mbar",
    "PAL": "Pa",
    "KPA": "kPa",
    "A97": "hPa",
    "MTQ": "m3",
    "LTR": "L",
    "MQH": "m3 h-1",
    "MQS": "m3 s-1",
    "G51": "L s-1",
    "L2": "L min-1",
    "P1": "percent",
    "GL": "g L-1",
    "M1": "mg L-1",
    "G42": "uS cm-1",
    "H61": "mS cm-1",
    "D10": "S m-1",
    "4K": "mA",
    "2Z": "mV",
    "VLT": "V",
    "C62": "1",
}


def code_of(unit_id: int) -> str:
    """Return the UNECE code that a UnitId stands for, "" where it is none.

    Examples
    --------
    >>> code_of(4408652)
    'CEL'
    """
    if not 0 < unit_id < 1 << 31:
        return ""
    code = unit_id.to_bytes(4).lstrip(b"\0")
    return code.decode("ascii") if code.isalnum() else ""


def unit_of(text: str | None, unit_id: int | None) -> str | None:
    """Return the unit in CF text, None where neither the text nor the code is known.

    Examples
    --------
    >>> unit_of("°C", -1), unit_of("Grad", 4408652), unit_of("Grad", -1)
    ('degree_Celsius', 'degree_Celsius', None)
    """
    if text:
        try:
            return canonical(text)
        except UnitError:
            pass
    found = _UNECE.get(code_of(unit_id)) if unit_id is not None else None
    return None if found is None else canonical(found)
