"""Find what is installed: drivers, instruments, formats, profiles, standards.

Each kind has one entry-point group; an entry point names a *package* whose modules and data files are scanned. Ours are
found the way a stranger's are. A broken plug-in is named in `Found.broken`, never fatal.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import pkgutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any, Generic, TypeVar

import structlog

from nilometer.errors import ConfigError

__all__ = ["DataFile", "Found", "constants", "data_files"]

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Found(Generic[T]):
    """What a scan brought: `items` by name, and what could not be loaded with the reason."""

    group: str
    items: dict[str, T] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> T:
        """Return an item.

        Raises
        ------
        ConfigError
            If there is none of that name; the message has the near names, or why it is broken.
        """
        try:
            return self.items[name]
        except KeyError:
            kind = self.group.rsplit(".", 1)[-1].rstrip("s")
            reason = self.broken.get(name, "")
            raise ConfigError(kind, seen=name, allowed=self.items, reason=reason) from None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A TOML data file of a plug-in package: `name` is its path below the package without the suffix (``river/ph``)."""

    name: str
    file: str
    content: dict[str, Any]


def _packages(group: str) -> Iterator[str]:
    seen = set()
    for entry in importlib.metadata.entry_points(group=group):
        if entry.value not in seen:
            seen.add(entry.value)
            yield entry.value


@cache
def constants(group: str, constant: str) -> Found[Any]:
    """Import every module of a group's packages and return their constant of the given name, by module name.

    Parameters
    ----------
    group : str
        Entry-point group, such as ``nilometer.drivers``.
    constant : str
        The constant, such as ``DRIVER``; modules without it are passed over.

    Returns
    -------
    Found
        By module name; a module that cannot be imported is in `broken`.
    """
    found: Found[Any] = Found(group)
    for package_name in _packages(group):
        try:
            package = importlib.import_module(package_name)
        except ImportError as error:
            found.broken[package_name] = str(error)
            continue
        for module in pkgutil.iter_modules(package.__path__):
            _load(f"{package_name}.{module.name}", constant, found)
    return found


def _load(module_name: str, constant: str, found: Found[Any]) -> None:
    name = module_name.rsplit(".", 1)[-1]
    try:
        value = getattr(importlib.import_module(module_name), constant, None)
    except Exception as error:  # noqa: BLE001 -- a stranger's module may fail in any way, and must not take us along
        _log.warning("plug-in is broken", module=module_name, error=str(error))
        found.broken[name] = f"{type(error).__name__}: {error}"
        return
    if value is not None:
        found.items[name] = value


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.is_dir() and not item.name.startswith("_"):
            yield from _walk(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".toml"):
            yield prefix + item.name.removesuffix(".toml"), item


@cache
def data_files(group: str, parse: Callable[[DataFile], T]) -> Found[T]:
    """Read every TOML file of a group's packages and return what `parse` makes of each, by name.

    Parameters
    ----------
    group : str
        Entry-point group, such as ``nilometer.profiles``.
    parse : callable
        Gives the item, or raises `ConfigError`, which puts the file among the broken.

    Returns
    -------
    Found
        By file name below the package, without suffix.
    """
    found: Found[T] = Found(group)
    for package_name in _packages(group):
        for name, item in _walk(importlib.resources.files(package_name)):
            try:
                content = tomllib.loads(item.read_text(encoding="utf-8"))
                found.items[name] = parse(DataFile(name, str(item), content))
            except (tomllib.TOMLDecodeError, ConfigError, UnicodeDecodeError) as error:
                _log.warning("data file is broken", file=str(item), error=str(error))
                found.broken[name] = str(error)
    return found
