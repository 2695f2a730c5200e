"""Derived Datastreams as they are declared: in the configuration or by hand, checked, and kept in the catalog.

Called from the pump's thread, so that the catalog has one writer. A definition that changes holds for what comes from
then on; what is stored is recomputed by ``nilometer reprocess``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nilometer.config_derived import DefinitionConfig, DerivedConfig, definition_of
from nilometer.errors import ConfigError, NotFound, RequestError
from nilometer.model import Datastream, Origin
from nilometer.pipeline.derived_plan import absent, check_derived, datastream_of, document_of, read_document
from nilometer.pipeline.deriving import Deriving
from nilometer.pipeline.wiring import Wiring
from nilometer.store import Store
from nilometer.store.definition_ledger import DefinitionRow

__all__ = ["Declared", "Defining"]

CONFIG, API = "config", "api"


@dataclass(frozen=True, slots=True)
class Declared:
    """A derived Datastream as it is declared.

    Parameters
    ----------
    datastream : Datastream
        What it is.
    document : dict
        How it is made, as `DefinitionConfig` reads it.
    version : int
        The catalog's row, which the provenance of rows names.
    since : int
        From when on it holds, µs since 1970 UTC.
    source : str
        ``config`` or ``api``.
    problem : str
        Why it is not computed at present; empty: it is.
    """

    datastream: Datastream
    document: dict[str, Any]
    version: int
    since: int
    source: str
    problem: str = ""


class Defining:
    """Declares derived Datastreams.

    Parameters
    ----------
    store : Store
        With the catalog.
    wiring : Wiring
        Makes Datastreams.
    deriving : Deriving
        Computes what is declared.
    judge : callable
        Takes a Datastream whose profile has changed.
    """

    def __init__(self, store: Store, wiring: Wiring, deriving: Deriving, judge: Callable[[Datastream], None]) -> None:
        self._store, self._catalog, self._wiring = store, store.catalog, wiring
        self._deriving, self._judge = deriving, judge

    def configure(self, configs: Sequence[DerivedConfig], now: int, *, file: Path | None = None) -> None:
        """Declare what the configuration names, and take back what it names no more.

        Raises
        ------
        ConfigError
            If one of them cannot be; then nothing was changed.
        """
        ours = {config.key for config in configs}
        standing = {key: one for key, one in self._standing().items() if key not in ours}
        check_derived(configs, self._unit_of, file=file, standing=standing)
        for index, config in enumerate(configs):
            self._check_free(config.key, f"derived[{index}].key")
        made = self._wiring.configure([], [datastream_of(config, "derived", file=file) for config in configs], now)
        for config, datastream in zip(configs, made, strict=True):
            document = document_of(definition_of(config))
            self._catalog.definitions.set(datastream.id, document, time=now, source=CONFIG)
        for number, row in self._catalog.definitions.current().items():
            if row.source == CONFIG and self._catalog.datastream(number).key not in ours:
                self._catalog.definitions.set(number, {}, time=now, source=CONFIG)

    def check(self, config: DerivedConfig) -> None:
        """Refuse what cannot be declared by hand.

        Raises
        ------
        ConfigError
            With the place.
        """
        current = {self._catalog.datastream(number).key: row for number, row in self._by_number().items()}
        if config.key in current and current[config.key].source == CONFIG:
            raise ConfigError(
                "derived[0].key", seen=config.key, reason="the configuration declares it; change it there"
            )
        if config.thing not in {thing.key for thing in self._catalog.things()}:
            things = [thing.key for thing in self._catalog.things()]
            raise ConfigError("derived[0].thing", seen=config.thing, allowed=things, reason="no such thing")
        lacking = absent(config, self._catalog.datastream_by_key)
        if lacking:
            keys = [one.key for one in self._catalog.datastreams()]
            raise ConfigError("derived[0].inputs", seen=lacking[0], allowed=keys, reason="no such Datastream")
        standing = {key: one for key, one in self._standing().items() if key != config.key}
        check_derived([config], self._unit_of, standing=standing)
        self._check_free(config.key, "derived[0].key")

    def add(self, config: DerivedConfig, now: int, *, by: str = "") -> Datastream:
        """Declare a derived Datastream, or change how it is made.

        Raises
        ------
        ConfigError
            As `check`; then nothing was changed.
        """
        self.check(config)
        datastream = self._wiring.configure([], [datastream_of(config, "derived[0]")], now)[0]
        document = document_of(definition_of(config))
        row = self._catalog.definitions.set(datastream.id, document, time=now, source=API)
        about = {"key": config.key, "version": row.id, **document}
        self._catalog.add_audit(now, by.strip() or "api", "derived.set", f"datastream/{datastream.id}", about)
        return self._changed(datastream)

    def remove(self, key: str, now: int, *, by: str = "") -> Datastream:
        """Derive a Datastream no more; its rows stay.

        Raises
        ------
        NotFound
            If nothing of that key is derived.
        RequestError
            If the configuration declares it, or another is derived from it.
        """
        datastream = self._catalog.datastream_by_key(key)
        row = None if datastream is None else self._by_number().get(datastream.id)
        if datastream is None or row is None:
            raise NotFound(f"{key!r} is not derived")
        if row.source == CONFIG:
            raise RequestError(f"the configuration declares {key}; take it out there", place="key")
        for other, config in self._standing().items():
            if key in [one.datastream for one in config.inputs.values()]:
                raise RequestError(f"{other} is derived from {key}; remove that first", place="key")
        self._catalog.definitions.set(datastream.id, {}, time=now, source=API)
        about = {"key": key}
        self._catalog.add_audit(now, by.strip() or "api", "derived.remove", f"datastream/{datastream.id}", about)
        return self._changed(datastream)

    def _changed(self, datastream: Datastream) -> Datastream:
        self._judge(datastream)
        self._deriving.changed()
        return datastream

    def all(self) -> list[Declared]:
        """Return what is declared, by key."""
        problems = self._deriving.problems
        found = [
            Declared(
                self._catalog.datastream(number), row.document, row.id, row.time, row.source, problems.get(number, "")
            )
            for number, row in self._by_number().items()
        ]
        return sorted(found, key=lambda one: one.datastream.key)

    def _by_number(self) -> dict[int, DefinitionRow]:
        return self._catalog.definitions.current()

    def _standing(self) -> dict[str, DefinitionConfig]:
        return {
            self._catalog.datastream(number).key: read_document(row.document, "derived")
            for number, row in self._by_number().items()
        }

    def _unit_of(self, key: str) -> str | None:
        known = self._catalog.datastream_by_key(key)
        return None if known is None else known.unit

    def _check_free(self, key: str, at: str) -> None:
        known = self._catalog.datastream_by_key(key)
        if known is None or known.origin is Origin.DERIVED or self._store.snapshot().extent(known.id) is None:
            return
        reason = f"its rows are {known.origin}; give what is derived another key"
        raise ConfigError(at, seen=key, reason=reason)
