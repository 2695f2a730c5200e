"""The examples of the docstrings of the pure stages, run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nilometer

PURE = ("calibration", "derivation", "trials", "uncertainty", "verdict")


def modules() -> list[str]:
    found = []
    for stage in PURE:
        package = importlib.import_module(f"{nilometer.__name__}.{stage}")
        found += [one.name for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return found


@pytest.mark.parametrize("name", modules())
def test_examples_of(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
