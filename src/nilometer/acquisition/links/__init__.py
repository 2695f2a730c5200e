"""Links move bytes: TCP, UDP, serial. They know no protocol."""

from __future__ import annotations

from nilometer.acquisition.links.link import Link

__all__ = ["Link"]
