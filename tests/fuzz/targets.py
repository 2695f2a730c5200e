"""What is fuzzed: every reader and every decoder that is installed, found in the plug-in registries, never listed."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from nilometer.acquisition.formats.reading import formats, read
from nilometer.acquisition.protocols import decoders
from nilometer.errors import ConfigError, ReadError

__all__ = ["INSTRUMENTS", "decode", "targets"]

INSTRUMENTS = {"modbus_rtu": "yosemitech_y4000", "modbus_tcp": "yosemitech_y4000", "lorawan": "decentlab_dl_ctd10"}
"""For decoders that name their values by an instrument's file."""

Target = Callable[[bytes], object]


def decode(name: str, pieces: list[bytes]) -> list[object]:
    """Return what a decoder makes of bytes in this cut: values or bad frames, never an exception."""
    decoder = decoders()[name].make(INSTRUMENTS.get(name))
    said = [item for piece in pieces for item in decoder.feed(piece)]
    return [*said, *decoder.close()]


def _reader(name: str | None) -> Target:
    folder = Path(tempfile.mkdtemp(prefix="nilometer-fuzz-"))

    def target(data: bytes) -> None:
        file = folder / "any.bin"
        file.write_bytes(data)
        with contextlib.suppress(ReadError, ConfigError):
            read(file, format=name)

    return target


def targets() -> dict[str, Target]:
    """Return every target by name: ``decode NAME``, ``read NAME``, and ``read`` by content."""
    found: dict[str, Target] = {"read": _reader(None)}
    found |= {f"read {name}": _reader(name) for name in sorted(formats().items)}
    for name in sorted(decoders().items):
        # The first byte says where the stream is cut.
        found[f"decode {name}"] = lambda data, name=name: decode(
            name, [data[1:][: data[0]], data[1:][data[0] :]] if data else []
        )
    return found
