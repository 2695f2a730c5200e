"""From physical quantities to derived ones, by published equations: each with its source, units, range, uncertainty.

A subject is a module, imported when it is first named: ``nilometer.derivation.oxygen.solubility(20.0)``.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    where = f"{__name__}.{name}"
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name != where:  # a library that the module needs
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]
