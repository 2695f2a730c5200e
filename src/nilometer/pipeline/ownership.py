"""Which entities ``nilometer.toml`` declares: it would bring them back, so they are changed there alone."""

from __future__ import annotations

from nilometer.config import Config
from nilometer.model import Datastream, Location, Sensor, Thing

__all__ = ["Ownership"]

FILE = "nilometer.toml"


class Ownership:
    """Answers for one configuration.

    Parameters
    ----------
    config : Config
        As the server was started with it.
    """

    def __init__(self, config: Config) -> None:
        self._things = {thing.key: thing for thing in config.things}
        self._datastreams = {one.key for one in config.datastreams}
        self._derived = {one.key for one in config.derived}
        self._sources = {source.name for source in config.sources}

    def of(self, entity: object) -> str:
        """Return where an entity is declared; empty: nowhere, so that it can be changed and deleted.

        Examples
        --------
        >>> from nilometer.config import parse
        >>> owner = Ownership(parse({"thing": [{"key": "weir", "name": "Weir"}]}))
        >>> owner.of(Thing(key="weir", name="Weir")), owner.of(Thing(key="mine", name="Mine"))
        ("[[thing]] key = 'weir' of nilometer.toml", '')
        """
        match entity:
            case Thing() if entity.key in self._things:
                return _place("thing", entity.key)
            case Sensor() if entity.key in self._sources:
                return _place("source", entity.key, name="name")
            case Datastream():
                return self._of_datastream(entity)
        return ""

    def of_place(self, thing: Thing) -> str:
        """Return where it is declared where a Thing stands; empty: nowhere."""
        declared = self._things.get(thing.key)
        return _place("thing", thing.key) if declared is not None and declared.location is not None else ""

    def of_location(self, location: Location, things: list[Thing]) -> str:
        """Return where a Location is declared, of the Things that stand there; empty: nowhere."""
        for thing in things:
            declared = self._things.get(thing.key)
            if declared is not None and declared.location is not None:
                point = {"type": "Point", "coordinates": list(declared.location)}
                if location.location == point:
                    return _place("thing", thing.key)
        return ""

    def _of_datastream(self, datastream: Datastream) -> str:
        if datastream.key in self._datastreams:
            return _place("datastream", datastream.key)
        if datastream.key in self._derived:
            return _place("derived", datastream.key)
        source = datastream.properties.get("nilometer", {}).get("source")
        return _place("source", source, name="name") if source in self._sources else ""


def _place(table: str, key: str, name: str = "key") -> str:
    return f"[[{table}]] {name} = {key!r} of {FILE}"
