"""The times of a recording as text, for comparing."""

from __future__ import annotations

from typing import Any


def seconds(recording: Any) -> list[str]:
    """Return the times in ISO 8601 to the second."""
    moments: list[str] = recording.times.astype("datetime64[us]").astype("datetime64[s]").astype(str).tolist()
    return moments
