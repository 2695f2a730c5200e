"""Points and certificates as they are written on a command line."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from nilometer.errors import ConfigError, RequestError

__all__ = ["ALWAYS", "PARTS", "certificate_of", "document_of", "point_of"]

PARTS: Final = {
    "standard": str,
    "value": float,
    "unit": str,
    "u": float,
    "before": float,
    "after": float,
    "n": int,
    "sd": float,
    "temperature": float,
    "from": str,
    "to": str,
    "sample": str,
    "reads": str,
}
_SPELT = {"u": "uncertainty", "n": "readings", "sd": "spread", "from": "start", "to": "end"}
ALWAYS: Final = -(2**63)
"""The date of a calibration that has none of its own."""
_OF_SAMPLE = ("from", "to", "sample", "reads")


def point_of(text: str, number: int) -> dict[str, Any]:
    """Return a point from its parts by commas, such as ``value=7,before=7.02,n=3``."""
    point: dict[str, Any] = {}
    sample: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in PARTS:
            raise RequestError(f"{name[:60]!r} is nothing of a point (allowed: {', '.join(PARTS)})", place="--point")
        try:
            read = PARTS[name](value)
        except ValueError as error:
            raise RequestError(f"{name} = {value[:60]!r} is no number", place=f"--point {number + 1}") from error
        (sample if name in _OF_SAMPLE else point)[_SPELT.get(name, name)] = read
    return point | ({"from_observations": sample} if sample else {})


def certificate_of(parts: list[str]) -> dict[str, Any]:
    """Return NAME=VALUE parts as a document: numbers where they are numbers."""
    document: dict[str, Any] = {}
    for part in parts:
        name, is_said, value = part.partition("=")
        if not is_said:
            raise RequestError(f"{part[:60]!r} is not NAME=VALUE", place="--certificate")
        try:
            document[name] = float(value)
        except ValueError:
            document[name] = value
    return document


def document_of(file: Path) -> dict[str, Any]:
    """Return the document of a calibration from a file of TOML or JSON."""
    try:
        text = file.read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError("--calibration", seen=str(file), reason=error.strerror or str(error)) from error
    except ValueError as error:
        raise ConfigError("--calibration", seen=str(file), reason=f"this is no TOML or JSON: {error}") from error
    # TOML has times of its own, and JSON has not.
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}
