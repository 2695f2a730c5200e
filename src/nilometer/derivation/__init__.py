"""From physical quantities to derived ones, by published equations."""

from __future__ import annotations
