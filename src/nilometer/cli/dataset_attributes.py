"""What a file says of itself as a whole, by the Attribute Convention for Data Discovery (ACDD 1.3).

What the rows and the catalog tell is told; whom they belong to is told where somebody wrote it: in the table
``[thing.properties.acdd]`` of ``nilometer.toml``, or with ``--attribute``. Nothing else is made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer import __version__
from nilometer.errors import ConfigError
from nilometer.model.properties import vocabulary
from nilometer.web.times import format_time

__all__ = ["Coverage", "dataset_attributes", "read_attributes"]


@dataclass(slots=True)
class Coverage:
    """Where and when the rows of a file are; `steps` are the commonest steps of its series, in µs."""

    first: int | None = None
    last: int | None = None
    steps: list[int] = field(default_factory=list)
    places: list[Sequence[float]] = field(default_factory=list)
    depths: list[float] = field(default_factory=list)

    def add(self, times: NDArray[np.int64]) -> None:
        """Count the times of a series in, µs since 1970 UTC."""
        if not len(times):
            return
        first, last = int(times.min()), int(times.max())
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        steps, counts = np.unique(np.diff(np.sort(times)), return_counts=True)
        if len(steps):
            self.steps.append(int(steps[counts.argmax()]))


def read_attributes(texts: Iterable[str]) -> dict[str, str]:
    """Return the attributes of ``name=value`` texts.

    Raises
    ------
    ConfigError
        If a text has no ``=``.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError("--attribute", seen=text, allowed="NAME=VALUE, such as creator_name='River Board'")
        found[name.strip()] = value.strip()
    return found


def dataset_attributes(
    things: Mapping[str, str], properties: Iterable[str], coverage: Coverage, given: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Return the global attributes of a file.

    Parameters
    ----------
    things : mapping of str to str
        Names of its Things, by key.
    properties : iterable of str
        Vocabulary keys of what was observed.
    coverage : Coverage
        Of its rows.
    given : mapping
        What somebody wrote; it wins.
    now : datetime
        The present.
    """
    terms = [term for key in dict.fromkeys(properties) if (term := vocabulary().get(key)) is not None]
    names = ", ".join(things.values())
    words = [term.cf_name or term.name_en for term in terms]
    made = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told: dict[str, Any] = {
        "id": ", ".join(things),
        "summary": f"Observations of water at {names}: {', '.join(term.name_en for term in terms) or 'several'}, with "
        "QARTOD quality flags and the outcome of every test.",
        "keywords": ", ".join(dict.fromkeys(words)) or None,
        "keywords_vocabulary": "CF Standard Names" if terms and all(term.cf_name for term in terms) else None,
        "source": f"nilometer {__version__}",
        "date_created": made,
        "date_modified": made,
    }
    return told | _times(coverage) | _places(coverage) | dict(given)


def _times(coverage: Coverage) -> dict[str, Any]:
    if coverage.first is None or coverage.last is None:
        return {}
    told: dict[str, Any] = {
        "time_coverage_start": format_time(coverage.first),
        "time_coverage_end": format_time(coverage.last),
        "time_coverage_duration": _duration(coverage.last - coverage.first),
    }
    if coverage.steps:
        told["time_coverage_resolution"] = _duration(min(coverage.steps))
    return told


def _duration(microseconds: int) -> str:
    """Return an ISO 8601 duration.

    Examples
    --------
    >>> _duration(90_061_500_000)
    'P1DT1H1M1.5S'
    """
    days, rest = divmod(microseconds, 86_400_000_000)
    hours, rest = divmod(rest, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    parts = [(days, "D"), (hours, "H"), (minutes, "M")]
    date, *time = (f"{number}{unit}" if number else "" for number, unit in parts)
    seconds = f"{rest / 1e6:.6f}".rstrip("0").rstrip(".") + "S" if rest or microseconds == 0 else ""
    clock = "".join(time) + seconds
    return f"P{date}" + (f"T{clock}" if clock else "")


def _places(coverage: Coverage) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if coverage.places:
        longitudes, latitudes = ([float(place[side]) for place in coverage.places] for side in (0, 1))
        told = {
            "geospatial_lat_min": min(latitudes),
            "geospatial_lat_max": max(latitudes),
            "geospatial_lat_units": "degrees_north",
            "geospatial_lon_min": min(longitudes),
            "geospatial_lon_max": max(longitudes),
            "geospatial_lon_units": "degrees_east",
            "geospatial_bounds_crs": "EPSG:4326",
        }
        if len(coverage.places) == 1:
            # EPSG:4326 has the latitude first.
            told["geospatial_bounds"] = f"POINT ({latitudes[0]} {longitudes[0]})"
    if coverage.depths:
        told |= {
            "geospatial_vertical_min": min(coverage.depths),
            "geospatial_vertical_max": max(coverage.depths),
            "geospatial_vertical_units": "m",
            "geospatial_vertical_positive": "down",
        }
    return told
