"""What is to be reprocessed, and which Datastreams are judged together because a test of one asks for another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nilometer.calibration.certificate import Calibration
from nilometer.errors import NotFound, RequestError, near
from nilometer.model import Datastream
from nilometer.pipeline.companions import asking
from nilometer.pipeline.deriving import Deriving
from nilometer.pipeline.judging import Judging
from nilometer.pipeline.partners import Partners
from nilometer.pipeline.reprocess_judging import ALL, CALIBRATION, DERIVATION, QC
from nilometer.qc.shelf import Shelf
from nilometer.store import Store

__all__ = ["Group", "ReprocessOrder", "derived_groups", "groups_of", "in_turn"]


@dataclass(frozen=True, slots=True)
class ReprocessOrder:
    """What is to be reprocessed.

    Parameters
    ----------
    datastreams : sequence of str or int
        Keys or ids; none: all.
    start, end : int, optional
        phenomenon_time in µs UTC, start inclusive, end exclusive; None: without end. Rows outside are read, for the
        state of the tests, and stay as they are.
    what : sequence of str
        ``calibration``, ``qc``, ``derivation``: what is done anew; the rest stays as it is stored.
    dry_run : bool
        Only say what would move.
    force : bool
        Also rows that somebody signed: those that change fall back to the first level.
    changes : bool
        Keep every changed row with its old and new values, for whoever asks for them.
    by : str
        Who, for the audit trail.
    """

    datastreams: Sequence[str | int] = ()
    start: int | None = None
    end: int | None = None
    what: Sequence[str] = ALL
    dry_run: bool = False
    force: bool = False
    changes: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Datastreams that are judged together, and the ids of those of which rows are written.

    Of derived ones results are made anew by their definitions where that is ordered; else they have only followed, in
    the commits of their inputs. `companions` are the Datastreams that the calibrations of these ask for.
    """

    members: tuple[Datastream, ...]
    wanted: frozenset[int]
    is_derived: bool = False
    companions: frozenset[int] = frozenset()


def groups_of(store: Store, shelf: Shelf, order: ReprocessOrder) -> list[Group]:
    """Return the Datastreams of an order in groups: whom a test asks for is judged with whom it judges.

    A Datastream brings along those whose calibrations ask for it: their rows follow when its own are revised, and are
    to be judged in order of time again. What is derived is left out: see `derived_groups`.

    Raises
    ------
    NotFound
        If there is no such Datastream.
    RequestError
        If the order says nothing that could be done.
    """
    unknown = [name for name in order.what if name not in ALL]
    if unknown or not order.what:
        raise RequestError(
            f"{', '.join(unknown) or 'nothing'} cannot be done (allowed: {', '.join(ALL)})", place="what"
        )
    if order.start is not None and order.end is not None and order.end <= order.start:
        raise RequestError("end does not lie after start", place="end")
    catalog = store.catalog
    known, derived = {one.id: one for one in catalog.datastreams()}, set(catalog.definitions.current())
    named = {_find(known, name).id for name in order.datastreams} if order.datastreams else set(known)
    named -= derived
    keys = {number: one for number, one in _keys(store) if one} if {CALIBRATION, QC} & set(order.what) else {}
    asks = {number: one.companions for number, one in asking(catalog, keys).items()}
    for number, companions in asks.items():
        if companions & named:
            named.add(number)
    groups = _grouped(store, shelf, named, is_derived=False)
    if not asks:
        return groups
    nobody: frozenset[int] = frozenset()
    return [
        replace(group, companions=nobody.union(*(asks.get(number, nobody) for number in group.wanted)))
        for group in groups
    ]


def in_turn(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Yield groups that may be gone through at once: whom a calibration asks for is done before who asks."""
    left = list(groups)
    while left:
        members = {number for group in left for number in group.wanted}
        ready = [not group.companions & (members - group.wanted) if group.companions else True for group in left]
        if not any(ready):
            ready = [True] * len(left)  # they ask for each other
        yield [group for group, is_ready in zip(left, ready, strict=True) if is_ready]
        left = [group for group, is_ready in zip(left, ready, strict=True) if not is_ready]


def _keys(store: Store) -> Iterator[tuple[int, list[str]]]:
    for one in store.catalog.datastreams():
        rows = store.catalog.calibrations_in_force(one.id)
        companions = {Calibration.from_document(row.document).companion for row in rows}
        yield one.id, sorted(companions - {""})


def derived_groups(
    store: Store, shelf: Shelf, order: ReprocessOrder, groups: Sequence[Group], deriving: Deriving
) -> list[Group]:
    """Return what follows from groups, or is named itself, what another needs before it; in the thread that judges."""
    levels = [one.datastream for one in deriving.definitions()]
    wanted = set(deriving.followers(number for group in groups for number in group.wanted))
    known = {one.id: one for one in store.catalog.datastreams()}
    wanted |= {_find(known, name).id for name in order.datastreams} if order.datastreams else set(levels)
    if DERIVATION in order.what:
        wanted |= {number for group in groups for number in group.wanted}
        for one in deriving.definitions():
            if one.datastreams & wanted:
                wanted.add(one.datastream)
    found = _grouped(store, shelf, wanted & set(levels), is_derived=True)
    return sorted(found, key=lambda group: max(levels.index(number) for number in group.wanted))


def _grouped(store: Store, shelf: Shelf, wanted: set[int], *, is_derived: bool) -> list[Group]:
    catalog = store.catalog
    known = {one.id: one for one in catalog.datastreams()}
    judging, partners = Judging(store, shelf), Partners(catalog)
    beside: dict[int, set[int]] = {}
    waiting = sorted(wanted)
    while waiting:
        number = waiting.pop()
        if number in beside:
            continue
        others = {one.datastream for one in partners.of(known[number], judging.profile(known[number])).values()}
        beside[number] = others
        waiting += others
    return [
        Group(tuple(known[number] for number in sorted(members)), frozenset(members & wanted), is_derived)
        for members in _joined(beside)
    ]


def _joined(beside: dict[int, set[int]]) -> list[set[int]]:
    """Return the connected parts of a graph, each once."""
    around: dict[int, set[int]] = {number: set(others) for number, others in beside.items()}
    for number, others in beside.items():
        for other in others:
            around[other].add(number)
    found: list[set[int]] = []
    left = set(beside)
    while left:
        part: set[int] = set()
        waiting = [min(left)]
        while waiting:
            number = waiting.pop()
            if number not in part:
                part.add(number)
                waiting += around[number] - part
        found.append(part)
        left -= part
    return found


def _find(known: dict[int, Datastream], name: str | int) -> Datastream:
    if isinstance(name, int) or name.isdigit():
        one = known.get(int(name))
    else:
        one = next((one for one in known.values() if one.key == name), None)
    if one is None:
        keys = [item.key for item in known.values()]
        like = ", ".join(near(str(name), keys))
        raise NotFound(f"there is no Datastream {name!r}" + (f" (there is: {like})" if like else ""))
    return one
