"""``nilometer decode modbus_tcp``: the payload of a Modbus TCP connection, both directions, to values."""

from __future__ import annotations

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.acquisition.protocols.modbus_conversation import ModbusDecoder
from nilometer.acquisition.protocols.modbus_stream import MbapSplitter

__all__ = ["DECODER", "decoder"]


def decoder(instrument: str | None = None) -> ModbusDecoder:
    """Return a fresh decoder of MBAP frames; see `ModbusDecoder`."""
    return ModbusDecoder(MbapSplitter(), instrument)


DECODER = DecoderInfo(name="modbus_tcp", title="Modbus TCP, requests and answers of a connection", make=decoder)
