"""``nilometer decode modbus_rtu``: a recorded RS-485 line, both directions, to values."""

from __future__ import annotations

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.acquisition.protocols.modbus_conversation import ModbusDecoder
from nilometer.acquisition.protocols.modbus_stream import RtuSplitter

__all__ = ["DECODER", "decoder"]


def decoder(instrument: str | None = None) -> ModbusDecoder:
    """Return a fresh decoder of RTU frames; see `ModbusDecoder`."""
    return ModbusDecoder(RtuSplitter(), instrument)


DECODER = DecoderInfo(name="modbus_rtu", title="Modbus RTU, requests and answers of a serial line", make=decoder)
