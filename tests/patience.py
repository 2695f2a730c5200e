"""How long a test waits for what must happen: long, for a machine may be as busy as it likes."""

from __future__ import annotations

PATIENCE_S = 90.0
"""For one condition; a test as a whole has the `timeout` of pyproject.toml."""
