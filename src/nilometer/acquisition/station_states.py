"""Many stations behind one source: the source is as its best station is."""

from __future__ import annotations

from collections.abc import Hashable

from nilometer.acquisition.driver import Sink, SourceReport, SourceState

__all__ = ["StationStates"]


class StationStates:
    """What the stations that dial one source are doing, summed up.

    Parameters
    ----------
    sink : Sink
        Told every change of the sum.
    waiting : SourceReport
        What is said while no station is connected.
    """

    def __init__(self, sink: Sink, waiting: SourceReport) -> None:
        self._sink, self._waiting, self._said = sink, waiting, waiting
        self._states: dict[Hashable, SourceState] = {}
        sink.report(waiting)

    def seen(self, station: Hashable, state: SourceState | None) -> None:
        """Take a station's state; None: it is gone. Live while one is, silent while all that are connected are."""
        if state is None:
            self._states.pop(station, None)
        else:
            self._states[station] = state
        states = set(self._states.values())
        if SourceState.LIVE in states:
            summary = SourceReport(state=SourceState.LIVE)
        elif states:
            summary = SourceReport(state=SourceState.SILENT, detail="every connected station is silent")
        else:
            summary = self._waiting
        if summary != self._said:
            self._said = summary
            self._sink.report(summary)
