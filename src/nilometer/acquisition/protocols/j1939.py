"""SAE J1939 as ``nilometer decode`` knows it: the groups of ``j1939_groups.toml`` in lines of frames; does no I/O."""

from __future__ import annotations

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.acquisition.protocols.nmea2000 import GroupDecoder

__all__ = ["DECODER"]

DECODER = DecoderInfo(
    name="j1939",
    title="SAE J1939 in lines of candump",
    make=lambda _instrument: GroupDecoder("j1939"),
)
