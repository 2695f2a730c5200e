"""What several devices behind one source are doing, and what that makes of the source: each change is said once."""

from __future__ import annotations

from collections.abc import Iterable

from nilometer.acquisition.driver import Sink, SourceReport, SourceState

__all__ = ["DeviceStates"]


class DeviceStates:
    """The states of the devices of a source.

    Parameters
    ----------
    names : iterable of str
        The devices.
    sink : Sink
        Told of changes.
    """

    def __init__(self, names: Iterable[str], sink: Sink) -> None:
        self._sink = sink
        self._now: dict[str, tuple[SourceState, str]] = dict.fromkeys(names, (SourceState.STARTING, ""))
        self._summary: tuple[SourceState, str] | None = None

    def of(self, device: str) -> SourceState:
        """Return the state of a device."""
        return self._now[device][0]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the devices."""
        return tuple(self._now)

    @property
    def are_all_silent(self) -> bool:
        """Return whether no device answers."""
        return all(state is SourceState.SILENT for state, _ in self._now.values())

    def note(self, device: str, state: SourceState, detail: str) -> None:
        """Take the state of a device, and let the source be as its worst."""
        if self._now[device] != (state, detail):
            self._now[device] = (state, detail)
            self._sink.report(SourceReport(state=state, detail=detail, device=device))
        silent = [(name, said) for name, (known, said) in self._now.items() if known is SourceState.SILENT]
        if silent:
            self.say(SourceState.SILENT, "; ".join(f"{name}: {said}" for name, said in silent))
        elif all(known is SourceState.LIVE for known, _ in self._now.values()):
            self.say(SourceState.LIVE, "; ".join(f"{name}: {said}" for name, (_, said) in self._now.items() if said))

    def count_bad(self, device: str) -> None:
        """Count a frame that was refused."""
        state, detail = self._now[device]
        self._sink.report(SourceReport(state=state, detail=detail, device=device, bad_frames=1))

    def cut(self, reason: str, detail: str) -> None:
        """Say that no device can be reached."""
        for device in self._now:
            if self._now[device] != (SourceState.DISCONNECTED, reason):
                self._now[device] = (SourceState.DISCONNECTED, reason)
                self._sink.report(SourceReport(state=SourceState.DISCONNECTED, detail=reason, device=device))
        self.say(SourceState.DISCONNECTED, detail)

    def say(self, state: SourceState, detail: str) -> None:
        """Say how the source as a whole is doing."""
        if self._summary != (state, detail):
            self._summary = (state, detail)
            self._sink.report(SourceReport(state=state, detail=detail))
