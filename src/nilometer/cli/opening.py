"""A data folder that nobody holds, opened with the catalog that its configuration names."""

from __future__ import annotations

from pathlib import Path

from nilometer.config import load
from nilometer.store import Store
from nilometer.store.catalog_place import CATALOG_FILE

__all__ = ["catalog_url", "open_store", "token_of"]


def catalog_url(folder: Path) -> str | None:
    """Return where the configuration says that the catalog lies; None when it lies in the folder.

    Raises
    ------
    ConfigError
        If the configuration cannot be read.
    """
    file = folder / "nilometer.toml"
    # A folder without the file has its catalog inside, whatever else its configuration says.
    if not (folder / CATALOG_FILE).exists() or not file.exists():
        return None
    return load(file).store.catalog_url


def open_store(folder: Path) -> Store:
    """Open a data folder for writing; the errors are those of `Store.open`."""
    return Store.open(folder, catalog_url=catalog_url(folder))


def token_of(folder: Path) -> str | None:
    """Return the token of the server that holds a folder, as its configuration has it."""
    file = folder / "nilometer.toml"
    return load(file).server.token if file.exists() else None
