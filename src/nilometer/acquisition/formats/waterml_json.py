"""WaterML 1.1 as JSON, as USGS Water Services answer with ``format=json``; every value bears its offset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nilometer.acquisition.formats import opening, usgs
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import recording_of
from nilometer.acquisition.formats.timeseries import Series, side_by_side
from nilometer.acquisition.formats.waterml import titled
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a WaterML-JSON document.

    Raises
    ------
    ReadError
        If it is no such JSON, or there is no value in it.
    """
    data, _ = opening.text_of(path)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ReadError(f"it is no JSON: {error}", path=path, line=line, format=FORMAT.name) from error
    body = _part(document, "value") or document
    found = [part for part in _parts(body, "timeSeries") if isinstance(part, dict)]
    if not found:
        raise ReadError("there is no value.timeSeries in it", path=path, format=FORMAT.name)
    series = [one for part in found for one in _series(part)]
    metadata = {"stamps": usgs.stamps([one.statistic for one in series])}
    return recording_of(side_by_side(series, path, FORMAT.name, metadata), wishes)


def _series(part: dict[str, Any]) -> Iterator[Series]:
    source, variable = _part(part, "sourceInfo"), _part(part, "variable")
    code = _text(_first(variable, "variableCode"), "value")
    unit = _text(_part(variable, "unit"), "unitCode")
    parameter = usgs.PARAMETERS.get(code)
    options = _parts(_part(variable, "options"), "option")
    statistic = next((_text(o, "optionCode") for o in options if _text(o, "name") == "Statistic"), "") or "00011"
    missing = _text(variable, "noDataValue")
    for values in _parts(part, "values"):
        one = Series(
            site=" ".join(w for w in (_text(_first(source, "siteCode"), "value"), _text(source, "siteName")) if w),
            name=titled(_text(variable, "variableName"), unit) or code or "value",
            unit=parameter.unit if parameter else unit,
            quantity=parameter.quantity if parameter else None,
            # Code 00000 is "no statistic": values of an instant.
            statistic=usgs.STATISTICS.get("00011" if statistic == "00000" else statistic, ""),
            missing=missing,
        )
        for value in _parts(values, "value"):
            text = _text(value, "value")
            one.times.append(_text(value, "dateTime"))
            one.values.append(missing if _is_number(text, missing) else text)
            one.qualifiers.append(" ".join(str(word) for word in _parts(value, "qualifiers")))
        yield one


def _part(element: object, name: str) -> dict[str, Any]:
    found = element.get(name) if isinstance(element, dict) else None
    return found if isinstance(found, dict) else {}


def _parts(element: object, name: str) -> list[Any]:
    found = element.get(name) if isinstance(element, dict) else None
    return found if isinstance(found, list) else []


def _first(element: object, name: str) -> dict[str, Any]:
    return next((part for part in _parts(element, name) if isinstance(part, dict)), {})


def _text(element: object, name: str) -> str:
    found = element.get(name) if isinstance(element, dict) else None
    return str(found) if isinstance(found, str | int | float) else ""


def _is_number(text: str, number: str) -> bool:
    try:
        return bool(number) and float(text) == float(number)
    except ValueError:
        return False


def _sniff(_path: Path, head: bytes) -> float:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:2000]
    return (
        0.97
        if start.startswith(b"{") and (b"org.cuahsi.waterml" in start or b"timeSeriesResponseType" in start)
        else 0.0
    )


FORMAT = FormatInfo(name="waterml_json", title="WaterML-JSON (USGS)", suffixes=(".json",), sniff=_sniff, read=read)
