"""Create, update and delete over HTTP: a body and a path become one change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from nilometer.errors import Conflict, NotFound, NotSupported, RequestError, WrongMediaType
from nilometer.model import FeatureOfInterest, ObservationBatch
from nilometer.pipeline import Pipeline
from nilometer.pipeline.changing import Inserted
from nilometer.pipeline.computed import why_computed
from nilometer.pipeline.ownership import Ownership
from nilometer.pipeline.removing import Removing
from nilometer.store.catalog_edit import CatalogEdit
from nilometer.web.sensorthings.changes.bodies import check_nesting, read_draft, read_json, read_link
from nilometer.web.sensorthings.changes.editing import Editing, whole
from nilometer.web.sensorthings.changes.json_patch import patched
from nilometer.web.sensorthings.changes.making import CLASSES, Maker, Means
from nilometer.web.sensorthings.changes.observing import Observing
from nilometer.web.sensorthings.changes.rows import NewRow, batch_of
from nilometer.web.sensorthings.schema import OBSERVATION, TYPES, EntityType, Relation

__all__ = ["JSON_PATCH", "Changes", "given_of", "patch_of"]

JSON_PATCH = "application/json-patch+json"
MOST_OF_FEATURE = 5_000_000
"""Rows that may be looked at for those of one FeatureOfInterest."""

Document = Callable[[EntityType, int], dict[str, Any]]
"""Gives an entity as it is read."""


class Changes:
    """What ``POST PATCH PUT DELETE`` do.

    Parameters
    ----------
    pipeline : Pipeline
        Takes the changes.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._catalog = pipeline, pipeline.store.catalog
        ownership = Ownership(pipeline.config)
        self._means = Means(
            pipeline.changes.shelf, ownership, lambda number: pipeline.store.snapshot().extent(number) is not None
        )
        self.editing = Editing(self._catalog, self._means)
        self._observing = Observing(pipeline)
        self._removing = Removing(pipeline.store, ownership, pipeline.orders.check_unsigned)

    async def create(self, kind: EntityType, document: object, given: dict[str, int]) -> int:
        """Make an entity, or an Observation, with all that comes with it, and return its id.

        Parameters
        ----------
        kind : EntityType
            What the path leads to.
        document : object
            The JSON.
        given : mapping of str to int
            Related entities that the path says.

        Raises
        ------
        RequestError
            If it cannot be; then nothing was made.
        """
        draft = await asyncio.to_thread(read_draft, kind, document)

        def act(edit: CatalogEdit) -> Inserted:
            maker = Maker(edit, self._means, self._pipeline.clock())
            number = maker.make(draft, given)
            for name, made in maker.made:
                if name != "HistoricalLocation":
                    edit.audit("", "entity.create", f"{name}/{made}", {})
            rows = self.batch(edit, maker.rows) if maker.rows else None
            return Inserted(number, maker.made, maker.stood, rows)

        inserted = await self._pipeline.changes.insert(act)
        if kind is OBSERVATION and inserted.outcome is not None:
            return int(inserted.outcome.id[inserted.answer])
        return int(inserted.answer)

    async def link(self, kind: EntityType, number: int, relation: Relation, document: object) -> None:
        """Link two entities that are there: ``…/$ref``, or a link posted to a related set.

        Raises
        ------
        RequestError
            If one of them is not there, or the relation cannot be changed.
        """
        target = read_link(document, "$")
        if target is None:
            raise RequestError('expected a link {"@iot.id": …}', place="$")

        def act(edit: CatalogEdit) -> None:
            Maker(edit, self._means, self._pipeline.clock()).link(kind, number, relation, target, "$")
            edit.audit("", "entity.link", f"{kind.name}/{number}", {relation.name: target})

        await self._pipeline.changes.change("link entities", act)

    async def unlink(self, kind: EntityType, number: int, relation: Relation, target: int) -> None:
        """Let a Thing stand at a Location no more; other relations cannot be without an end.

        Raises
        ------
        Conflict
            If the relation is one that has to be there, or the configuration says it.
        NotFound
            If they are not linked.
        """
        names = {kind.name: number, relation.target: target}
        if names.keys() != {"Thing", "Location"}:
            raise Conflict(
                f"a {relation.target} cannot be without its {kind.name}; delete it, or link another", place="path"
            )
        thing, location = names["Thing"], names["Location"]

        def act(edit: CatalogEdit) -> None:
            there = edit.locations_of(thing)
            if location not in there:
                raise NotFound(f"Thing {thing} does not stand at Location {location}")
            owner = self._means.ownership.of_place(edit.get(CLASSES["Thing"], thing))
            if owner:
                raise Conflict(f"where this Thing stands is said in {owner}; change it there", place="path")
            edit.stand(thing, [one for one in there if one != location])
            edit.audit("", "entity.unlink", f"Thing/{thing}", {"Locations": location})

        await self._pipeline.changes.change("unlink entities", act)

    async def update(
        self, kind: EntityType, number: int, body: bytes, *, method: str, media_type: str, document: Document
    ) -> None:
        """Change an entity: PATCH merges, PUT replaces, a JSON patch does what it says.

        Raises
        ------
        RequestError
            If the body cannot be understood or the entity cannot be so.
        """
        given = await asyncio.to_thread(read_json, body)
        is_whole = method == "PUT"
        if media_type == JSON_PATCH and method == "PATCH":
            before = await asyncio.to_thread(document, kind, number)
            given = patch_of(before, given)
        elif media_type not in {"application/json", "application/merge-patch+json", ""}:
            allowed = f"application/json, {JSON_PATCH}"
            raise WrongMediaType(f"content-type {media_type[:60]!r} is not read (allowed: {allowed})")
        draft = read_draft(kind, given, whole=False, links_only=True)
        draft = whole(draft) if is_whole else draft
        if kind is OBSERVATION:
            await self._observing.update(number, draft, whole=is_whole)
            return
        now = self._pipeline.clock()

        def act(edit: CatalogEdit) -> None:
            self.editing.update(edit, kind, number, draft, now)
            said = sorted([*draft.values, *draft.links])
            edit.audit("", "entity.update", f"{kind.name}/{number}", {"changed": said})

        await self._pipeline.changes.change(f"change a {kind.name}", act)

    async def delete(self, kind: EntityType, number: int) -> None:
        """Delete an entity with what goes with it.

        Raises
        ------
        NotFound
            If it is not there.
        Conflict, ReviewRefused
            If something stands against it.
        """
        about = {"by": "", "reason": "", "comment": f"DELETE {kind.plural}({number})"}
        if kind is OBSERVATION:
            if not (await self._pipeline.changes.delete_rows(np.array([number]), about)).rows:
                raise NotFound(f"there is no Observation with id {number}")
            return
        if kind.name == "FeatureOfInterest":
            await self._delete_feature(number, about)
            return
        action = self.removal(kind)
        await self._pipeline.changes.remove(f"delete a {kind.name}", lambda edit: action(edit, number), about)

    async def delete_observations(self, ids: list[int], comment: str) -> int:
        """Delete Observations in one commit, and return how many there were.

        Raises
        ------
        Conflict, ReviewRefused
            If something stands against one of them; then none was deleted.
        """
        about = {"by": "", "reason": "", "comment": comment}
        return (await self._pipeline.changes.delete_rows(np.array(ids, np.int64), about)).rows

    async def _delete_feature(self, number: int, about: dict[str, str]) -> None:
        feature = self._catalog.feature(number)
        mine = None
        if feature.thing is not None:
            mine = [one.id for one in self._catalog.streams.all()]
        rows = await asyncio.to_thread(self._pipeline.store.snapshot().of_feature, number, mine, most=MOST_OF_FEATURE)
        if rows is None:
            raise Conflict("its Observations are too many to be looked for; delete its Datastreams first", place="path")
        if rows.num_rows:
            await self._pipeline.changes.delete_rows(rows["id"].to_numpy(), about)

        def act(edit: CatalogEdit) -> None:
            edit.strike(FeatureOfInterest, number)
            edit.audit("", "entity.delete", f"FeatureOfInterest/{number}", {"name": feature.name})

        await self._pipeline.changes.change("delete a FeatureOfInterest", act)

    def maker(self, edit: CatalogEdit) -> Maker:
        """Return what makes entities within an edit."""
        return Maker(edit, self._means, self._pipeline.clock())

    def removal(self, kind: EntityType) -> Callable[[CatalogEdit, int], list[int]]:
        """Return what deletes an entity of the catalog within an edit, and gives what had rows and goes with it."""
        remove: dict[str, Callable[[CatalogEdit, int], list[int]]] = {
            "Thing": self._removing.thing,
            "Sensor": self._removing.sensor,
            "ObservedProperty": self._removing.observed_property,
            "Datastream": self._removing.datastream,
            "MultiDatastream": self._removing.multi_datastream,
            "Location": self._removing.location,
            "HistoricalLocation": _remove_history,
        }
        return remove[kind.name]

    def batch(self, edit: CatalogEdit, rows: list[NewRow]) -> ObservationBatch:
        """Return Observations that were made within an edit as columns."""
        always_new = []
        for row in rows:
            reason = why_computed(row.datastream, self._catalog)
            if reason is not None:
                raise RequestError(reason, place="$.Datastream")
            stream = edit.stream(row.datastream)
            always_new.append(stream.properties.get("nilometer", {}).get("identity") != "time")
        return batch_of(rows, always_new)


def _remove_history(edit: CatalogEdit, number: int) -> list[int]:
    edit.history(number)
    edit.strike_history([number])
    edit.audit("", "entity.delete", f"HistoricalLocation/{number}", {})
    return []


def patch_of(before: dict[str, Any], operations: object) -> dict[str, Any]:
    """Return what a JSON patch changes of an entity, as a merge would say it; what it removes is null.

    Raises
    ------
    RequestError
        If it cannot be done, or changes what is no property.
    """
    after = patched(before, operations)
    check_nesting(after, "$")
    if not isinstance(after, dict):
        raise RequestError("the patch leaves no entity", place="$")
    changed: dict[str, Any] = {}
    for name in {**before, **after}:
        if name in before and name in after and before[name] == after[name]:
            continue
        if name.startswith("@iot.") or name.endswith("Link"):
            raise RequestError(f"{name} cannot be changed", place="$")
        changed[name] = after.get(name)
    return changed


def given_of(parent: tuple[str, int] | None, kind: EntityType) -> dict[str, int]:
    """Return the relation by which a path's parent is related to what is posted, with its id.

    Raises
    ------
    NotSupported
        If nothing leads back.
    """
    if parent is None:
        return {}
    name, number = parent
    source = TYPES[name]
    for relation in kind.relations.values():
        if relation.target == name:
            return {relation.name: number}
    raise NotSupported(f"a {kind.name} is not posted to a {source.name}", place="path")
