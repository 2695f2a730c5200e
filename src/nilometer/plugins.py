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

__all__ = ["DataFile", "Found", "constants", "data_files", "instances"]

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


def _packages(group: str) -> list[str]:
    """Return the packages that a group names: ours first, so that no stranger takes the place of one of ours."""
    named = {entry.module for entry in importlib.metadata.entry_points(group=group)}
    return sorted(named, key=lambda name: (name.partition(".")[0] != "nilometer", name))


def _break(found: Found[Any], name: str, where: str, error: Exception) -> None:
    said = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
    _log.warning("plug-in is broken", where=where, error=said)
    found.broken[name] = said


def _take(found: Found[Any], name: str, where: str, item: object) -> None:
    if name in found.items:
        found.broken[where] = f"the name {name} is taken already; give it another"
    else:
        found.items[name] = item


@cache
def constants(group: str, constant: str, kind: type = object) -> Found[Any]:
    """Import every module of a group's packages and return their constant of the given name, by module name.

    Parameters
    ----------
    group : str
        Entry-point group, such as ``nilometer.drivers``.
    constant : str
        The constant, such as ``DRIVER``; modules without it are passed over.
    kind : type
        What it must be an instance of.

    Returns
    -------
    Found
        By module name; a module that cannot be imported is in `broken`.
    """
    found: Found[Any] = Found(group)
    for package_name in _packages(group):
        try:
            package = importlib.import_module(package_name)
            modules = [module.name for module in pkgutil.iter_modules(package.__path__)]
        except Exception as error:  # noqa: BLE001 -- a stranger's package may fail in any way, and must not take us along
            _break(found, package_name, package_name, error)
            continue
        for name in modules:
            _load(package_name, name, constant, kind, found)
    return found


@cache
def instances(group: str, kind: type) -> Found[Any]:
    """Import every module of a group's packages and return what of a kind each of them defines.

    Parameters
    ----------
    group : str
        Entry-point group, such as ``nilometer.derivations``.
    kind : type
        Of what is looked for; each has a `name`.

    Returns
    -------
    Found
        By its `name`; a module that cannot be imported is in `broken`.
    """
    found: Found[Any] = Found(group)
    for package_name in _packages(group):
        try:
            package = importlib.import_module(package_name)
            modules = [module.name for module in pkgutil.iter_modules(package.__path__)]
        except Exception as error:  # noqa: BLE001 -- as above
            _break(found, package_name, package_name, error)
            continue
        for name in modules:
            where = f"{package_name}.{name}"
            try:
                module = importlib.import_module(where)
            except Exception as error:  # noqa: BLE001 -- as above
                _break(found, name, where, error)
                continue
            # What a module imports from another belongs to that one.
            mine = (item for item in vars(module).values() if isinstance(item, kind))
            for item in mine:
                if _name(item).partition(".")[0] == name:
                    _take(found, _name(item), where, item)
    return found


def _name(item: Any) -> str:  # noqa: ANN401 -- of a kind that has one
    return str(item.name)


def _load(package: str, name: str, constant: str, kind: type, found: Found[Any]) -> None:
    where = f"{package}.{name}"
    try:
        value = getattr(importlib.import_module(where), constant, None)
    except Exception as error:  # noqa: BLE001 -- the same
        _break(found, name if name not in found.items else where, where, error)
        return
    if value is None:
        return
    if isinstance(value, kind):
        _take(found, name, where, value)
    else:
        wrong = TypeError(f"{constant} is a {type(value).__name__}, not a {kind.__name__}")
        _break(found, name if name not in found.items else where, where, wrong)


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
        try:
            files = list(_walk(importlib.resources.files(package_name)))
        except Exception as error:  # noqa: BLE001 -- a stranger's package may fail in any way, and must not take us along
            _break(found, package_name, package_name, error)
            continue
        for name, item in files:
            try:
                content = tomllib.loads(item.read_text(encoding="utf-8"))
                parsed = parse(DataFile(name, str(item), content))
            except Exception as error:  # noqa: BLE001 -- the same: whatever a file holds, the others are read
                _break(found, name if name not in found.items else str(item), str(item), error)
            else:
                _take(found, name, str(item), parsed)
    return found
