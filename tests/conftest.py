"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real recordings, or skip and say where they were looked for."""
    named = os.environ.get("NILOMETER_REAL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real recordings are absent: {folder} (set NILOMETER_REAL_DATA)")
    return folder
