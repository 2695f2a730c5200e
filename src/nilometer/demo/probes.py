"""Probes in the water: noise, resolution, fouling between cleanings, and the faults that quality control is for.

The order is that of nature: the water, what grows on the probe, its noise, its digits, and then what goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.demo.episodes import Episodes, Hit
from nilometer.demo.noise import normal, seed_of
from nilometer.demo.sun import DAY_US

__all__ = ["Probe", "ProbeColumns", "Probes"]

_SECOND_US = 1_000_000
Water = Callable[[NDArray[np.int64]], Mapping[str, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One instrument that measures without pause.

    Parameters
    ----------
    key : str
        What it measures, vocabulary key, in the vocabulary's unit.
    decimals : int
        Digits after the point that it shows.
    noise, noise_share : float
        Standard deviation of its noise: constant, and as a share of the value.
    spike : tuple of (float, float)
        Least and most that a spike adds; the sign is drawn unless `one_sided`.
    one_sided : bool
        Spikes go the way the numbers say.
    lost : float, optional
        What it shows in a spike in place of adding: a lost echo, a probe in air.
    lowest, highest : float
        Ends of its range.
    fouling, fouling_share : float
        What growth adds after a week: constant, and as a share of the value; it grows with the power 1.5 of time.
    in_air : float, optional
        What it shows while it is out for cleaning.
    weight : float
        How often spikes choose it.
    is_circular : bool
        A direction: 360 is 0.
    """

    key: str
    decimals: int
    noise: float = 0.0
    noise_share: float = 0.0
    spike: tuple[float, float] = (0.0, 0.0)
    one_sided: bool = False
    lost: float | None = None
    lowest: float = 0.0
    highest: float = float("inf")
    fouling: float = 0.0
    fouling_share: float = 0.0
    in_air: float | None = None
    weight: float = 1.0
    is_circular: bool = False


@dataclass(frozen=True, slots=True)
class ProbeColumns:
    """Values of one probe, NaN where it says that it has none, and its marks (None: nothing to say)."""

    values: NDArray[np.float64]
    marks: NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """The probes of one Thing in one water.

    Parameters
    ----------
    water : callable
        µs since 1970 UTC to the state of the water by vocabulary key.
    probes : sequence of Probe
        In the order of their spikes' draws: appending one changes the others' faults.
    seed : str
        Which faults.
    spike_slot_min : float
        A spike in each such slot.
    cleaned_every_days : float, optional
        A cleaning of all probes that have an `in_air`, in each such slot; None: they stay in.
    normal_mark, fault_mark, maintenance_mark : str, optional
        What the logger says of a value, of a drop-out, and during a cleaning.
    """

    water: Water
    probes: Sequence[Probe]
    seed: str
    spike_slot_min: float = 30.0
    cleaned_every_days: float | None = None
    normal_mark: str | None = None
    fault_mark: str | None = None
    maintenance_mark: str | None = None
    _spikes: Episodes = field(init=False)
    _losses: Episodes = field(init=False)
    _stuck: Episodes = field(init=False)
    _cleanings: Episodes | None = field(init=False)

    def __post_init__(self) -> None:
        even = (1.0,) * len(self.probes)
        set_ = object.__setattr__
        weights = tuple(probe.weight for probe in self.probes)
        set_(self, "_spikes", Episodes(seed_of(self.seed, "spike"), self.spike_slot_min, 1.0, 1.0, weights))
        set_(self, "_losses", Episodes(seed_of(self.seed, "loss"), 240.0, 3.0, 12.0, even))
        set_(self, "_stuck", Episodes(seed_of(self.seed, "stuck"), 3 * 1440.0, 8 * 60.0, 15 * 60.0, even))
        slot = None if self.cleaned_every_days is None else self.cleaned_every_days * 1440.0
        set_(self, "_cleanings", None if slot is None else Episodes(seed_of(self.seed, "clean"), slot, 25.0, 40.0))

    def read(self, times: NDArray[np.int64]) -> dict[str, ProbeColumns]:
        """Return what the probes show at each moment (µs since 1970 UTC), shape (n,), by vocabulary key."""
        moments = np.asarray(times, np.int64)
        stuck, spikes, losses = self._stuck.at(moments), self._spikes.at(moments), self._losses.at(moments)
        shown = self._undisturbed(moments)
        held = self._undisturbed(stuck.start[stuck.during]) if stuck.during.any() else {}
        cleaning = np.zeros(moments.shape, bool) if self._cleanings is None else self._cleanings.at(moments).during
        columns = {}
        for index, probe in enumerate(self.probes):
            values = shown[probe.key].copy()
            is_stuck = stuck.of(index)
            if is_stuck.any():
                values[is_stuck] = held[probe.key][is_stuck[stuck.during]]
            values = _spiked(probe, values, spikes, spikes.of(index))
            marks = np.full(moments.shape, self.normal_mark, object)
            if probe.in_air is not None and cleaning.any():
                values[cleaning] = probe.in_air
                marks[cleaning] = self.maintenance_mark
            is_lost = losses.of(index)
            values[is_lost] = np.nan
            marks[is_lost] = self.fault_mark
            columns[probe.key] = ProbeColumns(_shown(probe, values), marks)
        return columns

    def _undisturbed(self, times: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return what the probes show but for faults: water, growth, noise, digits."""
        state = self.water(times)
        weeks = self._weeks_since_cleaning(times)
        second = np.asarray(times, np.int64) // _SECOND_US
        shown = {}
        for probe in self.probes:
            true = np.asarray(state[probe.key], np.float64)
            grown = true * (1.0 + probe.fouling_share * weeks**1.5) + probe.fouling * weeks**1.5
            noise = normal(seed_of(self.seed, probe.key, "noise"), second)
            shown[probe.key] = _shown(probe, grown + noise * (probe.noise + probe.noise_share * np.abs(true)))
        return shown

    def _weeks_since_cleaning(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        moments = np.asarray(times, np.int64)
        if self._cleanings is None or self.cleaned_every_days is None:
            return np.zeros(moments.shape)
        slot = int(self.cleaned_every_days * DAY_US)
        here, before = self._cleanings.at(moments), self._cleanings.at(moments - slot)
        last = np.where(here.start <= moments, here.start, before.start)
        return (moments - last) / (7.0 * DAY_US)


def _spiked(probe: Probe, values: NDArray[np.float64], spikes: Hit, hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    if not hit.any():
        return values
    if probe.lost is not None:
        return np.where(hit, probe.lost, values)
    least, most = probe.spike
    # The draw says the height by its first half and the sign by its second.
    height = least + (most - least) * (spikes.draw * 2.0 % 1.0)
    sign = np.where(spikes.draw < 0.5, 1.0, 1.0 if probe.one_sided else -1.0)
    return np.where(hit, values + height * sign, values)


def _shown(probe: Probe, values: NDArray[np.float64]) -> NDArray[np.float64]:
    turned = values % 360.0 if probe.is_circular else values
    digits = np.asarray(np.round(np.clip(turned, probe.lowest, probe.highest), probe.decimals) + 0.0, np.float64)
    return np.where(digits == 360.0, 0.0, digits) if probe.is_circular else digits
