"""WaterML: 1.1 as USGS Water Services answer, 2.0 as OGC defines it (10-126r4).

1.1: ``timeSeriesResponse`` of ``timeSeries`` with ``sourceInfo``, ``variable`` and ``values``; every value bears its
offset. 2.0: ``OM_Observation`` with ``MeasurementTimeseries`` of points; what a stamp stands for is its interpolation
type. Namespaces are not looked at: producers differ in them.
"""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from nilometer.acquisition.formats import opening, usgs, xmltext
from nilometer.acquisition.formats.naming import meaning
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import recording_of
from nilometer.acquisition.formats.timeseries import Series, side_by_side
from nilometer.acquisition.formats.xmltext import attribute, local, said, within
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read", "titled"]

# The codes of CUAHSI's vocabulary; "nc" is not censored.
_CENSORED = {"lt": "<", "gt": ">", "nd": "<", "pnq": "<"}

# The last word of an interpolation type's address (WaterML 2.0, table of types) and what its stamps stand for.
_STAMPS = {
    "continuous": "instant",
    "discontinuous": "instant",
    "instanttotal": "instant",
    "averageprec": "end of the interval",
    "maxprec": "end of the interval",
    "minprec": "end of the interval",
    "totalprec": "end of the interval",
    "averagesucc": "start of the interval",
    "maxsucc": "start of the interval",
    "minsucc": "start of the interval",
    "totalsucc": "start of the interval",
}


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a WaterML 1 or 2 document.

    Raises
    ------
    ReadError
        If the XML is not well formed, or there is no value in it.
    """
    root = xmltext.parsed(opening.contents(path), path, FORMAT.name)
    ones = list(_series_1(root))
    twos = list(_series_2(root)) if not ones else []
    if not ones and not twos:
        raise ReadError(
            f"there is no timeSeries and no MeasurementTimeseries in <{local(root.tag)}>",
            path=path,
            format=FORMAT.name,
        )
    series = ones or [one for one, _ in twos]
    metadata = {"stamps": usgs.stamps([one.statistic for one in series])}
    told = sorted({stamp for _, stamp in twos if stamp})
    if told:
        metadata["stamps"] = "; ".join(told)
    return recording_of(side_by_side(series, path, FORMAT.name, metadata), wishes)


def titled(name: str, unit: str) -> str:
    """Return a variable's name without the unit behind its last comma, and without entities.

    Examples
    --------
    >>> titled("Streamflow, ft&#179;/s", "ft3/s"), titled("Temperature, water, &#176;C", "deg C")
    ('Streamflow', 'Temperature, water')
    """
    plain = html.unescape(name).strip()
    head, comma, _ = plain.rpartition(",")
    return head.strip() if comma and unit else plain


def _series_1(root: ET.Element) -> Iterator[Series]:
    for part in within(root, "timeSeries"):
        source = next(within(part, "sourceInfo"), None)
        variable = next(within(part, "variable"), None)
        code = said(variable, "variableCode")
        unit = _unit_1(variable)
        parameter = usgs.PARAMETERS.get(code)
        option = next((o for o in within(part, "option") if attribute(o, "name") == "Statistic"), None)
        statistic = attribute(option, "optionCode") or "00011"
        for values in within(part, "values"):
            one = Series(
                site=" ".join(word for word in (said(source, "siteCode"), said(source, "siteName")) if word),
                name=titled(said(variable, "variableName"), unit) or code or "value",
                unit=parameter.unit if parameter else unit,
                quantity=parameter.quantity if parameter else _quantity_1(variable, unit),
                # Code 00000 is "no statistic": values of an instant.
                statistic=usgs.STATISTICS.get("00011" if statistic == "00000" else statistic, ""),
                missing=said(variable, "noDataValue"),
            )
            for value in within(values, "value"):
                one.times.append(_stamp(value))
                mark = _CENSORED.get(attribute(value, "censorCode").casefold(), "")
                one.values.append(mark + _same(value.text or "", one.missing))
                one.qualifiers.append(attribute(value, "qualifiers"))
            yield one


def _unit_1(variable: ET.Element | None) -> str:
    """Return the unit of a variable: as a text where the USGS writes it, else abbreviated; a code may be a number."""
    if variable is None:
        return ""
    # Version 1.0 has it in attributes.
    units = next(within(variable, "units"), None)
    words = [said(variable, "unitCode"), said(variable, "unitAbbreviation")]
    words += [attribute(units, "unitsAbbreviation"), said(variable, "unitName")]
    return next((word for word in words if word and not word.isdigit()), "")


def _quantity_1(variable: ET.Element | None, unit: str) -> str | None:
    """Return what a variable that is no code of the USGS is by its name, where it was measured in water."""
    if "water" not in said(variable, "sampleMedium").casefold():
        return None
    return meaning(titled(said(variable, "variableName"), unit), unit).observed_property


def _stamp(value: ET.Element) -> str:
    """Return a value's time, with its zone where the file tells it beside the local clock."""
    stamp, utc = attribute(value, "dateTime"), attribute(value, "dateTimeUTC")
    if utc:
        return utc if utc.endswith("Z") else f"{utc}Z"
    offset = attribute(value, "timeOffset")
    return f"{stamp}{offset}" if offset and not stamp.endswith("Z") else stamp


def _series_2(root: ET.Element) -> Iterator[tuple[Series, str]]:
    for part in within(root, "OM_Observation"):
        observed = next(within(part, "observedProperty"), None)
        title = attribute(observed, "title") or attribute(observed, "href").rpartition("/")[2]
        code = re.search(r"parmCd=(\d{5})", attribute(observed, "href"))
        statistic = re.search(r"statCd=(\d{5})", " ".join(attribute(e, "href") for e in within(part, "parameter")))
        place = next(within(part, "featureOfInterest"), None)
        parameter = usgs.PARAMETERS.get(code[1]) if code else None
        for points in within(part, "MeasurementTimeseries"):
            defaults = next(within(points, "defaultPointMetadata"), None)
            uom = next(within(points, "uom"), None)
            unit = attribute(uom, "code") or attribute(uom, "title")
            default = _qualifier(defaults)
            kind = next(within(points, "interpolationType"), None)
            one = Series(
                site=attribute(place, "title") or attribute(place, "href"),
                name=title or "value",
                unit=parameter.unit if parameter else unit,
                quantity=parameter.quantity if parameter else None,
                statistic=usgs.STATISTICS.get(statistic[1], "") if statistic else "",
            )
            for point in within(points, "MeasurementTVP"):
                stamp, value = said(point, "time"), said(point, "value")
                if stamp:
                    one.times.append(stamp)
                    one.values.append(value)
                    one.qualifiers.append(_qualifier(point) or default)
            yield one, _STAMPS.get(attribute(kind, "href").rpartition("/")[2].casefold(), "")


def _qualifier(element: ET.Element | None) -> str:
    if element is None:
        return ""
    found = next(within(element, "qualifier"), None)
    return said(found, "value") or attribute(found, "title")


def _same(value: str, missing: str) -> str:
    """Return the missing word where a value is it as a number: ``-999999`` and ``-999999.0``."""
    try:
        return missing if missing and float(value) == float(missing) else value.strip()
    except ValueError:
        return value.strip()


def _sniff(_path: Path, head: bytes) -> float:
    name = xmltext.root_name(head)
    if name in {"timeSeriesResponse", "timeSeries"}:
        return 0.97
    is_two = b"waterml/2.0" in head or b"OM_Observation" in head
    return (
        0.95
        if is_two and name in {"Collection", "OM_Observation", "FeatureCollection", "GetObservationResponse"}
        else 0.0
    )


FORMAT = FormatInfo(name="waterml", title="WaterML 1.1 and 2.0", suffixes=(".xml", ".wml"), sniff=_sniff, read=read)
