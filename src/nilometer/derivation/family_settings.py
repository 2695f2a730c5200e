"""The settings of a family of functions, checked by name before anything is made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from nilometer.errors import ConfigError, near

__all__ = ["checked"]


def checked(settings: Mapping[str, Any], known: Collection[str], needed: Collection[str]) -> Mapping[str, Any]:
    """Return the settings where all of them are known and none that is needed lacks.

    Parameters
    ----------
    settings : mapping
        As read from TOML or JSON.
    known, needed : collection of str
        Names that may be there, and that have to be.

    Raises
    ------
    ConfigError
        If one is unknown or lacks.

    Examples
    --------
    >>> checked({"radius": 1.0}, {"radius", "length"}, {"radius"})
    {'radius': 1.0}
    """
    for key in settings:
        if key not in known:
            raise ConfigError(key, seen=settings[key], allowed=near(key, known) or known, reason="no such setting")
    for key in needed:
        if key not in settings:
            raise ConfigError(key, seen=None, reason="this setting is needed")
    return settings
