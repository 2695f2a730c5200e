"""From physical quantities to derived ones, by published equations: each with its source, units, range, uncertainty."""

from __future__ import annotations
