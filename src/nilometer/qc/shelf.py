"""The profiles within reach: those installed, those of a data folder, and what one Datastream changes of them.

A data folder, or the folder of ``nilometer.toml``, may hold ``profiles/**.toml``. A file there is called by its path
(``profiles/mill-race/ph.toml`` is ``mill-race/ph``) and may inherit from an installed profile or from a neighbour:
river <- site. A Datastream's own table (``qc = {...}``) changes single thresholds of its profile: site <- Datastream.
No file takes the name of an installed profile, so that a name in a provenance means one thing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nilometer.errors import ConfigError
from nilometer.plugins import Found
from nilometer.qc.profile import Draft, Profile, found, installed, profiles, resolve
from nilometer.qc.thresholds import Place

__all__ = ["FOLDER", "Shelf"]

FOLDER = "profiles"
_AT = "@"


class Shelf:
    """Profiles by name.

    Parameters
    ----------
    *folders : path
        Folders of profile files, such as ``station/profiles``; one that does not exist is empty.

    Attributes
    ----------
    local : dict of str to Path
        The profiles of the folders and their files, whether they can be used or not.
    """

    def __init__(self, *folders: Path) -> None:
        shipped = installed()
        self._drafts: Found[Draft] = Found(shipped.group, dict(shipped.items), dict(shipped.broken))
        self.local: dict[str, Path] = {}
        for folder in dict.fromkeys(folder.resolve() for folder in folders):
            for file in sorted(folder.rglob("*.toml")):
                self._take(file.relative_to(folder).with_suffix("").as_posix(), file)
        self._profiles: Found[Profile] | None = None

    @classmethod
    def beside(cls, *places: Path | None) -> Shelf:
        """Return the shelf of data folders or configuration files: of the folder ``profiles`` in or beside each."""
        real = [place for place in places if place is not None]
        return cls(*((place.parent if place.suffix == ".toml" else place) / FOLDER for place in real))

    @staticmethod
    def from_file(path: Path) -> Profile:
        """Return the profile of one file, which may inherit from the files beside it; see `nilometer.qc.load`.

        Raises
        ------
        ConfigError
            If the file cannot be read, or what it says cannot be used.
        """
        document = _read(path)
        above = next((folder for folder in path.resolve().parents if folder.name == FOLDER), None)
        if above is None:
            return Profile.from_document(document, name=path.stem, file=str(path))
        name = path.resolve().relative_to(above).with_suffix("").as_posix()
        shelf = Shelf(above)
        draft = Draft(name, Place(str(path)), document)
        return resolve(draft, lambda parent: found(shelf._drafts, parent, draft.place, (name,)))

    @property
    def profiles(self) -> Found[Profile]:
        """Every profile that can be used, and why the others cannot."""
        if self._profiles is None:
            self._profiles = Found(self._drafts.group, dict(profiles().items), dict(profiles().broken))
            self._profiles.broken |= self._drafts.broken
            for name in self.local:
                if name not in self._drafts.items or name in profiles().items:
                    continue
                try:
                    self._profiles.items[name] = found(self._drafts, name, self._drafts.items[name].place, ())
                except ConfigError as error:
                    self._profiles.broken[name] = str(error)
        return self._profiles

    def __getitem__(self, name: str) -> Profile:
        """Return a profile by name.

        Raises
        ------
        ConfigError
            If there is none, or it cannot be used.
        """
        return Shelf.from_file(Path(name)) if name.endswith(".toml") else self.profiles[name]

    def site(self, datastream: str, thing: str, property_key: str) -> str | None:
        """Return the profile of a folder that is made for a Datastream: by its key, or by Thing and property."""
        return next((name for name in (datastream, f"{thing}/{property_key}") if name in self.local), None)

    def effective(self, name: str, changes: Mapping[str, Any], place: Place) -> Profile:
        """Return a profile with what one Datastream changes of it.

        Parameters
        ----------
        name : str
            As `changed_name` gives it: the profile's name and the Datastream's key.
        changes : mapping
            As a profile's document, without `inherits`; empty: the profile as it is.
        place : Place
            Where the changes stand, for messages.

        Raises
        ------
        ConfigError
            If there is no such profile, or a change cannot be.
        """
        parent = self[name.partition(_AT)[0]]
        if not changes:
            return parent
        if "inherits" in changes:
            reason = "the Datastream's profile is what it inherits from; name it there"
            raise place.error("inherits", seen=changes["inherits"], reason=reason)
        document = {"version": parent.version, **changes, "inherits": parent.name}
        return resolve(Draft(name, place, document), lambda _: parent)

    @staticmethod
    def changed_name(profile: str, datastream: str) -> str:
        """Return the name of a profile as a Datastream changes it, such as ``river/ph@mill-race/ph``."""
        return f"{profile.partition(_AT)[0]}{_AT}{datastream}"

    @staticmethod
    def unchanged_name(profile: str) -> str:
        """Return the name of the profile that a changed one rests on."""
        return profile.partition(_AT)[0]

    def _take(self, name: str, file: Path) -> None:
        self.local.setdefault(name, file)
        if name in self._drafts.items:
            taken = self._drafts.items[name].place.file
            reason = f"the name is taken by {taken}; give the file another, and let it inherit from {name}"
            self._drafts.broken[str(file)] = str(ConfigError("name", seen=name, file=file, reason=reason))
            return
        try:
            self._drafts.items[name] = Draft(name, Place(str(file)), _read(file))
        except ConfigError as error:
            self._drafts.broken[name] = str(error)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("profile", seen=str(path), reason=error.strerror or str(error)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("profile", seen=str(path), reason=f"this is no TOML: {error}") from error
