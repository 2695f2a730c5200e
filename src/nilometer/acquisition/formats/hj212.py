"""Captures of HJ 212 packets: a column a code and statistic, a row a station and time.

The wire carries no zone: times are China's unless another is named. A real-time value is of an instant; minute, hour
and day values bear the start of their interval (HJ 212-2017, DataTime).
"""

from __future__ import annotations

import re
from pathlib import Path

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import recording_of
from nilometer.acquisition.formats.timeseries import Series, side_by_side
from nilometer.acquisition.protocols.hj212 import CHINA, Hj212Decoder
from nilometer.errors import ReadError
from nilometer.model.properties import by_hj525

__all__ = ["FORMAT", "read"]

_INTERVALS = {"2011": "", "2051": "minute", "2061": "hour", "2031": "day"}
_METHODS = {"Rtd": "point", "Avg": "mean", "Min": "minimum", "Max": "maximum", "Cou": "sum"}
_FRAME = re.compile(rb"##\d{4}(ST|QN)=")


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a capture of HJ 212 packets.

    Raises
    ------
    ReadError
        If no packet with a right check has a value and a time.
    """
    # As of UTC, so that the times come as the wire has them; the zone is put on below.
    decoder = Hj212Decoder("UTC")
    series: dict[tuple[str, str, str, str], Series] = {}
    bad: list[BadFrame] = []
    for items in (decoder.feed(opening.contents(path)), decoder.close()):
        for item in items:
            if isinstance(item, BadFrame):
                bad.append(item)
            else:
                _take(series, item)
    if not series:
        why = f": the first of {len(bad)} bad frames: {bad[0].error}" if bad else ""
        raise ReadError(
            f"no HJ 212 packet with a right check has a value and a time{why}", path=path, format=FORMAT.name
        )
    raw = side_by_side(list(series.values()), path, FORMAT.name, {"stamps": _stamps(series)})
    raw.zone = CHINA
    if wishes.time_zone is None:
        raw.notes.append(f"the wire carries no zone: {CHINA} is assumed (time_zone= names another)")
    if bad:
        raw.notes.append(f"{len(bad)} frames are left out, the first at byte {bad[0].offset}: {bad[0].error}")
    return recording_of(raw, wishes)


def _take(series: dict[tuple[str, str, str, str], Series], item: DecodedValue) -> None:
    interval = _INTERVALS.get(str(item.more.get("CN", "")))
    if interval is None or item.time is None or not isinstance(item.value, int | float):
        return
    statistic = str(item.more.get("statistic", ""))
    station = str(item.more.get("MN", ""))
    key = (station, interval, item.parameter, statistic)
    if key not in series:
        term = by_hj525(item.parameter) if statistic != "Cou" else None
        series[key] = Series(
            site=station,
            name=" ".join(word for word in (item.parameter, interval) if word),
            unit=item.unit or "",
            quantity=None if term is None else term.key,
            statistic=_METHODS.get(statistic, statistic.casefold()),
        )
    one = series[key]
    one.times.append(item.time.removesuffix("+00:00").removesuffix("Z"))
    one.values.append(repr(float(item.value)))
    one.qualifiers.append(item.flag or "")


def _stamps(series: dict[tuple[str, str, str, str], Series]) -> str:
    intervals = sorted({interval for _, interval, _, _ in series})
    told = ["instant (real-time)" if not interval else f"start of the {interval}" for interval in intervals]
    return "; ".join(told)


def _sniff(_path: Path, head: bytes) -> float:
    lines = [line for line in head.splitlines()[:100] if line.strip()]
    frames = sum(bool(_FRAME.search(line)) for line in lines)
    return 0.95 if lines and frames > 0.3 * len(lines) else 0.0


FORMAT = FormatInfo(
    name="hj212", title="Captures of HJ 212 packets", suffixes=(".txt", ".log"), sniff=_sniff, read=read
)
