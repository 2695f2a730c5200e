"""What Campbell Scientific tables share: the environment line, the kinds of processing, and what a stamp stands for.

A logger stamps a record when it stores it: a sample is of that instant, an average or total of the interval that ends
there (LoggerNet manual, appendix B, and the CRBasic help on data tables).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Environment", "called", "environment_of", "stamps", "statistics"]

# Processing by its abbreviation in the header, as a CF cell method; `TMx` and `TMn` are times of extremes.
_METHODS = {
    "smp": "point",
    "avg": "mean",
    "min": "minimum",
    "max": "maximum",
    "tot": "sum",
    "std": "standard_deviation",
    "med": "median",
    "wvc": "mean",
    "cov": "covariance",
    "rte": "point",
}
_SUFFIX = re.compile(r"(?i)_(smp|avg|min|max|tot|med|wvc)(?=\(|$|_?\d*$)")
_INDEX = re.compile(r"\(\d+(,\d+)*\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The first line of a table: which logger, which program, which table; empty where the line is shorter."""

    kind: str = ""
    station: str = ""
    model: str = ""
    serial: str = ""
    system: str = ""
    program: str = ""
    signature: str = ""
    table: str = ""

    def metadata(self) -> dict[str, str]:
        """Return what is told, under the names that recordings use."""
        told = {
            "station": self.station,
            "model": self.model,
            "serial number": self.serial,
            "operating system": self.system,
            "program": self.program,
            "program signature": self.signature,
            "table": self.table,
        }
        return {name: text for name, text in told.items() if text}


def environment_of(cells: Sequence[str]) -> Environment:
    """Return the environment that a header line tells.

    Examples
    --------
    >>> environment_of(["TOA5", "weir", "CR1000", "12345"]).model
    'CR1000'
    """
    names = ("kind", "station", "model", "serial", "system", "program", "signature", "table")
    return Environment(**dict(zip(names, (cell.strip() for cell in cells), strict=False)))


def statistics(names: Sequence[str], processes: Sequence[str]) -> dict[str, str]:
    """Return the CF cell methods of columns, by name; columns whose processing says nothing are left out.

    Examples
    --------
    >>> statistics(["RECORD", "T_Avg", "T_TMx"], ["", "Avg", "TMx"])
    {'T_Avg': 'mean'}
    """
    pairs = zip(names, processes, strict=False)
    return {name: _METHODS[process.casefold()] for name, process in pairs if process.casefold() in _METHODS}


def called(names: Sequence[str], methods: Mapping[str, str]) -> dict[str, str]:
    """Return what the quantities are called without their processing and index.

    A spread or a covariance is no value of the quantity: it bears a name that tells no property.

    Examples
    --------
    >>> called(["AirTC_Avg", "TC_Avg(2)", "Depth_Std"], {"Depth_Std": "standard_deviation"})
    {'AirTC_Avg': 'AirTC', 'TC_Avg(2)': 'TC', 'Depth_Std': '·'}
    """
    plain = {}
    for name in names:
        short = _INDEX.sub("", _SUFFIX.sub("", name))
        if methods.get(name) in {"standard_deviation", "covariance"}:
            short = "·"
        if short != name:
            plain[name] = short
    return plain


def stamps(methods: Mapping[str, str]) -> str:
    """Return what the times of a table stand for, in words.

    Examples
    --------
    >>> stamps({"a": "point"}), stamps({"a": "mean", "b": "point"})
    ('instant', 'end of the interval (mean); instant (point)')
    """
    spans = sorted({method for method in methods.values() if method != "point"})
    if not spans:
        return "instant"
    text = f"end of the interval ({', '.join(spans)})"
    return f"{text}; instant (point)" if "point" in methods.values() else text
