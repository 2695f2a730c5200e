"""Find the sensors of an SDI-12 bus: ask every address, who it is, and what it measures now."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.instrument import instruments
from nilometer.acquisition.probing import Candidate, Plausible, Present, Tried
from nilometer.acquisition.protocols.sdi12_answer import Identification, Parameter
from nilometer.acquisition.protocols.sdi12_command import ADDRESSES, command
from nilometer.acquisition.sdi12_bus import Sdi12Bus
from nilometer.acquisition.sdi12_instrument import Sdi12Instrument
from nilometer.acquisition.sdi12_measuring import Measured, Recorder
from nilometer.acquisition.sdi12_sensors import Sensor
from nilometer.acquisition.sdi12_values import meaning
from nilometer.errors import ConfigError, FrameError, LinkTimeout

__all__ = ["addresses_of", "probe"]

TRIES = 2
WITH_METADATA = "1.4"


def addresses_of(text: str) -> str:
    """Return the addresses that a text names: ``0-9``, ``0,3,a-f``; all where it is empty.

    Raises
    ------
    ConfigError
        If one of them is none.

    Examples
    --------
    >>> addresses_of("0-2,z")
    '012z'
    """
    found = ""
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        last = last or first
        if len(first) != 1 or len(last) != 1 or first not in ADDRESSES or last not in ADDRESSES:
            raise ConfigError("--addresses", seen=text, allowed="0-9, A-Z, a-z, such as 0-9,a")
        found += ADDRESSES[ADDRESSES.index(first) : ADDRESSES.index(last) + 1]
    return found or ADDRESSES


async def probe(
    bus: Sdi12Bus,
    addresses: Iterable[str],
    plausible: Plausible,
    clock: Clock,
    step: Callable[[], None],
) -> list[Present]:
    """Return who answers.

    Parameters
    ----------
    bus : Sdi12Bus
        The bus.
    addresses : iterable of str
        Which to ask.
    plausible : callable
        See `Plausible`.
    clock : callable
        The present, µs since 1970 UTC.
    step : callable
        Called after each address.

    Raises
    ------
    LinkError
        If the link is cut.
    """
    found = []
    addresses = list(addresses)
    for address in addresses[:1]:
        # Whatever noise, or another speed, has begun on the bus, the first command ends: it may be heard by nobody.
        with contextlib.suppress(LinkTimeout, FrameError):
            await bus.ask(command(f"{address}!"), tries=1)
    for address in addresses:
        try:
            await bus.ask(command(f"{address}!"), tries=1)
        except LinkTimeout:
            step()
            continue
        except FrameError as error:
            found.append(Present(address, note=f"{error}; two sensors of one address?"))
            step()
            continue
        found.append(await _about(bus, address, plausible, clock))
        step()
    return found


async def _about(bus: Sdi12Bus, address: str, plausible: Plausible, clock: Clock) -> Present:
    try:
        said = await bus.ask(command(f"{address}I!"), tries=TRIES)
    except (LinkTimeout, FrameError) as error:
        return Present(address, note=f"no identification: {error}")
    who = said if isinstance(said, Identification) else None
    text = who.text if who is not None else ""
    crc = False if who is not None and who.version and who.version < "1.3" else None
    sensor = Sensor(address, "", address, ("M",), crc, (), 60.0)
    known = list(_known(text))
    note = ""
    measured: Measured | None = None
    name = known[0].defaults.commands[0] if known else "M"
    try:
        measured = await Recorder(bus, clock).measure(sensor, name, TRIES)
        note = measured.note
    except (LinkTimeout, FrameError) as error:
        note = str(error)
    candidates = [_candidate(model, measured, plausible) for model in known]
    if not candidates and measured is not None:
        has_metadata = who is not None and who.version >= WITH_METADATA
        candidates = [await _unknown(bus, address, measured, has_metadata=has_metadata)]
    return Present(address, text, sorted(candidates, key=lambda item: -item.score), note)


def _known(text: str) -> Iterator[Sdi12Instrument]:
    for item in instruments().items.values():
        if not isinstance(item, Sdi12Instrument) or not item.defaults.identification:
            continue
        if re.match(item.defaults.identification, text):
            yield item


def _candidate(model: Sdi12Instrument, measured: Measured | None, plausible: Plausible) -> Candidate:
    values = []
    for position, number in enumerate(measured.values if measured is not None else (), 1):
        own = model.at(measured.name if measured is not None else "M", position)
        if own is None:
            continue
        span = own.range
        if span is None and own.observed_property and own.unit:
            span = plausible(own.observed_property, own.unit)
        values.append(Tried(own.key, own.unit, own.observed_property, {"": meaning(own, number).value}, range=span))
    return Candidate(model.name, values, {"instrument": model.name})


async def _unknown(bus: Sdi12Bus, address: str, measured: Measured, *, has_metadata: bool) -> Candidate:
    """Return a sensor of no known kind, with what version 1.4 lets it say of its values."""
    values, channels = [], []
    for position, number in enumerate(measured.values, 1):
        said: Parameter | None = None
        if has_metadata:
            try:
                answer = await bus.ask(command(f"{address}IM_{position:03d}!"), tries=1)
                said = answer if isinstance(answer, Parameter) else None
            except (LinkTimeout, FrameError):
                has_metadata = False
        key = f"value_{position}"
        words = f"{said.shef} {said.units} {' '.join(said.more)}".strip() if said is not None else ""
        values.append(Tried(key, said.units if said is not None else None, None, {"": number}))
        channels.append({"key": key, "position": position} | ({"name": words} if words else {}))
    note = "no instrument file knows it: give its values names, units and properties"
    return Candidate(None, values, {"commands": ["M"], "channels": channels}, note)
