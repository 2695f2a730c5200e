"""Codecs: bytes in, measurements out, and back. No socket, no file, no clock."""

from __future__ import annotations

import importlib
import pkgutil

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.plugins import Found

__all__ = ["decoders"]


def decoders() -> Found[DecoderInfo]:
    """Return what ``nilometer decode`` knows: every module here that has a constant ``DECODER``, by its name."""
    found: Found[DecoderInfo] = Found("nilometer.protocols")
    for module in pkgutil.iter_modules(__path__):
        decoder = getattr(importlib.import_module(f"{__name__}.{module.name}"), "DECODER", None)
        if isinstance(decoder, DecoderInfo):
            found.items[decoder.name] = decoder
    return found
