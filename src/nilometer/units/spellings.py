"""The units there are, and every spelling of them that the field uses."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ATOMS", "NOTES", "OWN_DIMENSIONS", "PREFIXES", "REFUSED", "SPELLINGS", "WHOLE", "Atom"]


class Atom(NamedTuple):
    """One unit: its pint name, its UCUM and display spelling, the prefixes it takes, other spellings."""

    pint: str
    ucum: str
    symbol: str
    prefixes: str = ""
    spellings: str = ""


PREFIXES = {
    "G": "giga", "M": "mega", "k": "kilo", "h": "hecto", "d": "deci", "c": "centi", "m": "milli", "u": "micro",
    "n": "nano", "p": "pico",
}  # fmt: skip

# g takes no M: "Mg/L" in a file header is a slip for mg/L, never a tonne.
ATOMS: dict[str, Atom] = {
    "m": Atom("meter", "m", "m", "kcdmun", "meter meters metre metres"),
    "g": Atom("gram", "g", "g", "kcdmunp", "gram grams"),
    "s": Atom("second", "s", "s", "mun", "sec secs second seconds"),
    "min": Atom("minute", "min", "min", "", "minute minutes"),
    "h": Atom("hour", "h", "h", "", "hr hrs hour hours"),
    "day": Atom("day", "d", "d", "", "d days"),
    "K": Atom("kelvin", "K", "K", "m", "kelvin"),
    "degree_Celsius": Atom(
        "degree_Celsius", "Cel", "°C", "", "C Cel degC °C deg_C degree_C degrees_C degreeC degreesC celsius Celsius "
        "degrees_Celsius degrees_celsius degree_celsius oC ºC"
    ),
    "degree_Fahrenheit": Atom(
        "degree_Fahrenheit", "[degF]", "°F", "", "F degF °F deg_F fahrenheit degree_F degrees_F degree_fahrenheit ºF"
    ),
    "L": Atom("liter", "L", "L", "kdcmu", "l liter liters litre litres ltr"),
    "gallon": Atom("US_liquid_gallon", "[gal_us]", "gal", "", "gal gallons US_liquid_gallon"),
    "ha": Atom("hectare", "har", "ha", "", "hectare"),
    "ft": Atom("foot", "[ft_i]", "ft", "", "foot feet"),
    "in": Atom("inch", "[in_i]", "in", "", "inch inches"),
    "mi": Atom("mile", "[mi_i]", "mi", "", "mile miles"),
    "fathom": Atom("fathom", "[fth_us]", "fathom", "", "fathoms"),
    "nautical_mile": Atom("nautical_mile", "[nmi_i]", "nmi", "", "nmi NM"),
    "knot": Atom("knot", "[kn_i]", "kn", "", "kn kt kts knots"),
    "Pa": Atom("pascal", "Pa", "Pa", "Mkhd", "pascal pascals"),
    "bar": Atom("bar", "bar", "bar", "dm", ""),
    "atm": Atom("atmosphere", "atm", "atm", "mu", "atmosphere Atm"),
    "psi": Atom("pound_force_per_square_inch", "[psi]", "psi", "", "PSI psia"),
    "inHg": Atom("inch_Hg", "[in_i'Hg]", "inHg", "", "in_Hg inch_Hg"),
    "mmHg": Atom("millimeter_Hg", "mm[Hg]", "mmHg", "", "mm_Hg torr Torr"),
    "cmH2O": Atom("centimeter_H2O", "cm[H2O]", "cmH2O", "", "cm_H2O"),
    "S": Atom("siemens", "S", "S", "mun", "siemens"),
    "V": Atom("volt", "V", "V", "kmu", "volt volts"),
    "A": Atom("ampere", "A", "A", "mu", "amp amps ampere"),
    "ohm": Atom("ohm", "Ohm", "Ω", "kM", "ohms Ohm Ω"),
    "W": Atom("watt", "W", "W", "kMmu", "watt watts"),
    "J": Atom("joule", "J", "J", "kM", "joule"),
    "Hz": Atom("hertz", "Hz", "Hz", "kM", "hertz"),
    "mol": Atom("mole", "mol", "mol", "mun", "mole moles"),
    "Bq": Atom("becquerel", "Bq", "Bq", "km", "becquerel"),
    "degree": Atom("degree", "deg", "°", "", "deg degrees ° degT degM degrees_true degree_true º"),
    "degree_north": Atom("degree", "deg{north}", "°N", "", "degrees_north degree_N degrees_N °N"),
    "degree_east": Atom("degree", "deg{east}", "°E", "", "degrees_east degree_E degrees_E °E"),
    "rad": Atom("radian", "rad", "rad", "mu", "radian radians"),
    "%": Atom("percent", "%", "%", "", "percent pct"),
    "count": Atom("count", "{count}", "counts", "", "counts # ct {counts} 个"),
    "MPN": Atom("count", "{MPN}", "MPN", "", "mpn"),
    "CFU": Atom("count", "[CFU]", "CFU", "", "cfu"),
    "cell": Atom("count", "{cells}", "cells", "", "cells {cell}"),
    "NTU": Atom("NTU", "{NTU}", "NTU", "", "ntu NTUs NTU+"),
    "FNU": Atom("FNU", "{FNU}", "FNU", "", "fnu FNUs"),
    "FTU": Atom("FTU", "{FTU}", "FTU", "", "ftu"),
    "FBU": Atom("FBU", "{FBU}", "FBU", "", "fbu"),
    "FAU": Atom("FAU", "{FAU}", "FAU", "", "fau"),
    "RFU": Atom("RFU", "{RFU}", "RFU", "", "rfu"),
    "QSU": Atom("QSU", "{QSU}", "QSU", "", "qsu"),
    "PCU": Atom("PCU", "{PCU}", "PCU", "", "pcu Pt-Co PtCo Hazen 度"),
}  # fmt: skip
OWN_DIMENSIONS = ("NTU", "FNU", "FTU", "FBU", "FAU", "RFU", "QSU", "PCU")
SPELLINGS = {word: name for name, atom in ATOMS.items() for word in (name, atom.ucum, *atom.spellings.split())}

# Whole texts that the grammar does not cover, case-folded.
WHOLE = {
    "": "1", "-": "1", "none": "1", "unitless": "1", "dimensionless": "1", "[ph]": "1", "ph": "1", "ph unit": "1",
    "ph units": "1", "ph_units": "1", "std units": "1", "standard units": "1", "std. units": "1", "无量纲": "1",
    "psu": "1", "pss": "1", "pss-78": "1", "{psu}": "1", "practical_salinity_unit": "1",
    "deg c": "degree_Celsius", "degrees c": "degree_Celsius", "degrees celsius": "degree_Celsius",
    "degree celsius": "degree_Celsius", "° c": "degree_Celsius", "° f": "degree_Fahrenheit", "摄氏度": "degree_Celsius",
    "deg f": "degree_Fahrenheit", "degrees f": "degree_Fahrenheit", "degrees fahrenheit": "degree_Fahrenheit",
    "cfs": "ft3 s-1", "cms": "m3 s-1", "cumecs": "m3 s-1", "mgd": "1e6 gallon day-1", "gpm": "gallon min-1",
    "mph": "mi h-1", "% sat": "%", "%sat": "%", "% saturation": "%", "% air": "%", "rh%": "%", "%rh": "%",
    "毫克/升": "mg L-1", "微克/升": "ug L-1", "微西门子/厘米": "uS cm-1", "立方米/秒": "m3 s-1", "升/秒": "L s-1",
    "ppmv": "1e-6", "ppbv": "1e-9",
    "nautical mile": "nautical_mile", "nautical miles": "nautical_mile", "in hg": "inHg", "in. hg": "inHg",
    "mm hg": "mmHg", "degrees true": "degree", "deg true": "degree", "degrees magnetic": "degree", "米": "m",
}  # fmt: skip
_PSU = "practical salinity (PSS-78) is a ratio of conductivities: its unit is 1, and psu is a habit"
_PH = "pH is the negative logarithm of an activity: its unit is 1"
NOTES = {"psu": _PSU, "pss": _PSU, "pss-78": _PSU, "{psu}": _PSU, "[ph]": _PH, "ph": _PH, "ph units": _PH}
REFUSED = {
    "unknown": "it was not understood when its Datastream was made; give the Datastream a unit that is",
    "ppm": "parts per million does not say of what: write mg L-1 for a mass in water, 1e-6 for a ratio",
    "ppb": "parts per billion does not say of what: write ug L-1 for a mass in water, 1e-9 for a ratio",
    "parts per million": "it does not say of what: write mg L-1 for a mass in water, 1e-6 for a ratio",
    "parts per billion": "it does not say of what: write ug L-1 for a mass in water, 1e-9 for a ratio",
    "ppt": "ppt is a thousandth or a trillionth: write 1 for practical salinity, g kg-1 or 1e-3 for a mass ratio, "
    "ng L-1 for a trace",
    "‰": "write 1 for practical salinity, g kg-1 or 1e-3 for a mass ratio",
    "pss/1000": "write 1 for practical salinity",
    "psig": "a gauge pressure needs the air pressure beside it: write psi and name the property, or give dbar",
}
