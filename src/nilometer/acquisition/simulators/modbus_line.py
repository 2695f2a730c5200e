"""The devices of a simulated Modbus line as pymodbus' servers ask for them, and the faults of the wire between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.exceptionresponse import ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
)

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.instrument import Instrument, instrument
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.modbus_device import IllegalAddressError, VirtualDevice
from nilometer.acquisition.simulators.simulator import Fault, Feed, WireFault, active_fault

__all__ = ["REQUESTS", "Occupant", "SimulatedLine"]


@dataclass(frozen=True, slots=True)
class Occupant:
    """One device on a simulated line: its instrument (a name, a path, or an `Instrument`), water and faults."""

    instrument: str | Instrument
    feed: Feed
    unit_id: int | None = None
    faults: Sequence[Fault] = ()


class _ReadAny:
    """Read requests of any count: pymodbus refuses 0, which starts real sensors."""

    def decode(self, data: bytes) -> None:
        self.address, self.count = int.from_bytes(data[:2]), int.from_bytes(data[2:4])


class _ReadHolding(_ReadAny, ReadHoldingRegistersRequest):
    pass


class _ReadInput(_ReadAny, ReadInputRegistersRequest):
    pass


class _WriteAny(WriteMultipleRegistersRequest):
    """Write requests of any count, for the same reason."""

    async def datastore_update(self, context: Any, device_id: int) -> ModbusPDU:  # noqa: ANN401 -- our own context
        refusal = await context.async_setValues(device_id, self.function_code, self.address, self.registers)
        if refusal:
            return ExceptionResponse(self.function_code, refusal)
        return WriteMultipleRegistersResponse(
            address=self.address, count=self.count, dev_id=device_id, transaction_id=self.transaction_id
        )


class SimulatedLine:
    """The devices of a line as pymodbus asks for them, and the faults of the wire between."""

    def __init__(self, occupants: Sequence[Occupant], clock: Clock) -> None:
        self._clock, self._began = clock, clock()
        loop = asyncio.get_running_loop()
        self.devices: dict[int, VirtualDevice] = {}
        self.faults: dict[int, list[Fault]] = {}
        self.is_framed_by_crc = True
        for occupant in occupants:
            model = (
                occupant.instrument if isinstance(occupant.instrument, Instrument) else instrument(occupant.instrument)
            )
            unit_id = model.defaults.unit_id if occupant.unit_id is None else occupant.unit_id
            wire, value = split_faults(occupant.faults)
            feed = FaultyFeed(occupant.feed, value, self._began) if value else occupant.feed
            self.devices[unit_id] = VirtualDevice(model, feed, clock, loop.time)
            self.faults[unit_id] = wire

    def active(self, unit_id: int, kind: WireFault) -> bool:
        """Return whether a fault is on a device now."""
        elapsed_s = (self._clock() - self._began) / 1e6
        return active_fault(self.faults.get(unit_id, ()), kind, elapsed_s) is not None

    def is_down(self) -> bool:
        """Return whether a restart is going on; it takes the whole line."""
        return any(self.active(unit_id, WireFault.RESTART) for unit_id in self.devices)

    def device_ids(self) -> list[int]:
        """Return the addresses on the line."""
        return list(self.devices)

    def _device(self, unit_id: int) -> VirtualDevice:
        if unit_id not in self.devices:
            raise NoSuchIdException(f"no device {unit_id}")
        return self.devices[unit_id]

    async def async_getValues(  # noqa: N802 -- pymodbus' word
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        """Return registers of a device as they stand now, or why not."""
        try:
            swapped = self.active(device_id, WireFault.SWAPPED_WORDS)
            return self._device(device_id).read(func_code, address, count, swapped=swapped)
        except IllegalAddressError:
            return ExcCodes.ILLEGAL_ADDRESS

    async def async_setValues(  # noqa: N802 -- pymodbus' word
        self, device_id: int, func_code: int, address: int, values: Sequence[int]
    ) -> ExcCodes | None:
        """Let a device take a write, or say why not."""
        try:
            self._device(device_id).write(func_code, address, values)
        except IllegalAddressError:
            return ExcCodes.ILLEGAL_ADDRESS
        return None

    def trace(self, sending: bool, data: bytes) -> bytes:  # noqa: FBT001 -- pymodbus calls it so
        """Let a finished frame pass, or suffer: pymodbus shows every one here."""
        if not sending or len(data) < (4 if self.is_framed_by_crc else 8):
            return data
        unit_id = data[0] if self.is_framed_by_crc else data[6]
        if self.active(unit_id, WireFault.SILENCE):
            return b""
        if self.active(unit_id, WireFault.WRONG_CRC):
            # MBAP has no check value: there the exchange's number is spoilt.
            place = len(data) - 1 if self.is_framed_by_crc else 1
            return data[:place] + bytes([data[place] ^ 0x5A]) + data[place + 1 :]
        return data


REQUESTS: list[type[ModbusPDU]] = [_ReadHolding, _ReadInput, _WriteAny]
"""What a server is given in place of its own request classes."""
