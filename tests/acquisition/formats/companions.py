"""The answers that stand beside real sonde files: parameters, units and some rows, as their owners read them."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

# What the owners call a quantity, and the keys that it may have here.
KEYS = {
    "water_temperature": ("water_temperature",),
    "water_specific_conductance": ("conductivity_25",),
    "water_electrical_conductivity": ("conductivity",),
    "seawater_salinity": ("salinity",),
    "water_dissolved_oxygen_concentration": ("dissolved_oxygen",),
    "water_dissolved_oxygen_percent_saturation": ("oxygen_saturation",),
    "water_ph": ("ph",),
    "water_depth_non_vented": ("sensor_depth", "water_level"),
    "instrument_battery_voltage": ("battery_voltage",),
    "water_total_dissolved_salts": ("tds",),
    "water_pressure": ("water_pressure",),
    "water_surface_elevation": ("water_level",),
    "air_pressure": ("air_pressure",),
}


class Companion(NamedTuple):
    """What one answer file tells; rows are µs since 1970 by the station's clock, then values."""

    parameters: list[str]
    serial: str
    site: str
    rows: list[tuple[int, list[float]]]


def companion(path: Path) -> Companion:
    """Return the answers of a file."""
    text = "\n".join(line for line in path.read_text("latin-1").splitlines() if not line.startswith("#"))
    parameters = ast.literal_eval(re.search(r"^parameters\s*=\s*(\[[^\]]*\])", text, re.MULTILINE)[1])
    told = {
        name: re.search(rf"^{name}[ \t]*=[ \t]*'?([^'\n]*)", text, re.MULTILINE)
        for name in ("serial_number", "site_name")
    }
    rows = []
    for line in re.findall(r"^\[('.*?)\],?\s*$", text, re.MULTILINE):
        stamp, *values = ast.literal_eval(f"[{line}]")
        at = datetime.strptime(stamp, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
        numbers = [float("nan") if float(value) == -1e10 else float(value) for value in values]
        rows.append((round(at.timestamp() * 1_000_000), numbers))
    serial, site = (match[1].strip() if match else "" for match in told.values())
    return Companion(parameters, serial, site, rows)
