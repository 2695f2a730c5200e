"""Linux IIO: names of channels, values in physical units, and scans of a buffer; does no I/O.

::

    in_accel_x_raw  in_temp_input  in_voltage0_raw      one channel: type, index, modifier
    in_accel_scale  in_accel_x_offset                   shared by the type, or its own
    le:s12/16>>4                                        a scan element: order, sign, bits, storage, shift

``value = (raw + offset) * scale`` in the unit of the type; ``_input`` is ready-made. Without a file the offset is 0 and
the scale 1.

References
----------
Linux kernel, Documentation/ABI/testing/sysfs-bus-iio.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from nilometer.acquisition.decoding import DecodedValue
from nilometer.errors import FrameError

__all__ = [
    "UNITS",
    "IioChannel",
    "ScanElement",
    "channel_of",
    "channels_in",
    "decode_files",
    "decode_scan",
    "files_of",
    "number",
    "value_of",
]

UNITS: Mapping[str, tuple[str, float]] = {
    "accel": ("m/s2", 1.0),
    "anglvel": ("rad/s", 1.0),
    "magn": ("gauss", 1.0),
    "temp": ("degC", 0.001),
    "humidityrelative": ("%", 0.001),
    "pressure": ("kPa", 1.0),
    "voltage": ("mV", 1.0),
    "current": ("mA", 1.0),
    "resistance": ("ohm", 1.0),
    "illuminance": ("lux", 1.0),
    "distance": ("m", 1.0),
    "ph": ("1", 1.0),
    "electricalconductivity": ("S/m", 1.0),
    "concentration": ("%", 1.0),
}
"""Unit of each type of channel after scale, and the factor to it: temperature and humidity come in thousandths."""

_NAME = re.compile(
    r"in_(?P<type>[a-z]+)(?P<index>\d{1,4})?(?:-[a-z]+\d{1,4})?(?:_(?P<modifier>[a-z0-9_]{1,40}?))?_(?P<kind>raw|input)"
)
_TYPE = re.compile(
    r"(?P<order>be|le):(?P<sign>[su])(?P<bits>\d{1,3})/(?P<storage>\d{1,3})(?:X(?P<repeat>\d{1,3}))?>>(?P<shift>\d{1,3})"
)


class IioChannel(NamedTuple):
    """One channel of a device: `key` is its name without ``in_`` and the kind of its file (``accel_x``)."""

    key: str
    type: str
    file: str
    is_ready: bool


class ScanElement(NamedTuple):
    """How one channel lies in a scan."""

    is_big: bool
    signed: bool
    bits: int
    storage: int
    repeat: int
    shift: int

    @classmethod
    def parse(cls, text: str) -> ScanElement:
        """Return the element that ``…_type`` describes.

        Raises
        ------
        FrameError
            If it is not of that grammar, or more bits are told than are stored.

        Examples
        --------
        >>> ScanElement.parse("le:s12/16>>4").value(bytes.fromhex("40f3"))
        -204
        """
        found = _TYPE.fullmatch(text.strip())
        if found is None:
            raise FrameError(f"{text[:40]!r} is no type of a scan element", frame=text[:64].encode("utf-8", "replace"))
        bits, storage, shift = int(found["bits"]), int(found["storage"]), int(found["shift"])
        repeat = int(found["repeat"] or 1)
        if storage not in (8, 16, 32, 64, 128) or not 1 <= bits <= storage - shift or not 1 <= repeat <= 64:
            raise FrameError(f"{text.strip()}: {bits} bits do not lie so in {storage}", frame=text[:64].encode())
        return cls(found["order"] == "be", found["sign"] == "s", bits, storage, repeat, shift)

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return self.storage // 8 * self.repeat

    def value(self, data: bytes) -> int:
        """Return the number stored in the first of its places.

        Raises
        ------
        FrameError
            If there are too few bytes.
        """
        width = self.storage // 8
        if len(data) < width:
            raise FrameError(f"{len(data)} bytes, not {width}", frame=data)
        raw = int.from_bytes(data[:width], "big" if self.is_big else "little") >> self.shift & ((1 << self.bits) - 1)
        return raw - (1 << self.bits) if self.signed and raw >> (self.bits - 1) else raw


def decode_scan(elements: Sequence[ScanElement], data: bytes) -> Iterator[tuple[int, ...]]:
    """Return the raw numbers of each whole scan: elements in their order, each aligned to its storage.

    Raises
    ------
    FrameError
        If the data end within a scan.

    Examples
    --------
    >>> x, t = ScanElement.parse("le:s16/16>>0"), ScanElement.parse("le:s64/64>>0")
    >>> list(decode_scan([x, t], bytes.fromhex("f4ff000000000000" "0a00000000000000")))
    [(-12, 10)]
    """
    places: list[int] = []
    at = 0
    for one in elements:
        width = one.storage // 8
        at = -(-at // width) * width
        places.append(at)
        at += one.size
    widest = max((one.storage // 8 for one in elements), default=1)
    size = -(-at // widest) * widest
    if not size or len(data) % size:
        raise FrameError(f"{len(data)} bytes are no whole number of scans of {size}", frame=data[:64])
    for start in range(0, len(data), size):
        yield tuple(
            one.value(data[start + place : start + place + one.size])
            for one, place in zip(elements, places, strict=True)
        )


def channel_of(file: str) -> IioChannel | None:
    """Return the channel that a file of a device's folder is the value of, or None.

    Examples
    --------
    >>> channel_of("in_accel_x_raw")
    IioChannel(key='accel_x', type='accel', file='in_accel_x_raw', is_ready=False)
    """
    found = _NAME.fullmatch(file)
    if found is None:
        return None
    return IioChannel(file[3:].rpartition("_")[0], found["type"], file, found["kind"] == "input")


def channels_in(files: Iterator[str] | Sequence[str]) -> list[IioChannel]:
    """Return the channels of a folder's files; of raw and ready-made values of one channel the ready-made."""
    found: dict[str, IioChannel] = {}
    for name in sorted(files):
        channel = channel_of(name)
        if channel is not None and (channel.is_ready or channel.key not in found):
            found[channel.key] = channel
    return list(found.values())


def shared(channel: IioChannel, what: str) -> tuple[str, str, str]:
    """Return the names that a channel's scale or offset may have: its own, its type's, its index's without modifier."""
    return f"in_{channel.key}_{what}", f"in_{channel.type}_{what}", f"{what}"


def files_of(channel: IioChannel, present: Collection[str]) -> list[str]:
    """Return the files of a folder that a channel's value is made of."""
    if channel.is_ready:
        return [channel.file]
    names = (name for what in ("offset", "scale") for name in shared(channel, what))
    return [channel.file, *(name for name in names if name in present)]


def number(text: str, file: str) -> float:
    """Return the number in a file of sysfs.

    Raises
    ------
    FrameError
        If there is none.
    """
    try:
        value = float(text.strip())
    except ValueError:
        raise FrameError(
            f"{file} holds {text.strip()[:40]!r}, no number", frame=text[:64].encode("utf-8", "replace")
        ) from None
    if value - value != 0:
        raise FrameError(f"{file} holds {text.strip()[:40]!r}, no number", frame=text[:64].encode("utf-8", "replace"))
    return value


def value_of(channel: IioChannel, files: Mapping[str, str | None]) -> float:
    """Return a channel's value in the unit of its type.

    Parameters
    ----------
    channel : IioChannel
        The channel.
    files : mapping of str to str or None
        Contents of the device's files by name; None: the file is not there.

    Raises
    ------
    FrameError
        If a file holds no number.
    """
    value = number(files.get(channel.file) or "", channel.file)
    if not channel.is_ready:
        for what, neutral in (("offset", 0.0), ("scale", 1.0)):
            names = [name for name in shared(channel, what) if files.get(name) is not None]
            other = number(files[names[0]] or "", names[0]) if names else neutral
            value = value + other if what == "offset" else value * other
    return value * UNITS.get(channel.type, ("", 1.0))[1]


def decode_files(files: Mapping[str, str | None]) -> list[DecodedValue]:
    """Return the values of a device's folder.

    Raises
    ------
    FrameError
        If a file holds no number.

    Examples
    --------
    >>> files = {"name": "adxl345", "in_accel_x_raw": "-12", "in_accel_scale": "0.038300"}
    >>> [(item.parameter, round(item.value, 4), item.unit) for item in decode_files(files)]
    [('accel_x', -0.4596, 'm/s2')]
    """
    present = [name for name, text in files.items() if text is not None]
    return [
        DecodedValue(
            parameter=channel.key,
            value=value_of(channel, files),
            unit=UNITS.get(channel.type, (None, 1.0))[0],
            more={"device": (files.get("name") or "").strip()},
        )
        for channel in channels_in(present)
    ]
