"""The demo: modelled or recorded water, spoken by virtual instruments over real protocols."""

from __future__ import annotations
