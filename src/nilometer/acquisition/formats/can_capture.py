"""Captures of CAN frames (candump, NMEA 2000 logs): known by content and refused, with what would decode them.

Frames say nothing without the database of their bus; to read their bytes as columns of numbers would be a guess.
"""

from __future__ import annotations

import re
from pathlib import Path

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_KINDS = (
    (re.compile(rb"^\s*(\([\d.]+\)\s+)?\w+\s+[0-9A-Fa-f]{3,8}(#|\s+\[\d\]\s)", re.MULTILINE), "candump"),
    (re.compile(rb"^<0x[0-9A-Fa-f]{1,8}>\s+\[\d\]\s", re.MULTILINE), "candump"),
    (
        re.compile(
            rb"^\d{4}-\d{2}-\d{2}T?[\d: .-]*Z?,\d,\d{1,6},\d{1,3},\d{1,3},\d{1,3}(,[0-9A-Fa-f]{2})+", re.MULTILINE
        ),
        "log of NMEA 2000 frames (time, priority, PGN, source, destination, length, bytes)",
    ),
    (
        re.compile(rb"^VERSION \".*\"\s*$|^BO_ \d+ ", re.MULTILINE),
        "DBC database: it describes the frames of a bus and holds no values",
    ),
)


def read(path: Path, wishes: Wishes) -> Recording:
    """Refuse a capture of CAN frames.

    Raises
    ------
    ReadError
        Always: what it is, and what reads it.
    """
    del wishes
    kind = _kind(opening.head(path)) or "capture of CAN frames"
    if "DBC" in kind:
        raise ReadError(f"this is a {kind}", path=path, format=FORMAT.name)
    raise ReadError(
        f"it is a {kind}: its frames have no meaning without the database (DBC) of their bus; "
        "decode it with that, and read the table of values",
        path=path,
        format=FORMAT.name,
    )


def _kind(head: bytes) -> str | None:
    lines = [line for line in head.splitlines()[:200] if line.strip() and not line.startswith(b"#")]
    for pattern, kind in _KINDS:
        if lines and sum(bool(pattern.match(line)) for line in lines) > (0.3 if "DBC" not in kind else 0.02) * len(
            lines
        ):
            return kind
    return None


def _sniff(_path: Path, head: bytes) -> float:
    return 0.96 if _kind(head) is not None else 0.0


FORMAT = FormatInfo(
    name="can_capture", title="Captures of CAN frames (refused)", suffixes=(".log", ".dbc"), sniff=_sniff, read=read
)
