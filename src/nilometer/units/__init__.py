"""The one unit registry: any spelling of the field in, CF text inside, UCUM and display symbols out.

Inside nilometer a unit is CF/UDUNITS text such as ``mg L-1``. Conversion rests on one pint registry of decimal numbers,
made on first use, so that factors are correctly rounded. NTU, FNU, RFU, QSU and PCU are dimensions of their own:
no factor leads from one to another. A unit never says what was measured (mg/L of N or of NO3): that is
`nilometer.model.properties`.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.errors import UnitError, near
from nilometer.units.spellings import ATOMS, NOTES, OWN_DIMENSIONS, PREFIXES, REFUSED, SPELLINGS, WHOLE

__all__ = [
    "UNKNOWN",
    "affine",
    "canonical",
    "convert",
    "note",
    "pint_text",
    "registry",
    "same_dimension",
    "symbol",
    "too_little",
    "ucum",
]


UNKNOWN = "unknown"
"""The unit of a Datastream whose unit was not understood: everything that has to know one refuses it."""

_LONGEST = 200
_TOKEN = re.compile(
    r"(?P<number>10[\^*]-?\d+|\d+\.?\d*(?:[eE][+-]?\d+)?)"
    r"|(?P<name>(?:[^\W\d]|[%°#Ω'+]|\[[^\]]*\]|\{[^}]*\}|(?<=H)2(?=O))+)(?P<exponent>(?:\^|\*\*)?[+-]?\d+)?"
    r"|(?P<operator>\s*/\s*|\s+per\s+|\s*\*\s*|\s*·\s*|\.|\s+)"
)
# What would be read as another unit: m0.5 as m⁰ times 5, m-1/3 as m⁻¹ over 3.
_BROKEN_POWER = re.compile(r"[^\W\d_](?:\^|\*\*)?(?:[+-]?\d*\.\d|[+-]\d+/\d)")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Factors = tuple[tuple[str, int], ...]
Parsed = tuple[Decimal, Factors]


def canonical(text: str) -> str:
    """Return a unit as CF text, from any spelling of the field.

    Parameters
    ----------
    text : str
        CF, UDUNITS, UCUM, or a spelling of the field: ``mg/l``, ``°C``, ``Cel``, ``{NTU}``, ``µS/cm``, ``cfs``.

    Returns
    -------
    str
        Such as ``degree_Celsius``, ``mg L-1``, ``uS cm-1``, ``1``. Units without dimension, pH and psu are ``1``.

    Raises
    ------
    UnitError
        If the unit is unknown (the message has the near names) or says too little (``ppm``).

    Examples
    --------
    >>> canonical("µS/cm"), canonical("Cel"), canonical("MPN/100mL"), canonical("psu")
    ('uS cm-1', 'degree_Celsius', 'MPN dL-1', '1')
    """
    return _canonical(text)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    return _text(_parse(text))


@lru_cache(maxsize=4096)
def affine(source: str, target: str) -> tuple[float, float]:
    """Return scale and offset that lead from one unit to another: ``target = source × scale + offset``.

    Parameters
    ----------
    source, target : str
        Units in any spelling.

    Returns
    -------
    tuple of float
        Scale and offset, each correctly rounded.

    Raises
    ------
    UnitError
        If a unit is unknown, or the two are not of one dimension.

    Examples
    --------
    >>> affine("mS/cm", "uS cm-1"), affine("degF", "K")
    ((1000.0, 0.0), (0.5555555555555556, 255.37222222222223))
    """
    here, there = _parse(source), _parse(target)
    if here == there:
        return 1.0, 0.0
    if not same_dimension(source, target):
        raise UnitError(_refusal(source, target))
    units = registry()
    scale = units.Quantity(here[0], _pint(here[1], delta=True)).to(_pint(there[1], delta=True)).magnitude / there[0]
    offset = Decimal(0)
    if _is_temperature(here) and _is_temperature(there):
        offset = units.Quantity(Decimal(0), _pint(here[1])).to(_pint(there[1])).magnitude / there[0]
    return float(scale), float(offset) + 0.0


def convert(values: ArrayLike, source: str, target: str) -> NDArray[np.float64]:
    """Return values in another unit.

    Parameters
    ----------
    values : array_like, any shape
        Values in `source`; NaN stays NaN.
    source, target : str
        Units in any spelling.

    Returns
    -------
    ndarray of float64
        A new array of the same shape.

    Raises
    ------
    UnitError
        If a unit is unknown, or the two are not of one dimension.

    Examples
    --------
    >>> convert([0.0, 100.0], "degC", "degF").tolist()
    [32.0, 212.0]
    """
    scale, offset = affine(source, target)
    numbers: NDArray[np.float64] = np.array(values, np.float64)
    if scale != 1.0:
        # Dividing by a whole number is exact where multiplying by its rounded inverse is not.
        inverse = affine(target, source)[0]
        numbers = numbers / inverse if inverse.is_integer() and offset == 0.0 else numbers * scale
    if offset != 0.0:
        numbers += offset
    return numbers


def same_dimension(a: str, b: str) -> bool:
    """Say whether one unit can be converted to the other.

    Raises
    ------
    UnitError
        If a unit is unknown.

    Examples
    --------
    >>> same_dimension("ft", "m"), same_dimension("NTU", "FNU")
    (True, False)
    """
    units = registry()
    here, there = (units.get_dimensionality(_pint(_parse(unit)[1], delta=True)) for unit in (a, b))
    return bool(here == there)


def ucum(unit: str) -> str:
    """Return a unit in UCUM, case sensitive.

    Raises
    ------
    UnitError
        If the unit is unknown.

    Examples
    --------
    >>> ucum("degree_Celsius"), ucum("m3 s-1"), ucum("NTU"), ucum("1")
    ('Cel', 'm3/s', '{NTU}', '1')
    """
    coefficient, factors = _parse(unit)
    over = ".".join(_spelled(name, "ucum") + _power(abs(power)) for name, power in factors if power > 0)
    under = "".join("/" + _spelled(name, "ucum") + _power(abs(power)) for name, power in factors if power < 0)
    if coefficient == 1:
        return (over or "1") + under
    ten = coefficient.normalize().as_tuple()
    if ten.digits == (1,):
        return f"10*{ten.exponent}" + (f".{over}" if over else "") + under
    return format(coefficient.normalize(), "f") + (f".{over}" if over else "") + under


def symbol(unit: str) -> str:
    """Return a unit as people read it on a screen; empty for ``1``.

    Raises
    ------
    UnitError
        If the unit is unknown.

    Examples
    --------
    >>> symbol("degree_Celsius"), symbol("mg L-1"), symbol("m3 s-1"), symbol("umol m-2 s-1")
    ('°C', 'mg/L', 'm³/s', 'µmol/(m²·s)')
    """
    coefficient, factors = _parse(unit)
    over, under = (
        [
            (_spelled(name, "symbol") if name != "dL" else "100 mL") + _power(abs(power)).translate(_SUPERSCRIPT)
            for name, power in factors
            if power * sign > 0
        ]
        for sign in (1, -1)
    )
    text = "·".join(over)
    if coefficient != 1:
        text = f"{_number(coefficient)} {text}".strip()
    if not under:
        return text
    return f"{text or '1'}/" + (under[0] if len(under) == 1 else f"({'·'.join(under)})")


def pint_text(unit: str, *, is_difference: bool = False) -> str:
    """Return a unit as pint reads it, for a quantity of any registry.

    Parameters
    ----------
    unit : str
        In any spelling.
    is_difference : bool
        Of a difference, such as an uncertainty: ``delta_degree_Celsius``.

    Raises
    ------
    UnitError
        If the unit is unknown.

    Examples
    --------
    >>> pint_text("mg L-1"), pint_text("degC", is_difference=True)
    ('milligram / liter', 'delta_degree_Celsius')
    """
    coefficient, factors = _parse(unit)
    text = str(_pint(factors, delta=is_difference))
    return text if coefficient == 1 else f"{coefficient} * {text}"


def note(text: str) -> str:
    """Return what a reader should know of a spelling, such as of ``psu``; empty for most."""
    return NOTES.get(_clean(text).casefold(), "")


@cache
def registry() -> Any:  # noqa: ANN401 -- pint builds its registry classes at run time
    """Return the one pint registry, of decimal numbers, made on first use."""
    import pint  # noqa: PLC0415 -- half a second that only a conversion needs

    units: Any = pint.UnitRegistry(non_int_type=Decimal)
    for name in OWN_DIMENSIONS:
        units.define(f"{name} = [{name.lower()}]")
    return units


def _clean(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("μ", "u").replace("−", "-").replace("ø", "°").strip()
    plain = re.sub(r"\s+as\s+\S+$", "", plain)  # "mg/L as N": the basis belongs to the property
    return re.sub(r"\b100\s*m[lL]\b", "dL", plain)


def too_little(text: str) -> str:
    """Return what a unit that says too little lacks, and what to write; empty for any other text.

    Examples
    --------
    >>> too_little("PPB")[:32], too_little("mg/L")
    ('parts per billion does not say o', '')
    """
    return REFUSED.get(_clean(text).casefold(), "") if len(text) <= _LONGEST else ""


@lru_cache(maxsize=4096)
def _parse(text: str) -> Parsed:
    if len(text) > _LONGEST:
        raise UnitError(f"unit {text[:20]!r}… is unknown: no unit is {len(text)} characters long")
    plain = _clean(text)
    folded = plain.casefold()
    if folded in REFUSED:
        raise UnitError(f"unit {text!r} says too little: {REFUSED[folded]}")
    if folded in WHOLE:
        return _grammar(WHOLE[folded]) or (Decimal(1), ())
    if _BROKEN_POWER.search(plain):
        raise UnitError(f"unit {text!r} has a power that is no whole number, which no unit here has")
    parsed = _grammar(plain)
    if parsed is None:
        # Loggers shout: MG/L, US/CM.
        parsed = _grammar(_mild(plain))
    if parsed is None:
        known = {
            *ATOMS,
            *SPELLINGS,
            *WHOLE,
            "mg L-1",
            "ug L-1",
            "uS cm-1",
            "mS cm-1",
            "m3 s-1",
            "L s-1",
            "mg/L",
            "uS/cm",
        }
        close = near(plain, known)
        raise UnitError(
            f"unit {text!r} is unknown"
            + (f"; did you mean {' or '.join(close)}?" if close else "")
            + " (CF, UDUNITS or UCUM text, such as mg L-1, degC, uS/cm)"
        )
    return parsed


def _mild(text: str) -> str:
    def word(match: re.Match[str]) -> str:
        seen = match[0].casefold()
        for name in SPELLINGS:
            if name.casefold() == seen:
                return name
        return re.sub(r"^([mun]?)s$", r"\1S", seen)

    return re.sub(r"[^\W\d_]+", word, text)


def _grammar(text: str) -> Parsed | None:
    coefficient, powers, sign = Decimal(1), dict[str, int](), 1
    group = re.fullmatch(r"(.*?)(?:/|\bper\b)\s*\(([^()]+)\)", text)
    if group:
        text = f"{group[1]}/" + re.sub(r"[\s.*·]+", "/", group[2].strip())
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match["operator"] is not None:
            sign = -1 if match["operator"].strip() in {"/", "per"} else 1
        elif match["number"] is not None:
            number = match["number"]
            try:
                base = Decimal(10) ** int(number[3:]) if number[2:3] in {"^", "*"} else Decimal(number)
                if base == 0:
                    return None
                coefficient *= base if sign > 0 else 1 / base
            except ArithmeticError:  # a power, or a product, that no number holds
                return None
        else:
            name = _resolve(match["name"])
            if name is None:
                return None
            power = int((match["exponent"] or "1").lstrip("^*"))
            powers[name] = powers.get(name, 0) + sign * power
            sign = 1
    factors = tuple((name, power) for name, power in powers.items() if power and name)
    return coefficient, tuple(sorted(factors, key=lambda factor: factor[1] < 0))


@lru_cache(maxsize=4096)
def _resolve(word: str) -> str | None:
    """Return the canonical name of one word, prefix included; empty for a bare annotation; None where unknown."""
    if word in SPELLINGS:
        return SPELLINGS[word]
    bare = re.sub(r"\{[^}]*\}", "", word)
    if bare != word:
        return _resolve(bare) if bare else ""
    for prefix, long_prefix in PREFIXES.items():
        for start in (long_prefix, prefix):
            if word.startswith(start):
                name = SPELLINGS.get(word[len(start) :])
                if name is not None and prefix in ATOMS[name].prefixes:
                    return prefix + name
    return None


def _split(name: str) -> tuple[str, str]:
    return ("", name) if name in ATOMS else (name[0], name[1:])


def _spelled(name: str, how: str) -> str:
    prefix, atom = _split(name)
    if how == "symbol" and prefix == "u":
        prefix = "µ"
    return prefix + str(getattr(ATOMS[atom], how))


def _power(power: int) -> str:
    return "" if power == 1 else str(power)


def _number(coefficient: Decimal) -> str:
    plain = coefficient.normalize()
    exponent = plain.adjusted()
    if plain.as_tuple().digits == (1,) and abs(exponent) > 2:
        return f"1e{exponent}"
    return format(plain, "f")


def _text(parsed: Parsed) -> str:
    coefficient, factors = parsed
    words = [name + ("" if power == 1 else str(power)) for name, power in factors]
    if coefficient != 1 or not words:
        words.insert(0, _number(coefficient))
    return " ".join(words)


def _pint(factors: Factors, *, delta: bool = False) -> Any:  # noqa: ANN401 -- a pint unit of a run-time class
    units = registry()
    if not delta and len(factors) == 1 and factors[0][1] == 1:
        prefix, atom = _split(factors[0][0])
        return units.Unit(PREFIXES.get(prefix, "") + ATOMS[atom].pint)
    product: Any = units.Unit("dimensionless")
    for name, power in factors:
        prefix, atom = _split(name)
        pint_name = ATOMS[atom].pint
        product *= units.Unit(("delta_" if atom.startswith("degree_") and atom[7:] in {"Celsius", "Fahrenheit"} else "")
                              + PREFIXES.get(prefix, "") + pint_name) ** power  # fmt: skip
    return product


def _is_temperature(parsed: Parsed) -> bool:
    return parsed[1] in {(("degree_Celsius", 1),), (("degree_Fahrenheit", 1),), (("K", 1),)}


def _refusal(source: str, target: str) -> str:
    message = f"{canonical(source)} cannot be converted to {canonical(target)}"
    if {canonical(source), canonical(target)} == {"NTU", "FNU"}:
        message += ": a white-light (EPA 180.1) and an infrared (ISO 7027) turbidity agree only on formazin"
    return message
