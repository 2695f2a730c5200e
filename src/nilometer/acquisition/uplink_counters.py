"""What frame counters tell: uplinks that never came, those that come twice or late, and devices that began anew."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

__all__ = ["Counters"]

MOST_DEVICES = 20_000
MOST_KEPT = 64
MOST_MISSING = 1024


@dataclass(slots=True)
class _Device:
    newest: int
    seen: OrderedDict[int, tuple[int, int | None]] = field(default_factory=OrderedDict)
    missing: set[int] = field(default_factory=set)


class Counters:
    """The newest uplinks of each device, by frame counter; bounded in devices and in uplinks."""

    def __init__(self) -> None:
        self._devices: OrderedDict[str, _Device] = OrderedDict()

    def hear(self, device: str, counter: int, content: int, received: int | None) -> tuple[int | None, str]:
        """Note an uplink.

        Parameters
        ----------
        device : str
            Whose it is.
        counter : int
            Its frame counter.
        content : int
            A hash of its bytes: a device that began anew counts the same numbers with other bytes.
        received : int, optional
            When the network took it, µs since 1970 UTC.

        Returns
        -------
        received : int or None
            That of the first copy where this is a further one (several gateways, a second delivery), so that both are
            the same observation; else as given.
        note : str
            What is worth saying, or "".
        """
        known = self._devices.get(device)
        if known is None:
            if len(self._devices) >= MOST_DEVICES:
                self._devices.popitem(last=False)
            known = self._devices[device] = _Device(counter)
            self._keep(known, counter, content, received)
            return received, ""
        before = known.seen.get(counter)
        if before is not None and before[0] == content:
            return before[1], ""
        if counter > known.newest:
            gap = counter - known.newest - 1
            known.missing.update(range(max(known.newest + 1, counter - MOST_MISSING), counter))
            note = f"{device}: {gap} uplinks missing before frame {counter}" if gap else ""
            known.newest = counter
        elif counter in known.missing:
            known.missing.discard(counter)
            note = f"{device}: frame {counter} came late, after {known.newest}"
        else:
            note = f"{device}: the frame counter began anew at {counter}, after {known.newest}"
            known.newest = counter
            known.seen.clear()
            known.missing.clear()
        if len(known.missing) > MOST_MISSING:
            known.missing = set(sorted(known.missing)[-MOST_MISSING:])
        self._keep(known, counter, content, received)
        return received, note

    def _keep(self, known: _Device, counter: int, content: int, received: int | None) -> None:
        known.seen[counter] = (content, received)
        if len(known.seen) > MOST_KEPT:
            known.seen.popitem(last=False)
