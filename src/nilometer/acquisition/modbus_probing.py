"""Find the devices of a Modbus line: scan the addresses, try the known register maps, read every value in every order.

Only reads are sent. A sensor that must be started first may show old values or zeros: the note says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from nilometer.acquisition.instrument import ChannelField, Instrument, instruments
from nilometer.acquisition.modbus_master import ModbusMaster, RefusalError
from nilometer.acquisition.probing import Candidate, Plausible, Present, Tried
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus import ReadAnswer, ReadRequest
from nilometer.acquisition.protocols.registers import Order, RegisterType, decode
from nilometer.acquisition.register_map import RegisterImage, RegisterMap
from nilometer.errors import ConfigError, FrameError, LinkTimeout

__all__ = ["addresses_of", "probe"]

MOST_CANDIDATES = 5


def addresses_of(text: str) -> list[int]:
    """Return the addresses that a text names: ``1-247``, ``1,30``; 1 to 32 and the instruments' own where it is empty.

    Raises
    ------
    ConfigError
        If one of them is none.

    Examples
    --------
    >>> addresses_of("1-3,30")
    [1, 2, 3, 30]
    """
    if not text:
        factory = {item.defaults.unit_id for item in instruments().items.values() if isinstance(item, Instrument)}
        return sorted({*range(1, 33), *factory})
    found: list[int] = []
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and 0 <= int(first) <= int(last) <= 255):
            raise ConfigError("--addresses", seen=text, allowed="0 to 255, such as 1-10,30")
        found += range(int(first), int(last) + 1)
    return found


async def probe(
    master: ModbusMaster, addresses: Iterable[int], plausible: Plausible, timeout_s: float, step: Callable[[], None]
) -> list[Present]:
    """Return who answers.

    Parameters
    ----------
    master : ModbusMaster
        The line.
    addresses : iterable of int
        Which to ask.
    plausible : callable
        See `Plausible`.
    timeout_s : float
        How long to wait for each answer, s.
    step : callable
        Called after each address.

    Raises
    ------
    LinkError
        If the link is cut.
    """
    found = []
    for address in addresses:
        note = ""
        try:
            await master.ask(address, ReadRequest(3, 0, 1), timeout_s)
        except RefusalError as error:
            if error.is_absent:
                step()
                continue
        except LinkTimeout:
            step()
            continue
        except FrameError as error:
            note = f"{error}; two devices of one address, or another speed or parity?"
        candidates = [] if note else await _candidates(master, address, plausible, timeout_s)
        if not candidates and not note:
            note = "it answers, and none of the known register maps fits"
        found.append(Present(str(address), candidates=candidates, note=note))
        step()
    return found


async def _candidates(master: ModbusMaster, address: int, plausible: Plausible, timeout_s: float) -> list[Candidate]:
    found = []
    answered: dict[tuple[int, int, int], list[int] | None] = {}
    for model in instruments().items.values():
        if not isinstance(model, Instrument):
            continue
        registers = RegisterMap(model)
        image: RegisterImage = {}
        for read in registers.reads:
            key = (read.function, read.address, read.count)
            if key not in answered:
                answered[key] = await _words(master, address, ReadRequest(*key), timeout_s)
            words = answered[key]
            if words is None:
                break
            image.update({(read.function, read.address + i): word for i, word in enumerate(words)})
        else:
            values = [_tried(registers, channel, image, plausible) for channel in registers.polled]
            note = "it must be started first, which a probe does not do" if model.start else ""
            found.append(Candidate(model.name, values, {"instrument": model.name}, note))
    return sorted(found, key=lambda item: -item.score)[:MOST_CANDIDATES]


async def _words(master: ModbusMaster, address: int, request: ReadRequest, timeout_s: float) -> list[int] | None:
    try:
        answer = await master.ask(address, request, timeout_s)
        return modbus.registers_of(answer)[: request.count] if isinstance(answer, ReadAnswer) else None
    except (LinkTimeout, FrameError):
        return None


def _tried(registers: RegisterMap, channel: ChannelField, image: RegisterImage, plausible: Plausible) -> Tried:
    words = [image[place] for place in registers.places(channel)]
    own = str(registers.instrument.order_of(channel))
    several = channel.registers > 1 and channel.type is not RegisterType.STRING
    orders = [str(order) for order in Order] if several else [own]
    if own in orders:
        orders.sort(key=lambda order: order != own)
    readings = {order: _read(words, channel, Order(order)) for order in orders}
    known = registers.values(image, [channel])[0]
    if isinstance(known.value, float | int):
        readings[own] = None if not math.isfinite(known.value) else float(known.value)
    span = channel.range
    if span is None and channel.observed_property is not None and channel.unit is not None:
        span = plausible(channel.observed_property, channel.unit)
    return Tried(
        channel.key,
        channel.unit,
        channel.observed_property,
        readings,
        own,
        span,
        is_empty=not any(words) or known.is_absent,
    )


def _read(words: list[int], channel: ChannelField, order: Order) -> float | None:
    raw = decode(words, channel.type, order)
    if isinstance(raw, str) or not math.isfinite(raw):
        return None
    return raw * channel.scale + channel.offset
