"""A virtual National Data Buoy Center: the real-time files of one buoy, the newest row first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nilometer import units
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.ndbc import PROPERTIES
from nilometer.acquisition.simulators.simulator import Fault, Feed, Reading, SimulatorInfo
from nilometer.acquisition.simulators.web_service import Asked, Moment, Told, VirtualService
from nilometer.model.properties import term

__all__ = ["SIMULATOR", "make"]

DAYS_US = 45 * 86_400_000_000
_FILES = {
    "txt": (
        "WDIR WSPD GST WVHT DPD APD MWD PRES ATMP WTMP DEWP VIS PTDY TIDE",
        "degT m/s m/s m sec sec degT hPa degC degC degC nmi hPa ft",
    ),
    "ocean": (
        "DEPTH OTMP COND SAL O2% O2PPM CLCON TURB PH EH",
        "m degC mS/cm psu % ppm ug/l FTU - mv",
    ),
}
_UNITS = {"degT": "degree", "sec": "s", "psu": "1", "ppm": "mg L-1", "-": "1", "mv": "mV"}


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    *,
    station: str = "44013",
    files: Sequence[str] = ("txt", "ocean"),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> VirtualService:
    """Return a centre with one buoy; `link` takes ``port``, ``host`` and ``step_s``."""
    answer = partial(_answer, station, clock)
    options = {"stations": [station], "files": list(files)}
    return VirtualService(feed, clock, faults, answer, options=options, path="/data/realtime2", **link)


def _answer(station: str, clock: Clock, asked: Asked, moments: Callable[[int, int], list[Moment]]) -> Told:
    name, _, suffix = asked.path.removeprefix("/data/realtime2/").partition(".")
    if name != station or suffix not in _FILES:
        return Told(b"<html><title>404 Not Found</title></html>", "text/html", "404 Not Found")
    columns, told = (line.split() for line in _FILES[suffix])
    now = clock()
    lines = [f"#YY  MM DD hh mm {' '.join(columns)}", f"#yr  mo dy hr mn {' '.join(told)}"]
    for one in reversed(moments(now - DAYS_US, now)):
        stamp = datetime.fromtimestamp(one.time // 1_000_000, UTC).strftime("%Y %m %d %H %M")
        cells = [_cell(column, unit, one.readings) for column, unit in zip(columns, told, strict=True)]
        lines.append(f"{stamp} {' '.join(cells)}")
    return Told("\n".join([*lines, ""]).encode(), "text/plain")


def _cell(column: str, unit: str, readings: Mapping[str, Reading]) -> str:
    if column == "DEPTH":
        return "1"
    observed = PROPERTIES.get(column, "")
    reading = readings.get(observed)
    if reading is None or math.isnan(reading.value):
        return "MM"
    scale, offset = units.affine(term(observed).unit, units.canonical(_UNITS.get(unit, unit)))
    return f"{reading.value * scale + offset:.2f}"


SIMULATOR = SimulatorInfo(name="ndbc", title="NOAA NDBC real-time files", make=make)
