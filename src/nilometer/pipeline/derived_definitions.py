"""The definitions that hold, as they are computed at present: in order, and which of them wait for something."""

from __future__ import annotations

from collections.abc import Iterable

from nilometer.errors import ConfigError
from nilometer.model import Datastream
from nilometer.pipeline.derived_plan import absent, compiled, in_order, read_document
from nilometer.pipeline.derived_rows import Definition
from nilometer.pipeline.log import Log
from nilometer.store import Store

__all__ = ["Definitions"]

LONGEST_KEPT = 86_400_000_000

_log = Log(__name__)


class Definitions:
    """Reads the catalog's definitions again whenever one of them, or a Datastream, has changed.

    Parameters
    ----------
    store : Store
        With the catalog.

    Attributes
    ----------
    levels : list of list of Definition
        What a definition needs stands in a level before it.
    problems : dict of int to str
        Why a derived Datastream is not computed.
    spans : dict of int to int
        Of each Datastream that takes part, how many µs of rows are asked for again and again.
    beside : dict of int to frozenset of int
        By Datastream, the companions that its calibrations ask for; they are computed before what needs it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_stale = True
        self.beside: dict[int, frozenset[int]] = {}
        self.levels: list[list[Definition]] = []
        self.problems: dict[int, str] = {}
        self.spans: dict[int, int] = {}
        store.catalog.on_change(self._entity_changed)

    def changed(self) -> None:
        """Read them again at the next look."""
        self._is_stale = True

    def look(self) -> bool:
        """Read what has changed; return whether something had to be read."""
        if not self._is_stale:
            return False
        self._is_stale = False
        made, problems, lacking = self._compiled()
        try:
            self.levels = self._ordered(made)
        except ConfigError as error:
            self.levels = []
            problems |= {one.datastream: str(error) for one in made}
        for number, problem in problems.items():
            if self.problems.get(number) != problem:
                # An input that its source has not named yet is what every first start looks like.
                tell = _log.info if number in lacking else _log.warning
                tell("not derived", datastream=self._store.catalog.datastream(number).key, reason=problem)
        self.problems = problems
        self._count()
        return True

    def _ordered(self, made: list[Definition]) -> list[list[Definition]]:
        try:
            return in_order(made, self.beside)
        except ConfigError:
            if not self.beside:
                raise
            # A companion that is derived of what it is the companion of: the derivation goes before it.
            return in_order(made)

    def all(self) -> list[Definition]:
        """Return the definitions that are computed, what another needs before it."""
        return [one for level in self.levels for one in level]

    def followers(self, datastreams: Iterable[int]) -> list[int]:
        """Return the derived Datastreams whose rows stand at the times of these, directly or by way of others."""
        given = set(datastreams)
        found = set(given)
        for one in self.all():
            if one.clock_datastream in found:
                found.add(one.datastream)
        return sorted(found - given)

    def _entity_changed(self, entity: object) -> None:
        if isinstance(entity, Datastream):
            self._is_stale = True

    def _compiled(self) -> tuple[list[Definition], dict[int, str], set[int]]:
        """Return the definitions, why others are none, and which of these only lack a Datastream so far."""
        catalog = self._store.catalog
        made: list[Definition] = []
        problems: dict[int, str] = {}
        lacking: set[int] = set()
        for number, row in catalog.definitions.current().items():
            try:
                config = read_document(row.document, "derived")
                absents = absent(config, catalog.datastream_by_key)
                if absents:
                    problems[number] = f"waits for {', '.join(absents)}: there is no such Datastream yet"
                    lacking.add(number)
                    continue
                made.append(compiled(config, catalog.datastream(number), catalog.datastream_by_key, number=row.id))
            except ConfigError as error:
                problems[number] = str(error)
        return made, problems, lacking

    def _count(self) -> None:
        spans: dict[int, int] = {}
        for one in self.all():
            farthest = max(operand.tolerance for operand in one.operands)
            kept = min(4 * farthest + (one.deadline or 0), LONGEST_KEPT)
            for number in (one.datastream, *one.datastreams):
                spans[number] = max(spans.get(number, 0), kept)
        self.spans = spans
