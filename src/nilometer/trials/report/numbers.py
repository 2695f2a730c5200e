"""Numbers as a reader can use them: the digits their interval allows, units as people write them, dates of a zone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from nilometer.errors import UnitError
from nilometer.trials.figure import Figure
from nilometer.trials.report.words import Words
from nilometer.units import symbol

__all__ = [
    "SHARES",
    "Dates",
    "decimals_for",
    "fixed",
    "interval",
    "joined",
    "length",
    "plain",
    "quantity",
    "share",
    "unit_text",
]

NONE = "—"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOPSIDED = 3.0  # times that one side of an interval is wider than the other
_TIMES = ((7200.0, (1.0 / 3600.0, "h")), (300.0, (1.0 / 60.0, "min")))
_POWER = re.compile(r"1e([+-]?\d+)(.*)")
SHARES = frozenset({"relative_bias", "class_agreement", "data_yield", "uptime", "off_by_one_near_limit", "score_share"})


def decimals_for(half_width: float) -> int:
    """Return how many decimals give two significant digits of an uncertainty; below 0: tens are the last digit.

    Examples
    --------
    >>> decimals_for(0.034), decimals_for(0.0996), decimals_for(340.0)
    (3, 2, -1)
    """
    # As it is written with two digits: 0.0996 has become 0.10.
    return 1 - int(f"{half_width:.1e}".partition("e")[2])


def fixed(number: float, decimals: int) -> str:
    """Return a number with so many decimals, with the true minus sign; very large and very small ones as powers of ten.

    Examples
    --------
    >>> fixed(-0.0423, 3), fixed(1234.5, -1), fixed(4.2e-12, 13)
    ('−0.042', '1230', '4.2 × 10⁻¹²')
    """
    if not math.isfinite(number):
        return NONE if math.isnan(number) else ("∞" if number > 0 else "−∞")
    if decimals > 7 or abs(number) >= 1e9:
        exponent = math.floor(math.log10(abs(number))) if number else -decimals
        digits = max(min(exponent + decimals, 15), 0)
        text = f"{number / 10.0**exponent:.{digits}f} × 10{str(exponent).translate(_SUPERSCRIPT)}"
    else:
        text = f"{round(number, decimals):.{max(decimals, 0)}f}"
    # What rounds to nothing has no sign.
    return text.lstrip("-") if not any(digit in "123456789" for digit in text) else text.replace("-", "−")


def plain(number: float, digits: int = 3) -> str:
    """Return a number that has no interval, with so many significant digits and no trailing zeros.

    Examples
    --------
    >>> plain(0.30000000000000004), plain(1500.0), plain(-0.00001234)
    ('0.3', '1500', '−1.23 × 10⁻⁵')
    """
    if not math.isfinite(number) or number == 0.0:
        return fixed(number, 0)
    mantissa, _, power = f"{number:.{digits - 1}e}".partition("e")
    exponent = int(power)
    # Below a ten thousandth nobody counts zeros.
    if not -5 < exponent < 9:
        short = mantissa.rstrip("0").rstrip(".").replace("-", "−")
        return f"{short} × 10{str(exponent).translate(_SUPERSCRIPT)}"
    text = fixed(number, max(digits - 1 - exponent, 0))
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(number: float, digits: int = 3) -> str:
    """Return a share in percent."""
    return f"{plain(100.0 * number, digits)}%"


def unit_text(unit: str) -> str:
    """Return a unit as people read it; empty for ``1``.

    Examples
    --------
    >>> unit_text("mg L-1"), unit_text("1e-9"), unit_text("1")
    ('mg/L', '10⁻⁹', '')
    """
    try:
        text = symbol(unit)
    except UnitError:
        return unit
    power = _POWER.fullmatch(text)
    return f"10{power[1].translate(_SUPERSCRIPT)}{power[2]}" if power else text


def quantity(number: str, unit: str) -> str:
    """Return a number with its unit, CF text."""
    return joined(number, unit_text(unit))


def joined(number: str, shown: str) -> str:
    """Return a number with a unit as it is shown; no line ends between the two."""
    if number == NONE or not shown:
        return number
    if shown == "%":
        return f"{number}%"
    return f"{number}\u00a0×\u00a0{shown}" if shown.startswith("10") else f"{number}\u00a0{shown}"


def interval(figure: Figure) -> tuple[str, str, str, str]:
    """Return an estimate, the ends of its interval and their unit, all to two significant digits of its half width.

    Of an interval that is far wider to one side, as on a logarithmic scale, the narrow side says the digits, and the
    far end has those of its own distance: 2141 of 222 to 20630 is not 2000 of 0 to 21000. A length of time is in the
    unit that reads best.
    """
    factor, unit = _scale(figure)
    value, low, high = (factor * number for number in (figure.value, *figure.interval))
    sides = [abs(end - value) for end in (low, high) if math.isfinite(end) and math.isfinite(value) and end != value]
    if not sides:
        return plain(value), plain(low), plain(high), unit
    is_lopsided = len(sides) == 2 and max(sides) > _LOPSIDED * min(sides)
    decimals = decimals_for(min(sides) if is_lopsided else sum(sides) / len(sides))
    low_text, high_text = (
        fixed(end, decimals_for(abs(end - value)) if is_lopsided and abs(end - value) == max(sides) else decimals)
        for end in (low, high)
    )
    return fixed(value, decimals), low_text, high_text, unit


def _scale(figure: Figure) -> tuple[float, str]:
    """Return what the numbers of a figure are multiplied by to be shown, and their unit then."""
    if figure.name in SHARES and figure.unit == "1":
        return 100.0, "%"
    if figure.unit == "s":
        largest = max((abs(each) for each in (figure.value, *figure.interval) if math.isfinite(each)), default=0.0)
        return next((scale for least, scale in _TIMES if largest >= least), (1.0, "s"))
    return 1.0, unit_text(figure.unit)


def length(seconds: float, words: Words) -> str:
    """Return a length of time in the unit that reads best."""
    if not math.isfinite(seconds):
        return NONE
    for unit, size in (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0)):
        if abs(seconds) >= 2.0 * size or (abs(seconds) >= size and seconds % size == 0.0):
            return words(f"length.{unit}", n=plain(seconds / size))
    return words("length.seconds", n=plain(seconds))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Dates:
    """Dates by the zone of a trial.

    Parameters
    ----------
    zone : str
        Of the IANA database.
    words : Words
        The language.
    """

    zone: str
    words: Words

    def at(self, time_us: int) -> datetime:
        """Return a time of the zone."""
        return datetime.fromtimestamp(time_us / 1e6, ZoneInfo(self.zone))

    def day(self, time_us: int) -> str:
        """Return a day."""
        at = self.at(time_us)
        if self.words.language == "zh":
            return f"{at.year}年{at.month}月{at.day}日"
        return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"

    def minute(self, time_us: int) -> str:
        """Return a day and a time of it."""
        return f"{self.day(time_us)} {self.at(time_us):%H:%M}"

    def of_text(self, text: str) -> str:
        """Return a time of ISO 8601, or the text itself where it is none."""
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            return text
        aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=ZoneInfo("UTC"))
        return self.minute(round(aware.timestamp() * 1e6))
