"""What SL 651 reports: identifiers of elements with their meaning, unit, digits and interval; a table, nothing else.

An identifier is a byte in the HEX/BCD coding (``39H``) and letters in the ASCII coding (``Z``). The width and the
decimals of a number travel with it in HEX/BCD; `Element.digits` and `Element.decimals` are what the standard asks of a
sender. Identifiers from 76H to EFH are reserved and FFxxH are each user's own: they are read as numbers without a name.

An observed property stands where the standard says enough to know it. It does not say whether a conductivity is
compensated, which turbidity its 度 (degree) is, or above which datum a relative water level lies: those have none.

References
----------
SL 651-2014 Appendix C, Table C.1 with notes a to g, Table C.3; sections 3.1.6 to 3.1.9 and 6.6.2.8 (an element of an
interval bears the time of its end).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

__all__ = ["ELEMENTS", "SYMBOLS", "Element", "Layout", "element_of"]

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


class Layout(Enum):
    """How the data behind an identifier are laid out."""

    NUMBER = "number"  # BCD, or decimal text
    RAIN = "rain"  # 12 bytes, one each 5 minutes, 0.1 mm; FF: none
    LEVELS = "levels"  # 12 words, one each 5 minutes, 0.01 m; FFFF: none
    STATE = "state"  # 4 bytes of bits


@dataclass(frozen=True, slots=True)
class Element:
    """An element.

    Parameters
    ----------
    guide : int
        Its byte in HEX/BCD.
    symbol : str
        Its letters in ASCII.
    name, name_zh : str
        For people; the Chinese one as the standard has it.
    unit : str or None
        CF text; None: a code, or not said.
    digits, decimals : int
        N(digits, decimals) of the standard.
    observed_property : str or None
        Vocabulary key.
    duration_us : int
        µs; the interval that ends at the observation time; 0: a moment.
    layout : Layout
        Of its data.
    """

    guide: int
    symbol: str
    name: str
    name_zh: str
    unit: str | None
    digits: int
    decimals: int = 0
    observed_property: str | None = None
    duration_us: int = 0
    layout: Layout = Layout.NUMBER


_RAIN = "rainfall"
_LEVEL = "water_level"

_SINGLE = (
    Element(0x01, "AC", "Cross-section area", "断面面积", "m2", 8, 2),
    Element(0x02, "AI", "Air temperature", "瞬时气温", "degree_Celsius", 3, 1, "air_temperature"),
    Element(0x03, "C", "Water temperature", "瞬时水温", "degree_Celsius", 3, 1, "water_temperature"),
    Element(0x05, "DT", "Duration, HH.mm", "时段长", None, 4, 2),
    Element(0x06, "ED", "Evaporation of the day", "日蒸发量", "mm", 5, 1, None, DAY_US),
    Element(0x07, "EJ", "Evaporation since the day began", "当前蒸发", "mm", 5, 1),
    Element(0x08, "FL", "Air pressure", "气压", "hPa", 5, 0, "air_pressure"),
    Element(0x09, "GH", "Gate opening", "闸门开启高度", "m", 5, 2),
    Element(0x0A, "GN", "Number of the conduit or gate", "输水设备、闸门(组)编号", None, 3),
    Element(0x0B, "GS", "Kind of conduit", "输水设备类别", None, 1),
    Element(0x0C, "GT", "Gates open", "闸门开启孔数", "count", 3),
    Element(0x0D, "GTP", "Ground temperature", "地温", "degree_Celsius", 3, 1),
    Element(0x0E, "H", "Depth to groundwater", "地下水瞬时埋深", "m", 6, 2),
    Element(0x0F, "HW", "Wave height", "波浪高度", "m", 5, 2),
    *(
        Element(0x10 + i, f"M{depth}", f"Soil moisture at {depth} cm", f"{depth}厘米处土壤含水量", "%", 4, 1)
        for i, depth in enumerate((10, 20, 30, 40, 50, 60, 80, 100))
    ),
    Element(0x18, "MST", "Relative humidity", "湿度", "%", 4, 1, "relative_humidity"),
    Element(0x19, "NS", "Pumps running", "开机台数", "count", 2),
    *(
        Element(0x1A + i, f"P{n}", f"Rain of {n} h", f"{n}小时时段降水量", "mm", 5, 1, _RAIN, n * HOUR_US)
        for i, n in enumerate((1, 2, 3, 6, 12))
    ),
    Element(0x1F, "PD", "Rain of the day", "日降水量", "mm", 5, 1, _RAIN, DAY_US),
    Element(0x20, "PJ", "Rain since the day began", "当前降水量", "mm", 5, 1),
    *(
        Element(0x21 + i, f"PN{n:02d}", f"Rain of {n} min", f"{n}分钟时段降水量", "mm", 5, 1, _RAIN, n * MINUTE_US)
        for i, n in enumerate((1, 5, 10, 30))
    ),
    Element(0x25, "PR", "Rain of the storm", "暴雨量", "mm", 5, 1),
    Element(0x26, "PT", "Rain since the counter's start", "降水量累计值", "mm", 6, 1),
    Element(0x27, "Q", "Discharge", "瞬时流量", "m3 s-1", 9, 3, "discharge"),
    *(
        Element(0x27 + n, f"Q{n}", f"Flow of intake or outlet {n}", f"取(排)水口流量{n}", "m3 s-1", 9, 3)
        for n in range(1, 9)
    ),
    Element(0x30, "QA", "Total outflow", "总出库流量、过闸总流量", "m3 s-1", 9, 3, "discharge"),
    Element(0x31, "QZ", "Flow of the conduit or gates", "输水设备流量、过闸(组)流量", "m3 s-1", 9, 3),
    Element(0x32, "SW", "Sediment load", "输沙量", "1e7 kg", 11, 3),
    Element(0x33, "UC", "Wind direction, 1 (north) to 16", "风向", None, 2),
    Element(0x34, "UE", "Wind force, Beaufort", "风力(级)", None, 2),
    Element(0x35, "US", "Wind speed", "风速", "m s-1", 4, 1, "wind_speed"),
    Element(0x36, "VA", "Mean velocity of the cross-section", "断面平均流速", "m s-1", 5, 3, "flow_velocity"),
    Element(0x37, "VJ", "Velocity", "当前瞬时流速", "m s-1", 5, 3, "flow_velocity"),
    Element(0x38, "VT", "Supply voltage", "电源电压", "V", 4, 2, "battery_voltage"),
    Element(0x39, "Z", "Water level of the river, tide", "瞬时河道水位、潮位", "m", 7, 3, _LEVEL),
    Element(0x3A, "ZB", "Water level below the dam, gate or station", "库(闸、站)下水位", "m", 7, 3, _LEVEL),
    Element(0x3B, "ZU", "Water level above the dam, gate or station", "库(闸、站)上水位", "m", 7, 3, _LEVEL),
    *(
        Element(0x3B + n, f"Z{n}", f"Water level at intake or outlet {n}", f"取(排)水口水位{n}", "m", 7, 3, _LEVEL)
        for n in range(1, 9)
    ),
    Element(0x44, "SQ", "Suspended sediment", "含沙量", "kg m-3", 9, 3),
    Element(0x45, "ZT", "State of the station, bits", "遥测站状态及报警信息", None, 8, 0, None, 0, Layout.STATE),
    Element(0x46, "PH", "pH", "pH值", "1", 4, 2, "ph"),
    Element(0x47, "DO", "Dissolved oxygen", "溶解氧", "mg L-1", 4, 1, "dissolved_oxygen"),
    Element(0x48, "COND", "Conductivity", "电导率", "uS cm-1", 5),
    Element(0x49, "TURB", "Turbidity", "浊度", None, 3),
    Element(0x4A, "CODMN", "Permanganate index", "高锰酸盐指数", "mg L-1", 4, 1, "codmn"),
    Element(0x4B, "REDOX", "Redox potential", "氧化还原电位", "mV", 5, 1, "orp"),
    Element(0x4C, "NH4N", "Ammonia nitrogen", "氨氮", "mg L-1", 6, 2, "nh3_n"),
    Element(0x4D, "TP", "Total phosphorus", "总磷", "mg L-1", 5, 3, "total_phosphorus"),
    Element(0x4E, "TN", "Total nitrogen", "总氮", "mg L-1", 5, 2, "total_nitrogen"),
    Element(0x4F, "TOC", "Total organic carbon", "总有机碳", "mg L-1", 4, 2, "toc"),
    Element(0x50, "CU", "Copper", "铜", "mg L-1", 7, 4, "copper"),
    Element(0x51, "ZN", "Zinc", "锌", "mg L-1", 6, 4, "zinc"),
    Element(0x52, "SE", "Selenium", "硒", "mg L-1", 7, 5, "selenium"),
    Element(0x53, "AS", "Arsenic", "砷", "mg L-1", 7, 5, "arsenic"),
    Element(0x54, "THG", "Total mercury", "总汞", "mg L-1", 7, 5, "total_mercury"),
    Element(0x55, "CD", "Cadmium", "镉", "mg L-1", 7, 5, "cadmium"),
    Element(0x56, "PB", "Lead", "铅", "mg L-1", 7, 5, "lead"),
    Element(0x57, "CHLA", "Chlorophyll a", "叶绿素a", "mg L-1", 4, 2, "chlorophyll_a"),
    *(Element(0x57 + n, f"WP{n}", f"Water pressure {n}", f"水压{n}", "kPa", 5, 2) for n in range(1, 9)),
    *(Element(0x5F + n, f"SYL{n}", f"Water left on meter {n}", f"水表{n}剩余水量", "m3", 11, 3) for n in range(1, 9)),
    *(Element(0x67 + n, f"SBL{n}", f"Flow of meter {n}", f"水表{n}每小时水量", "m3 h-1", 10, 2) for n in range(1, 9)),
    *(Element(0x70 + i, f"VT{p}", f"Voltage of phase {p}", f"交流{p}相电压", "V", 4, 1) for i, p in enumerate("ABC")),
    *(Element(0x73 + i, f"VI{p}", f"Current of phase {p}", f"交流{p}相电流", "A", 4, 1) for i, p in enumerate("ABC")),
)

_HOURLY = (
    Element(0xF4, "DRP", "Rain of 5 min", "1小时内每5分钟时段雨量", "mm", 3, 1, _RAIN, 5 * MINUTE_US, Layout.RAIN),
    *(
        Element(
            0xF4 + n,
            f"DRZ{n}",
            f"Relative water level {n}",
            f"1小时内5分钟间隔相对水位{n}",
            "m",
            5,
            2,
            None,
            0,
            Layout.LEVELS,
        )
        for n in range(1, 9)
    ),
)

ELEMENTS: Mapping[int, Element] = MappingProxyType({item.guide: item for item in (*_SINGLE, *_HOURLY)})
"""The elements of Table C.1 by their byte."""

SYMBOLS: Mapping[str, Element] = MappingProxyType({item.symbol: item for item in ELEMENTS.values()})
"""The same by their letters, in capitals (the table prints ``pH``)."""


def element_of(guide: int) -> Element:
    """Return an element; one that the table does not have is a number without a name, ``X76`` or ``XFF01``.

    Examples
    --------
    >>> element_of(0x39).symbol, element_of(0x80).symbol, element_of(0xFF01).symbol
    ('Z', 'X80', 'XFF01')
    """
    known = ELEMENTS.get(guide)
    if known is not None:
        return known
    return Element(guide, f"X{guide:02X}", f"Element {guide:02X}H", f"{guide:02X}H", None, 10)
