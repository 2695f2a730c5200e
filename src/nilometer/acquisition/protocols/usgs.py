"""Answers of the U.S. Geological Survey: Water Services (WaterML-JSON) and the OGC API of api.waterdata.usgs.gov.

::

    Water Services  value.timeSeries[]  sourceInfo.siteCode, variable.variableCode, variable.unit.unitCode
                      .values[]         method[].methodID
                        .value[]        value "569", qualifiers ["P", "e"], dateTime with its offset
    OGC API         features[].properties  monitoring_location_id, parameter_code, time_series_id, time, value,
                                           unit_of_measure, approval_status, qualifier; links[] rel "next"

Water Services as recorded (2019, 2020) and documented by dataretrieval; the OGC API as the public documentation of
dataRetrieval and recorded answers show it.
"""

from __future__ import annotations

import math
from typing import Any

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.acquisition.formats.usgs import PARAMETERS
from nilometer.acquisition.formats.waterml import titled
from nilometer.acquisition.protocols.telemetry import Said, moment, number_of, part
from nilometer.acquisition.protocols.web_answer import DocumentDecoder, Page, document_of, items, text
from nilometer.errors import FrameError, UnitError
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, same_dimension

__all__ = ["DECODER", "read", "read_features", "read_series"]

# What USGS writes that is a unit nowhere else.
_UNITS = {
    "uS/cm @25C": "uS cm-1", "uS/cm @25 C": "uS cm-1", "_FNU": "FNU", "_NTU": "NTU", "mm/Hg": "mmHg",
    "% saturatn": "%", "deg C": "degree_Celsius", "ug/l chl": "ug L-1",
}  # fmt: skip
# The newer service says in a word what the older one says in a letter: one table judges both.
_APPROVAL = {"provisional": "P", "approved": "A"}


def read(body: bytes) -> Page:
    """Return what an answer of either service says.

    Raises
    ------
    FrameError
        If it is an answer of neither.
    """
    document = document_of(body)
    return _features(document) if isinstance(document, dict) and "features" in document else _series(document)


def read_series(body: bytes) -> Page:
    """Return what an answer of Water Services says.

    Raises
    ------
    FrameError
        If it is none.
    """
    return _series(document_of(body))


def read_features(body: bytes) -> Page:
    """Return what a page of the OGC API says.

    Raises
    ------
    FrameError
        If it is none.
    """
    return _features(document_of(body))


def _series(document: Any) -> Page:  # noqa: ANN401 -- whatever JSON holds
    value = part(document, "value")
    if not isinstance(value.get("timeSeries"), list):
        raise FrameError("value.timeSeries: there is none, so this is no answer of Water Services")
    page = Page()
    for series in value["timeSeries"]:
        variable = part(series, "variable")
        code = text(_first(variable, "variableCode"), "value")
        unit, observed = _meaning(code, text(part(variable, "unit"), "unitCode"), page)
        name = titled(text(variable, "variableName"), "unit")
        missing = number_of(variable.get("noDataValue"))
        taken: set[str] = set()
        for values in items(series, "values"):
            method = _first(values, "method")
            key = code or name or "value"
            if text(method, "methodDescription") or key in taken:
                key = f"{key}.{text(method, 'methodID') or len(taken)}"
            taken.add(key)
            for item in items(values, "value"):
                _add(page, item, Said(key, math.nan, unit, observed), missing)
    return page


def _add(page: Page, item: object, kind: Said, missing: float) -> None:
    if not isinstance(item, dict):
        page.complain(f"{kind.key}: {item!r:.60} is no value")
        return
    try:
        time = moment(item.get("dateTime"))
    except FrameError as error:
        page.complain(f"{kind.key}: {error}")
        return
    number = number_of(item.get("value"))
    words = items(item, "qualifiers")
    mark = str(words[0])[:16] if len(words) == 1 else ",".join(str(word)[:16] for word in words[:8])
    if math.isnan(number) and not mark:
        page.complain(f"{kind.key}: {text(item, 'value')!r} is no number")
    value = math.nan if number == missing else number
    page.values.append(Said(kind.key, value, kind.unit, kind.observed_property, time, mark=mark or None))


def _features(document: Any) -> Page:  # noqa: ANN401 -- whatever JSON holds
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise FrameError("features: there are none, so this is no page of the OGC API")
    page = Page()
    for feature in document["features"]:
        told = part(feature, "properties")
        code = text(told, "parameter_code")
        key = f"{code or 'value'}.{text(told, 'time_series_id')[:8]}".rstrip(".")
        unit, observed = _meaning(code, text(told, "unit_of_measure"), page)
        if text(told, "statistic_id") not in {"", "00011"}:
            observed = None  # a daily mean is another quantity than what stands in the river now
        try:
            time = moment(told.get("time"))
        except FrameError as error:
            page.complain(f"{key}: {error}")
            continue
        page.values.append(Said(key, number_of(told.get("value")), unit, observed, time, mark=_mark(told)))
    page.next = next((text_of(link) for link in items(document, "links") if _is_next(link)), "")
    return page


def _mark(told: Any) -> str | None:  # noqa: ANN401 -- whatever JSON holds
    status = text(told, "approval_status")
    qualifier = told.get("qualifier")
    words = qualifier if isinstance(qualifier, list) else [qualifier] if isinstance(qualifier, str) else []
    said = [_APPROVAL.get(status.casefold(), status), *(str(word)[:16] for word in words[:8])]
    return ",".join(word for word in said if word) or None


def _is_next(link: object) -> bool:
    return isinstance(link, dict) and link.get("rel") == "next"


def text_of(link: dict[str, Any]) -> str:
    """Return the address of a link; empty where it has none."""
    found = link.get("href")
    return found if isinstance(found, str) and len(found) < 4096 else ""


def _meaning(code: str, unit_text: str, page: Page) -> tuple[str | None, str | None]:
    """Return unit and observed property of a parameter; a unit that is none of its own makes it nobody's."""
    parameter = PARAMETERS.get(code)
    unit: str | None = None
    try:
        unit = _UNITS[unit_text] if unit_text in _UNITS else canonical(unit_text) if unit_text else None
    except UnitError as error:
        page.complain(f"{code}: {error}")
    if parameter is None:
        return unit, None
    if unit is None and not unit_text:
        return parameter.unit, parameter.quantity  # the code implies it
    if unit is None or not same_dimension(unit, vocabulary()[parameter.quantity].unit):
        page.complain(f"{code}: unit {unit_text!r} is none of a {parameter.quantity}")
        return unit, None
    return unit, parameter.quantity


def _first(element: object, name: str) -> object:
    return next(iter(items(element, name)), None)


DECODER = DecoderInfo(name="usgs", title="USGS Water Services, OGC API", make=lambda _: DocumentDecoder(read))
