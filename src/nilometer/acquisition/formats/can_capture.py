"""Captures of CAN frames: candump, NMEA 2000 logs, ASC, BLF, TRC; a DBC database alone is known and refused.

Times are the frames' own where they are dates; else those of the bus's clock (PGN 126992, 129029, 129033); else a day
must be named from which they count. A database (``database=``) gives signals; without one, what the standards of the
field say; and where they say nothing, the bytes.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from nilometer.acquisition.can_database import load
from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.can_frames import Capture, capture, kind_of
from nilometer.acquisition.formats.can_table import Table, by_database, by_standards, raw_bytes
from nilometer.acquisition.formats.recording import FormatInfo, Recording, RecordingColumn, Wishes
from nilometer.errors import ConfigError, ReadError

__all__ = ["FORMAT", "read"]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a capture of CAN frames.

    `wishes.database` names the DBC file of its bus; `wishes.date` the day from which times count that are no dates.

    Raises
    ------
    ReadError
        If there is no frame in it, or none has a time; or it is a DBC database itself.
    ConfigError
        If the date or a column does not exist, or an optional library is missing.
    """
    if kind_of(opening.head(path)) == "dbc":
        raise ReadError(
            "this is a DBC database: it describes the frames of a bus and holds no values; "
            "name it as database= when you read a capture",
            path=path,
            format=FORMAT.name,
        )
    found = capture(path)
    has_times = any(one.time is not None for one in found.said)
    own = has_times and (found.is_absolute or wishes.date is not None)
    start = _start(found, wishes, path) if own else 0
    table, stack = _table(found, wishes, path, own=own, start=start)
    if not table.times:
        raise ReadError(
            "its frames have no date, and no clock of the bus (PGN 126992, 129029, 129033) is in it"
            + (": give date='2014-08-15', the day from which they count" if has_times else ""),
            path=path,
            format=FORMAT.name,
        )
    return _recording(path, wishes, found, table, {"stack": stack, "time column": _clock_said(own=own)})


def _table(found: Capture, wishes: Wishes, path: Path, *, own: bool, start: int) -> tuple[Table, str]:
    if wishes.database is not None:
        if not own:
            raise ReadError(
                "its frames have no date: give date='2014-08-15', the day from which they count",
                path=path,
                format=FORMAT.name,
            )
        return by_database(found, load(wishes.database), path, start=start), f"DBC {Path(wishes.database).name}"
    table = by_standards(found, path, own=own, start=start)
    if table.columns or table.aside or not own:
        return table, "NMEA 2000, J1939, OBD-II"
    return raw_bytes(found, path, start=start), "frames"


def _clock_said(*, own: bool) -> str:
    return "of each frame" if own else "the clock of the bus: values bear the last time that it told"


def _start(found: Capture, wishes: Wishes, path: Path) -> int:
    """Return what is added to the frames' times, µs."""
    if found.is_absolute:
        if found.zone_told or wishes.time_zone is None:
            return 0
        first = min(one.time for one in found.said if one.time is not None)
        try:
            said = dt.datetime.fromtimestamp(first / 1e6, tz=dt.UTC).replace(tzinfo=_zone(wishes.time_zone))
        except (ValueError, OverflowError) as error:
            raise ReadError(f"its first time cannot be: {error}", path=path, format=FORMAT.name) from error
        offset = said.utcoffset() or dt.timedelta()
        return -round(offset.total_seconds()) * 1_000_000
    try:
        day = dt.datetime.fromisoformat(wishes.date or "")
    except ValueError:
        raise ConfigError("date", seen=wishes.date, allowed="a day such as 2014-08-15") from None
    day = day if day.tzinfo is not None else day.replace(tzinfo=_zone(wishes.time_zone or "UTC"))
    return round(day.timestamp()) * 1_000_000


def _zone(name: str) -> dt.tzinfo:
    try:
        return dt.datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo or ZoneInfo(name)
    except ValueError:
        pass
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError("time_zone", seen=name, allowed="a name such as Asia/Shanghai, or +08:00") from None


def _recording(path: Path, wishes: Wishes, found: Capture, table: Table, told: dict[str, str]) -> Recording:
    columns, aside = table.columns, table.aside
    if wishes.columns is not None:
        columns = {name: _wished(name, table, path) for name in wishes.columns}
        aside = {name: part for name, part in aside.items() if name not in columns}
    notes = list(table.notes)
    zone = "UTC"
    if found.bad:
        notes.append(f"{found.bad} lines are no frames, the first: {found.first_bad}")
    if told["time column"] == "of each frame" and not (found.zone_told and found.is_absolute):
        zone = wishes.time_zone or "UTC"
        if wishes.time_zone is None:
            notes.append("its clock tells no zone: UTC is assumed (time_zone= names another)")
    return Recording(
        path=path,
        format=FORMAT.name,
        times=np.array(table.times, np.int64),
        columns=columns,
        aside=aside,
        qualifies={name: owner for name, owner in table.qualifies.items() if owner in columns and name in aside},
        metadata=told | {"writer": found.writer, "time zone": zone, "stamps": "instant"},
        notes=tuple(notes),
    )


def _wished(name: str, table: Table, path: Path) -> RecordingColumn:
    """Return a column, one of the positions and settings that stand aside too."""
    if name in table.columns:
        return table.columns[name]
    if name in table.aside and table.aside[name].type == pa.float64():
        return RecordingColumn(name=name, values=table.aside[name].to_numpy(zero_copy_only=False), unit="1")
    raise ConfigError("columns", seen=name, allowed=[*table.columns, *table.aside], file=path)


def _sniff(_path: Path, head: bytes) -> float:
    return 0.96 if kind_of(head) is not None else 0.0


FORMAT = FormatInfo(
    name="can_capture",
    title="Captures of CAN frames: candump, NMEA 2000 logs, ASC, BLF, TRC",
    suffixes=(".log", ".asc", ".blf", ".trc", ".dbc"),
    sniff=_sniff,
    read=read,
)
