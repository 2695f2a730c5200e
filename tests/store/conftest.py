"""A store in a folder of its own, and rows to put into it."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.store import Store
from tests.store.waters import Water


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def water(folder):
    water = Water(Store.open(folder))
    yield water
    water.store.close()


@pytest.fixture
def rng():
    return np.random.default_rng(20261122)
