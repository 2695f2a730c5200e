"""The demo's instruments as tables: digits, noise, growth, and how each fails.

Spikes are chosen so that the shipped QC profiles doubt or refuse them; noise so small that a reading a minute stays
within the profiles' rates of change.
"""

from __future__ import annotations

from nilometer.demo.analysers import Analyser
from nilometer.demo.probes import Probe

__all__ = ["ANALYSERS", "MARINE", "OUTFALL", "SONDE"]

SONDE: tuple[Probe, ...] = (
    Probe(key="water_temperature", decimals=2, noise=0.008, spike=(2, 6), lowest=-5, highest=50, in_air=24),
    Probe(key="ph", decimals=2, noise=0.002, spike=(0.7, 2.5), highest=14, in_air=6.3, fouling=-0.02),
    Probe(
        key="dissolved_oxygen", decimals=2, noise=0.01, spike=(1.5, 6), highest=50, in_air=8.6, fouling_share=-0.03
    ),
    Probe(key="conductivity_25", decimals=1, noise=0.3, lost=3, highest=2e5, in_air=0.4, fouling_share=-0.01),
    Probe(
        key="turbidity_ntu", decimals=1, noise=0.1, noise_share=0.02, spike=(220, 1600), one_sided=True, highest=4000,
        in_air=0.2, fouling=4, weight=2,
    ),
)  # fmt: skip
"""Five probes of the river station; bubbles in turbidity are their commonest fault."""

ANALYSERS: tuple[Analyser, ...] = (
    Analyser(key="codmn", decimals=2, duration_min=45, standard=5.0, noise_share=0.02, noise=0.04, seed="river"),
    Analyser(key="nh3_n", decimals=3, duration_min=30, standard=1.0, noise_share=0.02, noise=0.008, seed="river"),
    Analyser(
        key="total_phosphorus", decimals=3, duration_min=60, standard=0.2, noise_share=0.02, noise=0.002, seed="river"
    ),
    Analyser(key="total_nitrogen", decimals=2, duration_min=60, standard=2, noise_share=0.02, noise=0.02, seed="river"),
)
"""Four analysers of the river station; their durations are those of its instrument file."""

MARINE: tuple[Probe, ...] = (
    Probe(key="depth_below_transducer", decimals=2, noise=0.03, lost=0.1, weight=2),
    Probe(key="water_temperature", decimals=3, noise=0.005, spike=(5, 12), lowest=-5, highest=50),
    Probe(key="salinity", decimals=3, noise=0.01, spike=(-27, -6), one_sided=True, highest=70),
    Probe(key="flow_velocity", decimals=3, noise=0.01, spike=(3, 8), one_sided=True, highest=10),
    Probe(key="current_direction", decimals=1, noise=2, is_circular=True, highest=360, weight=0),
    Probe(key="significant_wave_height", decimals=2, noise_share=0.03, spike=(5, 12), one_sided=True),
    Probe(key="wind_speed", decimals=2, noise=0.15, noise_share=0.06, spike=(35, 60), one_sided=True),
    Probe(key="wind_direction", decimals=1, noise=4, is_circular=True, highest=360, weight=0),
    Probe(key="air_temperature", decimals=2, noise=0.02, spike=(8, 25), lowest=-80, highest=60),
    Probe(key="air_pressure", decimals=2, noise=0.01, spike=(-60, -8), one_sided=True, weight=0.5),
)
"""The buoy's sensors; an echo sounder that loses the bottom hears itself."""

OUTFALL: tuple[Probe, ...] = (
    Probe(key="flow_rate", decimals=1, noise_share=0.01, spike=(25_000, 90_000), one_sided=True, weight=0.5),
    Probe(key="ph", decimals=2, noise=0.005, spike=(2.2, 5), highest=14, weight=2, in_air=6.5),
    Probe(key="water_temperature", decimals=2, noise=0.01, spike=(3, 12), lowest=-5, highest=60),
    Probe(key="codcr", decimals=1, noise_share=0.012, lost=0, highest=5000, in_air=0),
    Probe(key="nh3_n", decimals=3, noise_share=0.012, spike=(160, 400), one_sided=True, in_air=0, weight=0.5),
    Probe(key="total_phosphorus", decimals=3, noise_share=0.012, spike=(32, 150), one_sided=True, weight=0.5),
    Probe(key="total_nitrogen", decimals=2, noise_share=0.012, spike=(210, 500), one_sided=True, weight=0.5),
)
"""What the outfall's cabinet holds; concentrations by instruments that measure without pause."""
