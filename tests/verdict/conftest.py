from __future__ import annotations

import pytest

from nilometer.verdict import find_standard
from nilometer.verdict.standard import Standard


@pytest.fixture(scope="session")
def gb3838() -> Standard:
    return find_standard("GB 3838-2002")
