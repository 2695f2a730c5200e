"""Which lake belongs to a data folder, and which folder to a lake: each knows the other.

A lake inside the folder needs no more. One in an object store is named in the folder's file `LAKE`, with a number that
both of its tables bear as their description: so a folder is never opened with the rows of another, nor with none at
all where it had some.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from nilometer.errors import ConfigError, SchemaMismatch
from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.disk import write_durably
from nilometer.store.folder import FOLDER_VERSION, Folder, lake_file_of
from nilometer.store.lake import LakeTable
from nilometer.store.lake_place import FolderPlace, LakePlace
from nilometer.store.refusal import refusal

__all__ = ["LakeHome", "claim_lake", "find_lake"]

_TABLES = ("observations", "revisions")
_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")


@dataclass(frozen=True, slots=True)
class LakeHome:
    """Where the two tables of a lake lie.

    Parameters
    ----------
    observations, revisions : LakePlace
        The tables' places.
    owner : str
        The number that folder and lake share; empty while the lake lies inside.
    """

    observations: LakePlace
    revisions: LakePlace
    owner: str = ""

    def tables(self) -> tuple[LakeTable, LakeTable]:
        """Open the tables of observations and of revisions, or make them.

        Raises
        ------
        StoreError
            If one of them cannot be opened or made.
        """
        return (
            LakeTable(self.observations, OBSERVATION, owner=self.owner),
            LakeTable(self.revisions, REVISION, owner=self.owner),
        )


def find_lake(folder: Path, url: str | None = None, options: Mapping[str, str] | None = None) -> LakeHome:
    """Return where the lake of a folder lies, as the folder says; nothing is changed.

    Parameters
    ----------
    folder : Path
        A data folder.
    url : str, optional
        Where the lake is said to be, if the folder has one elsewhere; None: where the folder says.
    options : mapping of str to str, optional
        What deltalake calls storage options.

    Raises
    ------
    ConfigError
        If the URL cannot be used.
    StoreError
        If the file that says so cannot be read.
    """
    owner, known = _said(folder)
    return _far(url or known, options or {}, owner) if owner else _near(folder)


def claim_lake(folder: Folder, url: str | None, options: Mapping[str, str]) -> LakeHome:
    """Return where the lake of a folder lies, and make it this folder's where it is nobody's.

    Parameters
    ----------
    folder : Folder
        Held by this process.
    url : str, optional
        Such as ``s3://bucket/station``; None: where the folder says, which is inside it unless another was ever given.
    options : mapping of str to str
        What deltalake calls storage options.

    Raises
    ------
    ConfigError
        If the URL cannot be used.
    SchemaMismatch
        If the lake is that of another folder, or the folder has one elsewhere.
    StoreError
        If the object store does not answer.
    """
    owner, known = _said(folder.path)
    if not url and not owner:
        return _near(folder.path)
    home = _far(url or known, options, owner)
    name = url or known
    try:
        found = {_owner(home.observations), _owner(home.revisions)}
        if owner and found <= {None, owner}:
            if known != name:
                _say(folder, owner, name)
            return home
        near = _near(folder.path)
        holds = near.observations.has_table() and LakeTable(near.observations, OBSERVATION).sequence > 0
        if found == {None} and not holds:
            return _claimed(folder, name, home)
        if not holds or not found <= {None, "", owner}:
            raise SchemaMismatch(
                f"the lake {name} belongs to another data folder than {folder.path}: give this folder a place of its "
                "own (store.lake_url); nothing was changed"
            )
        _check_copy(folder, near, home, name)
        home = _claimed(folder, name, home, owner)
        for place in (home.observations, home.revisions):
            if _owner(place) == "":
                _open(place).alter.set_table_description(home.owner)
    except (DeltaError, OSError) as error:
        raise refusal(error, "open the lake", path=name) from error
    return home


def _near(folder: Path) -> LakeHome:
    observations, revisions = (FolderPlace(folder / "lake" / name) for name in _TABLES)
    return LakeHome(observations, revisions)


def _far(url: str, options: Mapping[str, str], owner: str) -> LakeHome:
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in _SCHEMES or not rest.strip("/"):
        raise ConfigError(
            "store.lake_url",
            seen=url,
            reason=f"an object store is meant, such as s3://bucket/name ({', '.join(_SCHEMES)})",
        )
    try:
        from nilometer.store.lake_object_store import ObjectPlace  # noqa: PLC0415 -- obstore is an extra
    except ImportError as error:
        reason, allowed = f"a lake in an object store needs {error.name}", "pip install 'nilometer[object-store]'"
        raise ConfigError("store.lake_url", seen=url, reason=reason, allowed=allowed) from error
    observations, revisions = (ObjectPlace(f"{url.rstrip('/')}/{name}", options) for name in _TABLES)
    return LakeHome(observations, revisions, owner)


def _claimed(folder: Folder, url: str, home: LakeHome, owner: str = "") -> LakeHome:
    """Write into the folder whose lake it is, before the lake's own word: what nobody has can then be claimed."""
    number = owner or str(uuid.uuid4())
    _say(folder, number, url)
    return LakeHome(home.observations, home.revisions, number)


def _check_copy(folder: Folder, near: LakeHome, far: LakeHome, url: str) -> None:
    """Refuse a lake that is no copy of the one in the folder, as it is now."""
    how = (
        f"to move it, stop nilometer, copy {folder.path / 'lake'} to {url} whole, with any program that copies to an "
        "object store, and start again; nothing was changed"
    )
    if folder.version < FOLDER_VERSION:
        raise SchemaMismatch(f"{folder.path} is of an older version: start it once without store.lake_url; {how}")
    for here, there in ((near.observations, far.observations), (near.revisions, far.revisions)):
        if not there.has_table():
            raise SchemaMismatch(f"{folder.path} has a lake of its own, and {there} is none; {how}")
        old, new = _open(here), _open(there)
        # A table whose description was written already is one commit ahead.
        if old.metadata().id != new.metadata().id or not 0 <= new.version() - old.version() <= 1:
            raise SchemaMismatch(f"{folder.path} has a lake of its own, of which {there} is no copy; {how}")


def _owner(place: LakePlace) -> str | None:
    """Return the number of the folder that a table belongs to, empty when it has none; None: there is no table."""
    return (_open(place).metadata().description or "") if place.has_table() else None


def _open(place: LakePlace) -> DeltaTable:
    return DeltaTable(place.uri, storage_options=place.options)


def _said(folder: Path) -> tuple[str, str]:
    """Return the number and the URL that the folder's file says; empty while there is none."""
    file = lake_file_of(folder)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return str(found["lake"]), str(found["url"])
    except FileNotFoundError:
        return "", ""
    except OSError as error:
        raise refusal(error, "read", path=file) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaMismatch(f"{file} is damaged: put it back from a backup; nothing was changed") from error


def _say(folder: Folder, owner: str, url: str) -> None:
    text = json.dumps({"lake": owner, "url": url}, ensure_ascii=False)
    write_durably(lake_file_of(folder.path), f"{text}\n".encode())
