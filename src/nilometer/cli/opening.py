"""A data folder that nobody holds, opened with the catalog and the lake that its configuration names."""

from __future__ import annotations

from pathlib import Path

from nilometer.config import StoreConfig, load
from nilometer.store import Store
from nilometer.store.catalog_place import CATALOG_FILE
from nilometer.store.folder import lake_file_of

__all__ = ["open_store", "token_of"]


def open_store(folder: Path) -> Store:
    """Open a data folder for writing; the errors are those of `Store.open`, and of a configuration that is needed."""
    file = folder / "nilometer.toml"
    has_catalog, has_lake = (folder / CATALOG_FILE).exists(), lake_file_of(folder).exists()
    said = load(file).store if (has_catalog or has_lake) and file.exists() else StoreConfig()
    # A part that the folder does not say to lie elsewhere lies inside, whatever the configuration says.
    return Store.open(
        folder,
        catalog_url=said.catalog_url if has_catalog else None,
        lake_url=said.lake_url if has_lake else None,
        lake_options=said.lake_options,
    )


def token_of(folder: Path) -> str | None:
    """Return the token of the server that holds a folder, as its configuration has it."""
    file = folder / "nilometer.toml"
    return load(file).server.token if file.exists() else None
