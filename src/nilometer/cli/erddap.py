"""A ``datasets.xml`` for ERDDAP over netCDF files of ours: one ``EDDTableFromNcCFFiles`` for each file.

The attributes of the files are used as they are; added is what ERDDAP wants beside them. Copy the ``<dataset>``
elements into the server's own ``datasets.xml``, or use this file as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

__all__ = ["Dataset", "datasets_xml"]

_TYPES = {"f8": "double", "f4": "float", "i8": "long", "i4": "int", "i2": "short", "i1": "byte"}
_CATEGORIES = {
    "time": "Time",
    "latitude": "Location",
    "longitude": "Location",
    "station": "Identifier",
    "depth": "Location",
}
_STATION = ("station", "longitude", "latitude")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One file: its name as a dataset, global attributes, and types and attributes of its variables."""

    name: str
    path: Path
    attributes: Mapping[str, Any]
    variables: Mapping[str, tuple[np.dtype[Any], Mapping[str, Any]]]


def datasets_xml(datasets: Iterable[Dataset]) -> str:
    """Return the document."""
    root = ET.Element("erddapDatasets")
    for one in datasets:
        root.append(_dataset(one))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _dataset(one: Dataset) -> ET.Element:
    element = ET.Element("dataset", type="EDDTableFromNcCFFiles", datasetID=one.name, active="true")
    settings = {
        "reloadEveryNMinutes": "1440",
        "fileDir": f"{one.path.parent.resolve()}/",
        "fileNameRegex": one.path.name.replace(".", r"\."),
        "recursive": "false",
        "sortedColumnSourceName": "time",
        "sortFilesBySourceNames": "time",
    }
    for name, value in settings.items():
        ET.SubElement(element, name).text = value
    station = [name for name in _STATION if name in one.variables]
    added = {
        "cdm_data_type": "TimeSeries" if len(station) == len(_STATION) else "Other",
        "cdm_timeseries_variables": ", ".join(station) if len(station) == len(_STATION) else None,
        "subsetVariables": ", ".join(station) or None,
        "sourceUrl": "(local files)",
        # ERDDAP does not load a dataset without these; ??? is its own word for what is not known.
        "infoUrl": one.attributes.get("infoUrl", one.attributes.get("creator_url", "???")),
        "institution": one.attributes.get("institution", one.attributes.get("creator_name", "???")),
        "license": None if "license" in one.attributes else "???",
    }
    _add(element, added)
    for name, (kind, attributes) in one.variables.items():
        element.append(_variable(name, kind, attributes))
    return element


def _variable(name: str, kind: np.dtype[Any], attributes: Mapping[str, Any]) -> ET.Element:
    variable = ET.Element("dataVariable")
    ET.SubElement(variable, "sourceName").text = name
    ET.SubElement(variable, "destinationName").text = name
    ET.SubElement(variable, "dataType").text = _TYPES.get(kind.str[1:], "String")
    quality = attributes.get("coverage_content_type") == "qualityInformation"
    _add(variable, {"ioos_category": _CATEGORIES.get(name, "Quality" if quality else "Unknown")})
    return variable


def _add(element: ET.Element, attributes: Mapping[str, str | None]) -> None:
    added = ET.SubElement(element, "addAttributes")
    for name, value in attributes.items():
        if value is not None:
            ET.SubElement(added, "att", name=name).text = value
