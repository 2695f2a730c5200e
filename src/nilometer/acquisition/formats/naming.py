"""What a column is, from its name: a value with a property and a unit, or something that speaks of another column.

The names that files give to properties stand in the vocabulary (``columns``); file layouts whose units are not in the
file stand in ``layouts.toml``. A unit that nothing tells is the vocabulary's, and is said to be assumed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources

from nilometer.errors import UnitError
from nilometer.model.properties import VocabularyTerm, vocabulary
from nilometer.units import canonical, same_dimension, too_little

__all__ = ["Layout", "Meaning", "aside_of", "distinct", "is_position", "layout_of", "meaning", "split_name"]

# A column of qualifiers, corrections or copies bears the name of another with one of these words before or after it.
_BEFORE = frozenset(
    {"f", "flag", "flags", "label", "type", "qc", "qa", "qf", "raw", "discrete", "comment", "error"}
)  # fmt: skip
_AFTER = frozenset(
    {"qual", "qualifier", "qualifiers", "quality", "qc", "qa", "qf", "flag", "flags", "cd", "code", "status", "mark"}
    | {"cor", "corr", "corrected", "adj", "adjusted", "clean", "sigma", "sd", "std", "stdev", "error", "unc"}
    | {"uncertainty", "censored", "sample", "anomaly", "label", "comment"}
)
_POSITIONS = frozenset({"latitude", "longitude"})
# What loggers append to the name of a quantity.
_TAILS = re.compile(r"\s+(raw|avg|average|mean|value|val|median|inst|obs|observed|sensor|probe|\d{1,2})$")
# A last word that is a unit whatever stands before it.
_PLAIN_UNIT = re.compile(r"/|°|%|^(RFU|NTU|FNU|QSU|psu|PSU|mV|dbar|hPa|kPa|psi|psi a|volt|volts)$")
# Longer than any name of a quantity with its unit and serial numbers.
_LONGEST = 300
_SERIAL = re.compile(r"\s*\((?:LGR|SEN)[^)]*\)\s*$|\s*\(S/N[^)]*\)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """A known layout of columns: units, properties and columns that are no values, by lower-case name; its times."""

    name: str
    title: str
    needs: frozenset[str]
    unit: Mapping[str, str] = field(default_factory=dict)
    property: Mapping[str, str] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    stamps: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column's name tells."""

    name: str
    unit: str
    unit_from: str
    observed_property: str | None
    note: str = ""


@cache
def _layouts() -> tuple[Layout, ...]:
    file = resources.files("nilometer.acquisition.formats") / "layouts.toml"
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    return tuple(
        Layout(
            name,
            entry["title"],
            frozenset(entry["needs"]),
            entry.get("unit", {}),
            entry.get("property", {}),
            frozenset(entry.get("ignore", ())),
            entry.get("stamps", ""),
            entry.get("note", ""),
        )
        for name, entry in content["layout"].items()
    )


def layout_of(names: Sequence[str]) -> Layout | None:
    """Return the known layout whose columns a header has, or None."""
    seen = {name.casefold() for name in names}
    return next((layout for layout in _layouts() if layout.needs <= seen), None)


def aside_of(names: Sequence[str]) -> dict[str, str]:
    """Return the columns that speak of another column, with that column.

    Examples
    --------
    >>> aside_of(["temp", "temp_qual", "f_temp", "Flag.Gross.Temp", "RAW.temp", "depth"])
    {'temp_qual': 'temp', 'f_temp': 'temp', 'Flag.Gross.Temp': 'temp', 'RAW.temp': 'temp'}
    >>> aside_of(["temp", "f_temp", "f_temp_qartod", "temp_qartod_spike_test"])
    {'f_temp': 'temp', 'f_temp_qartod': 'temp', 'temp_qartod_spike_test': 'temp'}
    """
    plain = {name: _plain(split_name(name)[0]) for name in names}
    owners: dict[str, str] = {}
    for name, words in plain.items():
        owners.setdefault(words, name)
    for name in names:
        owners.setdefault(_plain(name), name)
    found = {}
    for name, words in plain.items():
        # "raw temp" beside "temp" is a copy; alone it is the value.
        parts = words.split()
        for cut in range(1, len(parts) if len(name) <= _LONGEST else 0):
            first, last = " ".join(parts[:cut]), " ".join(parts[cut:])
            if parts[0] in _BEFORE and last in owners and owners[last] != name:
                found[name] = owners[last]
                break
            if last in _AFTER and first in owners and owners[first] != name:
                found[name] = owners[first]
                break
    # Flags as we and ioos_qc name them: "ph_qartod_spike_test", "F_Temp_qartod".
    for name in names:
        head, is_flag, _ = name.partition("_qartod")
        if is_flag and head in plain:
            found[name] = found.get(head, head)
    return found


def distinct(names: Sequence[str]) -> list[str]:
    """Return names with a number behind each that was there before.

    Examples
    --------
    >>> distinct(["scan", "t", "scan", "scan"])
    ['scan', 't', 'scan (2)', 'scan (3)']
    """
    taken: set[str] = set()
    counts: dict[str, int] = {}
    result = []
    for name in names:
        free = name
        while free in taken:
            counts[name] = counts.get(name, 1) + 1
            free = f"{name} ({counts[name]})"
        taken.add(free)
        result.append(free)
    return result


def is_position(key: str | None) -> bool:
    """Say whether a property places a value instead of being one."""
    return key in _POSITIONS


def split_name(name: str) -> tuple[str, str | None]:
    """Part a column's name and the unit text that stands in it; None where there is none.

    Examples
    --------
    >>> split_name("temp1 [degC]"), split_name("Water Temp, °C (LGR S/N: 10246242)"), split_name("ODO % sat")
    (('temp1', 'degC'), ('Water Temp', '°C'), ('ODO', '% sat'))
    """
    text = " ".join(name.split())
    if len(text) > _LONGEST:
        return text, None
    again = re.fullmatch(r"(.+[\])]) (\(\d{1,3}\))", text)
    if again:
        # The second column of a name: its unit stands before its number.
        short, unit = split_name(again[1])
        return (f"{short} {again[2]}", unit) if unit is not None else (text, None)
    text = _SERIAL.sub("", text)
    match = re.fullmatch(r"(.+?)\s*[\[(]([^\])]*)[\])]", text)
    if match and (not match[2].strip() or _unit(match[2]) is not None or _in_water(*match.groups())):
        return match[1], match[2].strip()
    match = re.fullmatch(r"(.+),\s*([^,]+)", text)
    if match and _unit(match[2]) is not None:
        return match[1], match[2]
    words = re.split(r"[ _.]+", text)
    for count in (2, 1):
        tail = text[len(text) - _tail_length(text, count) :] if len(words) > count else ""
        unit = _unit(tail) if tail else None
        if unit is None:
            continue
        before = text[: len(text) - len(tail)].rstrip(" _.")
        # A single word may be a name: "do sat" has no unit, "Temp C" has one. Where the word does not, the property
        # decides.
        if _PLAIN_UNIT.search(tail) or (unit != "1" and _fits(before, unit)):
            return before, tail
    return text, None


def meaning(name: str, unit_text: str | None = None, layout: Layout | None = None) -> Meaning:
    """Return what a column is.

    Parameters
    ----------
    name : str
        As the header has it.
    unit_text : str, optional
        From a row of units below the header, or from the file's own metadata.
    layout : Layout, optional
        The layout the file is of.

    Returns
    -------
    Meaning
        Unit in CF text; property None where the name tells none.
    """
    short, in_name = split_name(name)
    folded = name.strip().casefold()
    known = layout is not None and folded in layout.unit
    note, unit, unit_from = "", None, "assumed"
    if known and layout is not None:
        short, unit, unit_from = name.strip(), layout.unit[folded], "layout"
    else:
        bracketed = _bracketed(name.strip())
        said = in_name if in_name is not None or bracketed is None or not too_little(bracketed) else bracketed
        unit, unit_from, note = _stated(short, (("units row", unit_text), ("name", said)))
    item = _term(re.sub(r" \(\d+\)$", "", short)) or _term(name)
    if layout is not None and folded in layout.property:
        item = vocabulary()[layout.property[folded]]
    elif item is not None and unit is not None:
        item, unit = _reconciled(item, unit)
    elif note or (item is not None and len(_plain(short)) == 1):
        item = None  # another unit is another quantity, and a letter alone tells nothing
    if item is None and unit is not None:
        item = _by_unit((unit_text or in_name or "").strip(), unit, _plain(short))
    if unit is None:
        unit, unit_from = (item.unit if item is not None else "1"), "assumed"
        note = note or _assumed(short, unit, item)
    return Meaning(short, unit, unit_from, None if item is None else item.key, note)


def _stated(short: str, told: Sequence[tuple[str, str | None]]) -> tuple[str | None, str, str]:
    """Return the unit that is stated first, where it stands, and a note on one that cannot be taken as it is."""
    for source, text in told:
        if text is None or not text.strip() or text.strip().casefold() in _NO_UNIT:
            continue
        unit = _unit(text)
        if unit is not None:
            return unit, source, ""
        if _in_water(short, text):
            unit = _IN_WATER[text.strip().casefold()]
            return unit, source, f"{text.strip()!r} of {short!r} is taken for {unit}: so much of it in water"
        lacks = too_little(text)
        why = f"says too little ({lacks})" if lacks else "is not known"
        return None, source, f"unit {text!r} of {short!r} {why}: it is taken for no property, in 1"
    return None, "assumed", ""


def _in_water(name: str, unit: str) -> bool:
    """Return whether parts of a known substance in water are meant: of others "O3 (ppb)" stays a name."""
    item = _term(re.sub(r" \(\d+\)$", "", name)) if unit.strip().casefold() in _IN_WATER else None
    return item is not None and same_dimension(item.unit, "mg L-1")


# A litre of water is a kilogram, but for what is dissolved in it.
_IN_WATER = {"ppm": "mg L-1", "parts per million": "mg L-1", "ppb": "ug L-1", "parts per billion": "ug L-1"}


def _assumed(name: str, unit: str, item: VocabularyTerm | None) -> str:
    if unit == "1" and item is not None and item.key != "salinity":
        return ""  # pH is in 1 everywhere
    return f"no unit is given for {name!r}: {unit} is assumed"


def _plain(text: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    return " ".join(re.sub(r"[\s._/:,#-]+", " ", spaced).casefold().split())


@cache
def _names() -> Mapping[str, VocabularyTerm]:
    names: dict[str, VocabularyTerm] = {}
    for item in vocabulary().values():
        for word in (*item.columns, item.key, item.cf_name or item.key, item.name_en, item.name_zh):
            names.setdefault(_plain(word), item)
            names.setdefault(word.casefold(), item)
    return names


def _term(name: str) -> VocabularyTerm | None:
    if len(name) > _LONGEST:
        return None
    names = _names()
    spellings = [name.strip().casefold(), _plain(name), re.sub(r"[\s._-]+", " ", name.casefold()).strip()]
    for spelling in spellings:
        text = spelling
        while text:
            for tried in (text, text.replace(" ", ""), re.sub(r"\d{1,2}$", "", text).strip()):
                if tried in names:
                    return names[tried]
            shorter = _TAILS.sub("", text)
            if shorter == text:
                break
            text = shorter
    return None


def _reconciled(item: VocabularyTerm, unit: str) -> tuple[VocabularyTerm | None, str]:
    """Let the unit decide between namesakes: DO in % is a saturation, turbidity in FNU another turbidity."""
    if unit in {"1e-3", "g kg-1"} and item.key == "salinity":
        return item, "1"
    if unit == "dbar" and item.key == "air_pressure":
        return vocabulary()["water_pressure"], unit  # nobody tells the air's pressure in decibars
    if unit == "mL L-1":
        return None, unit  # a volume of gas in water is neither a mass in it nor a saturation
    if same_dimension(unit, item.unit):
        return item, unit
    for key in item.not_the_same_as if item.key != "salinity" else ():
        other = vocabulary()[key]
        if same_dimension(unit, other.unit):
            return other, unit
    return None, unit


def _by_unit(text: str, unit: str, name: str) -> VocabularyTerm | None:
    """Return the property that a unit tells: what is in psu is a salinity, a pressure in dbar one of water."""
    if unit == "dbar" and name in {"pressure", "sea pressure", "sea water pressure"}:
        return vocabulary()["water_pressure"]
    key = "salinity" if text.casefold() == "psu" else {"NTU": "turbidity_ntu", "FNU": "turbidity_fnu"}.get(unit)
    return None if key is None else vocabulary()[key]


def _fits(name: str, unit: str) -> bool:
    item = _term(name)
    return item is not None and _reconciled(item, unit)[0] is not None


def _bracketed(name: str) -> str | None:
    """Return what stands in the bracket that a name ends with, from where the first of several open; None: in none.

    A regular expression would begin anew at each of a line of brackets that do not close.
    """
    if name[-1:] not in {")", "]"}:
        return None
    begin = max(name.rfind(")", 0, -1), name.rfind("]", 0, -1)) + 1
    opening = [at for at in (name.find("(", begin), name.find("[", begin)) if at >= 0]
    return name[min(opening) + 1 : -1] if opening else None


def _tail_length(text: str, count: int) -> int:
    match = re.search(rf"(?:[ _.]+[^ _.]+){{{count}}}$", text)
    return len(match[0].lstrip(" _.")) if match else 0


_UNIT_WORDS = {
    "cubic feet per second": "ft3 s-1", "cubic meters per second": "m3 s-1", "cubic metres per second": "m3 s-1",
    "ppt": "1e-3", "‰": "1e-3", "psi a": "psi", "volt": "V", "volts": "V", "millivolts": "mV", "decibar": "dbar",
    "inches hg": "inHg", "sec": "s", "deg": "degree", "metres": "m", "mgl": "mg L-1", "ugl": "ug L-1", "mg l": "mg L-1",
    "psig": "psi",
"uscm": "uS cm-1", "ms cm": "mS cm-1", "%rel": "%", "pct": "%", "% local": "%", "ss": "1",
    # Nobody measures microseconds per centimetre.
    "us/cm": "uS cm-1", "ms/cm": "mS cm-1", "us cm-1": "uS cm-1", "ms cm-1": "mS cm-1", "us cm": "uS cm-1",
    "decibars": "dbar", "dbars": "dbar", "0.001": "1e-3",
    "ueinsteins/s/m**2": "umol m-2 s-1", "umol photons/m2/s": "umol m-2 s-1", "umol photons/m^2/sec": "umol m-2 s-1",
    "umol photons m-2 s-1": "umol m-2 s-1", "mhos/m": "S m-1", "umho/cm": "uS cm-1",
    "umhos/cm": "uS cm-1", "mmho/cm": "mS cm-1", "mmhos/cm": "mS cm-1",
}  # fmt: skip

_NO_UNIT = frozenset({"(none)", "none", "n/a", "-", "--", "无", "/"})
# By their case: µm is a length.
_MOLAR = {"nM": "nmol L-1", "uM": "umol L-1", "µM": "umol L-1", "μM": "umol L-1", "mM": "mmol L-1"}


@lru_cache(maxsize=4096)
def _unit(text: str) -> str | None:
    plain = text.strip()
    if re.fullmatch(r"[\d\s.+-]*", plain) and plain not in {"1", "0.001"}:
        return None  # "(2)" counts columns
    # "ft above NAVD 88": the datum is no part of the unit.
    plain = re.sub(r"(?i)^(ft|feet|m|meters?|metres?|cm) (above|below) .*$", r"\1", plain)
    if plain in _MOLAR:
        return _MOLAR[plain]
    if plain.casefold() in _UNIT_WORDS:
        return _UNIT_WORDS[plain.casefold()]
    try:
        return canonical(plain)
    except UnitError:
        return None
