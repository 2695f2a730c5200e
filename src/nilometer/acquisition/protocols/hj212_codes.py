"""The water codes of HJ 212-2017 Table B.1, with the unit that a number stands in: the wire never carries it.

What a code *measures* is the vocabulary's business (`nilometer.model.properties`); this table is the protocol's own.

References
----------
HJ 212-2017 Appendix B, Table B.1, after HJ 525-2009; the codes of HJ/T 212-2005 from the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["CODES", "Code", "of_2017", "unit_of"]


class Code(NamedTuple):
    """A row: code, English name, code of 2005 (empty: none), unit of the value, unit of the total (empty: none)."""

    code: str
    name: str
    code_2005: str
    unit: str
    total: str


CODES: Mapping[str, Code] = {
    row.code: row
    for row in (
        Code("w00000", "waste water (flow)", "B01", "L/s", "m3"),
        Code("w01001", "pH", "001", "1", ""),
        Code("w01002", "colour", "002", "colour degree", ""),
        Code("w01006", "total dissolved solids", "", "mg/L", "kg"),
        Code("w01009", "dissolved oxygen", "", "mg/L", ""),
        Code("w01010", "water temperature", "", "degC", ""),
        Code("w01012", "suspended solids", "003", "mg/L", "kg"),
        Code("w01014", "conductivity", "", "uS/cm", ""),
        Code("w01017", "BOD5", "010", "mg/L", "kg"),
        Code("w01018", "COD (CODCr)", "011", "mg/L", "kg"),
        Code("w01019", "permanganate index (CODMn)", "", "mg/L", "kg"),
        Code("w01020", "total organic carbon", "015", "mg/L", "kg"),
        Code("w02003", "faecal coliforms", "550", "1/L", ""),
        Code("w02006", "total bacteria", "", "1/L", ""),
        Code("w03001", "total alpha activity", "570", "Bq/L", ""),
        Code("w03002", "total beta activity", "571", "Bq/L", ""),
        Code("w19001", "surfactants", "", "mg/L", "kg"),
        Code("w19002", "anionic surfactants", "520", "mg/L", "kg"),
        Code("w20012", "barium", "039", "mg/L", "kg"),
        Code("w20023", "boron", "037", "mg/L", "kg"),
        Code("w20038", "cobalt", "040", "mg/L", "kg"),
        Code("w20061", "molybdenum", "038", "mg/L", "kg"),
        Code("w20089", "thallium", "041", "ng/L", "mg"),
        Code("w20092", "tin", "036", "mg/L", "kg"),
        Code("w20111", "total mercury", "020", "ug/L", "g"),
        Code("w20113", "alkyl mercury", "021", "ng/L", "mg"),
        Code("w20115", "total cadmium", "022", "ug/L", "g"),
        Code("w20116", "total chromium", "023", "mg/L", "kg"),
        Code("w20117", "chromium(VI)", "024", "ug/L", "g"),
        Code("w20119", "total arsenic", "026", "ug/L", "g"),
        Code("w20120", "total lead", "027", "ug/L", "g"),
        Code("w20121", "total nickel", "028", "mg/L", "kg"),
        Code("w20122", "total copper", "029", "mg/L", "kg"),
        Code("w20123", "total zinc", "030", "mg/L", "kg"),
        Code("w20124", "total manganese", "031", "mg/L", "kg"),
        Code("w20125", "total iron", "032", "mg/L", "kg"),
        Code("w20126", "total silver", "033", "mg/L", "kg"),
        Code("w20127", "total beryllium", "034", "ug/L", "g"),
        Code("w20128", "total selenium", "035", "ug/L", "g"),
        Code("w20138", "copper", "", "mg/L", "kg"),
        Code("w20139", "zinc", "", "mg/L", "kg"),
        Code("w20140", "selenium", "", "mg/L", "kg"),
        Code("w20141", "arsenic", "", "mg/L", "kg"),
        Code("w20142", "mercury", "", "ug/L", "g"),
        Code("w20143", "cadmium", "", "ug/L", "g"),
        Code("w20144", "lead", "", "mg/L", "kg"),
        Code("w21001", "total nitrogen", "065", "mg/L", "kg"),
        Code("w21003", "ammonia nitrogen (NH3-N)", "060", "mg/L", "kg"),
        Code("w21004", "Kjeldahl nitrogen", "062", "mg/L", "kg"),
        Code("w21006", "nitrite", "063", "mg/L", "kg"),
        Code("w21007", "nitrate", "064", "mg/L", "kg"),
        Code("w21011", "total phosphorus", "101", "mg/L", "kg"),
        Code("w21016", "cyanide", "070", "mg/L", "kg"),
        Code("w21017", "fluoride", "072", "mg/L", "kg"),
        Code("w21019", "sulfide", "071", "mg/L", "kg"),
        Code("w21022", "chloride", "090", "mg/L", "kg"),
        Code("w21038", "sulfate", "", "mg/L", "kg"),
        Code("w22001", "petroleum", "080", "mg/L", "kg"),
        Code("w23002", "volatile phenol", "110", "mg/L", "kg"),
        Code("w25043", "benzo[a]pyrene", "540", "ug/L", "g"),
        Code("w33001", "HCH", "350", "ng/L", "mg"),
        Code("w33007", "DDT", "351", "ng/L", "mg"),
        Code("w99001", "organic nitrogen", "061", "mg/L", "kg"),
    )
}
_FROM_2005 = {row.code_2005: row.code for row in CODES.values() if row.code_2005}
_TOTALS = frozenset({"Cou"})
_VALUES = frozenset({"Rtd", "Min", "Avg", "Max", "SampleRd", "StandardValue"})


def of_2017(code: str) -> str:
    """Return the code of 2017 for one of 2005 (``011`` → ``w01018``); any other code as it is."""
    return _FROM_2005.get(code, code)


def unit_of(code: str, statistic: str) -> str | None:
    """Return the unit of a value, as Table B.1 writes it, or None where the table does not know it.

    Parameters
    ----------
    code : str
        Of 2017 or 2005.
    statistic : str
        ``Rtd``, ``Avg``, ``Cou``, …; a total has a unit of its own, a text has none.

    Examples
    --------
    >>> unit_of("w01018", "Rtd"), unit_of("w01018", "Cou"), unit_of("011", "Rtd")
    ('mg/L', 'kg', 'mg/L')
    """
    row = CODES.get(of_2017(code))
    if row is None:
        return None
    if statistic in _TOTALS:
        return row.total or None
    return row.unit if statistic in _VALUES else None
