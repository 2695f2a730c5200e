"""The Observations of one Datastream or MultiDatastream, from where the run before ended; none is brought twice.

Which was the last one stands on the Datastream here, beside the id of the last row that was stored. A run that was cut
off between the two left rows behind that come again: they are known by their content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nilometer.acquisition.links.web_service import QueryRefusedError
from nilometer.acquisition.protocols.sensorthings import Id, written_id
from nilometer.errors import LinkError, NilometerError, RequestError, StoreError
from nilometer.web.sensorthings.incoming.documents import IMPORTED
from nilometer.web.sensorthings.incoming.holder import Holder
from nilometer.web.sensorthings.incoming.origin import FEW_TRIES, Entity, Origin
from nilometer.web.sensorthings.incoming.report import Report
from nilometer.web.sensorthings.incoming.rows import SELECTED, Row, arrays, identity, read_page
from nilometer.web.sensorthings.schema import TYPES
from nilometer.web.times import format_time, parse_interval

__all__ = ["Stream", "Streams"]

ROWS = 5000
"""Asked for at a time; a server may give fewer."""
FEWER = (1000, 100)
"""Asked for where a server refuses more, instead of giving fewer."""
Feature = Callable[[Id | None], Awaitable[int | None]]
_FEATURE = {"$expand": "FeatureOfInterest($select=id)"}


@dataclass(slots=True)
class Stream:
    """A Datastream or MultiDatastream there (`id`) and here (`number`).

    `kept` are its properties here, `is_new` says whether this run made it.
    """

    kind: str
    id: Id
    number: int | None
    kept: dict[str, Any]
    is_new: bool

    @property
    def plural(self) -> str:
        """The set that it is in, there and here."""
        return TYPES[self.kind].plural

    @property
    def here(self) -> str:
        """The path of its Observations here."""
        return f"{self.plural}({self.number})/Observations"

    @property
    def mark(self) -> dict[str, Any]:
        """What it says of the import."""
        mark: dict[str, Any] = self.kept.get("nilometer", {}).get(IMPORTED, {})
        return mark


class Streams:
    """Takes Datastreams and MultiDatastreams, one after the other.

    Parameters
    ----------
    origin : Origin
        The other server.
    holder : Holder, optional
        The folder.
    report : Report
        The account of the run.
    feature : coroutine function
        Gives the FeatureOfInterest here of one there.
    since, until : str, optional
        From and to which phenomenon time, ISO 8601; `until` is exclusive.
    """

    def __init__(
        self,
        origin: Origin,
        holder: Holder | None,
        report: Report,
        feature: Feature,
        since: str | None,
        until: str | None,
    ) -> None:
        self._origin, self._holder, self._report, self._feature = origin, holder, report, feature
        self._window = [since, until]
        bounds = ((since, "ge"), (until, "lt"))
        self._bounds = [f"phenomenonTime {word} {time}" for time, word in bounds if time is not None]
        self._has_arrays, self._rows = True, ROWS

    async def take(self, stream: Stream) -> None:
        """Bring what is new.

        Raises
        ------
        LinkError
            If the other server fails for good.
        StoreError
            If the folder takes nothing more.
        """
        mark = dict(stream.mark)
        if mark.get("window", self._window) != self._window or mark.pop("whole", False):
            mark.pop("after", None)
        if self._holder is None or self._report.dry or stream.number is None:
            await self._count(stream, mark.get("after"))
            return
        mark["window"] = self._window
        if "after" not in mark:
            mark["before"] = mark["rows"] = 0 if stream.is_new else await self._newest(stream)
        one_feature: Id | None = None
        is_first = True
        while True:
            after: Id | None = mark.get("after")
            page, address = await self._page(stream, after, one_feature)
            rows = read_page(page, one_feature)
            if rows is None:
                raise RequestError(f"{address} answers no page of Observations", place="url")
            self._check_order(rows, after, address)
            if not rows:
                break
            known = await self._known(stream, rows, mark, is_first=is_first)
            is_first = False
            last = await self._deliver(stream, rows, known)
            mark |= {"after": rows[-1].id, "rows": max(last, mark["rows"])}
            await self._remember(stream, mark)
            if _is_last(page):
                break
            if one_feature is None and self._has_arrays:
                one_feature = await self._shared_feature(stream, rows[-1].feature, rows[-1].id)
        if isinstance(mark.get("after"), str):
            # Ids that are texts do not say what is new: the next run reads all of it, and compares.
            await self._remember(stream, {**mark, "whole": True})

    async def _newest(self, stream: Stream) -> int:
        """Return the id of the newest Observation here; 0: there is none."""
        assert self._holder is not None  # noqa: S101 -- asked where there is one
        params = {"$orderby": "id desc", "$top": "1", "$select": "id", "samples": "all"}
        walk = self._holder.walk(stream.here, params)
        async for one in walk:
            return int(one["@iot.id"])
        return 0

    async def _page(self, stream: Stream, after: Id | None, feature: Id | None) -> tuple[Entity, str]:
        path = self._origin.path(stream.plural, stream.id, "Observations")
        address = f"{self._origin.url}/{path}"
        condition = self._condition(after)
        params = {"$orderby": "id asc", "$top": str(self._rows), **self._origin.samples}
        if condition:
            params["$filter"] = condition
        if feature is not None:
            try:
                select = {"$select": ",".join(("id", *SELECTED)), "$resultFormat": "dataArray"}
                page = await self._origin.get(address, params | select, tries=FEW_TRIES)
                if read_page(page, feature) is not None:
                    return page, address
            except (LinkError, RequestError):
                pass
            self._has_arrays = False  # it offers none: plain pages from here on
        while True:
            try:
                return await self._origin.get(address, params | _FEATURE | {"$top": str(self._rows)}), address
            except QueryRefusedError:
                fewer = next((n for n in FEWER if n < self._rows), None)
                if fewer is None:
                    raise
                self._rows = fewer

    def _condition(self, after: Id | None) -> str:
        parts = self._bounds + ([f"id gt {written_id(after)}"] if after is not None else [])
        return " and ".join(parts)

    async def _shared_feature(self, stream: Stream, feature: Id | None, after: Id | None) -> Id | None:
        """Return the FeatureOfInterest that all further Observations have: data arrays do not name it."""
        if feature is None:
            return None
        path = self._origin.path(stream.plural, stream.id, "Observations")
        other = f"{self._condition(after)} and FeatureOfInterest/id ne {written_id(feature)}"
        try:
            question = {"$filter": other, "$top": "1"}
            found = await self._origin.get(f"{self._origin.url}/{path}", question, tries=FEW_TRIES)
        except LinkError:
            self._has_arrays = False
            return None
        return None if found.get("value") else feature

    @staticmethod
    def _check_order(rows: list[Row], after: Id | None, address: str) -> None:
        ids = [row.id for row in rows]
        if after is not None:
            ids.insert(0, after)
        is_numbered = all(isinstance(one, int) for one in ids)
        # Which text comes after which is the server's to say; but none comes twice.
        if len(set(ids)) < len(ids) or (is_numbered and any(a > b for a, b in pairwise(ids))):  # type: ignore[operator]
            raise RequestError(f"{address} does not keep to $orderby and $filter by id: nothing can be resumed there")

    async def _known(
        self, stream: Stream, rows: list[Row], mark: Mapping[str, Any], *, is_first: bool
    ) -> Counter[bytes]:
        """Count, by content, what of the span of a page is here already.

        That is what was here when this pass began, and on its first page what a run that was cut off left.
        """
        sides = [f"id le {mark['before']}"] if mark["before"] else []
        sides += [f"id gt {mark['rows']}"] if is_first and "after" in mark else []
        spans = [span for row in rows for span in _span(row)]
        known: Counter[bytes] = Counter()
        if not spans or not sides:
            return known
        assert self._holder is not None  # noqa: S101 -- asked where there is one
        first, last = min(start for start, _ in spans), max(end for _, end in spans)
        # Where no row names a FeatureOfInterest, the one it was given here says nothing of which it is.
        is_named = any(row.feature is not None for row in rows)
        # An interval is before a moment when it has ended.
        span = f"phenomenonTime ge {format_time(first)} and phenomenonTime lt {format_time(last + 1)}"
        for side in sides:
            params = {"$filter": f"{side} and {span}", "$top": str(ROWS), "samples": "all", **_FEATURE}
            async for one in self._holder.walk(stream.here, params):
                feature = (one.get("FeatureOfInterest") or {}).get("@iot.id") if is_named else None
                known[identity(one, feature)] += 1
        return known

    async def _deliver(self, stream: Stream, rows: list[Row], known: Counter[bytes]) -> int:
        """Store rows that are not here yet; return the id of the last one."""
        assert self._holder is not None  # noqa: S101
        assert stream.number is not None  # noqa: S101
        new: list[tuple[Row, int | None]] = []
        for row in rows:
            try:
                feature = await self._feature(row.feature)
            except (LinkError, StoreError):
                raise
            except NilometerError as error:
                self._leave(stream, row, str(error))
                continue
            if row.feature is not None and feature is None:
                self._leave(stream, row, f"its FeatureOfInterest {row.feature!r} was not taken")
                continue
            name = identity(row.values, feature)
            if known[name] > 0:
                known[name] -= 1
                self._report.known["Observation"] += 1
            else:
                new.append((row, feature))
        last, at = 0, 0
        for body, n in arrays(stream.kind, stream.number, new):
            answers = await self._holder.take(body)
            for (row, _), answer in zip(new[at : at + n], answers, strict=True):
                if answer.startswith("error"):
                    self._leave(stream, row, answer)
                else:
                    self._report.new["Observation"] += 1
                    last = max(last, int(answer.rpartition("(")[2].rstrip(")")))
            at += n
        return last

    def _leave(self, stream: Stream, row: Row, reason: str) -> None:
        reason = " ".join(reason.split())[:300]
        self._report.leave("Observation", f"{row.id!r} of {stream.kind} {stream.id!r}", reason)

    async def _remember(self, stream: Stream, mark: dict[str, Any]) -> None:
        assert self._holder is not None  # noqa: S101
        ours = {**stream.kept.get("nilometer", {}), IMPORTED: mark}
        stream.kept = {**stream.kept, "nilometer": ours}
        await self._holder.change(f"{stream.plural}({stream.number})", {"properties": stream.kept})

    async def _count(self, stream: Stream, after: Id | None) -> None:
        n = await self._origin.count(
            self._origin.path(stream.plural, stream.id, "Observations"), self._condition(after)
        )
        if n is None:
            self._report.note(stream.kind, repr(stream.id), "the server does not count its Observations")
        self._report.new["Observation"] += n or 0


def _is_last(page: Entity) -> bool:
    """Say whether no page follows: of data arrays only an empty one says so, some servers give them no next link."""
    return page.get("@iot.nextLink") is None and not any("dataArray" in group for group in page["value"])


def _span(row: Row) -> list[tuple[int, int]]:
    """Return from when to when a row is, µs since 1970 UTC; nothing where its time cannot be read."""
    try:
        start, duration = parse_interval(row.values.get("phenomenonTime") or "")
    except (RequestError, TypeError, AttributeError):
        return []
    return [(start, start + duration)]
