"""A change set of a batch: creates, updates and deletes as one transaction; each may name what one before it made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from nilometer.errors import MethodNotAllowed, NilometerError, NotFound, NotSupported, RequestError
from nilometer.pipeline import Pipeline
from nilometer.pipeline.changing import Inserted
from nilometer.store.catalog_edit import CatalogEdit
from nilometer.web.sensorthings.changes.bodies import read_draft, read_json
from nilometer.web.sensorthings.changes.changes import JSON_PATCH, Changes, given_of, patch_of
from nilometer.web.sensorthings.changes.editing import whole
from nilometer.web.sensorthings.changes.making import CLASSES, Maker
from nilometer.web.sensorthings.changes.multipart import Asked
from nilometer.web.sensorthings.encoding import own_document
from nilometer.web.sensorthings.paths import parse_path
from nilometer.web.sensorthings.schema import OBSERVATION, SETS, TYPES, EntityType

__all__ = ["ChangeSet", "ChangeSetFailed", "Done", "named", "with_names"]

_NAME = re.compile(r"\$([\w.-]{1,100})")


class ChangeSetFailed(Exception):  # noqa: N818 -- what is wrong is the request's own error, which it carries
    """A change set of which one request cannot be done; nothing of it was."""

    def __init__(self, at: int, error: NilometerError) -> None:
        self.at, self.error = at, error
        super().__init__(str(error))


@dataclass(frozen=True, slots=True)
class Done:
    """What a request of a change set did: the entity, and whether it was made."""

    kind: EntityType
    number: int
    is_new: bool


@dataclass(slots=True)
class _Work:
    """A change set under way."""

    edit: CatalogEdit
    maker: Maker
    names: dict[str, str]
    done: list[Done] = field(default_factory=list)
    buried: list[int] = field(default_factory=list)
    has_changed: bool = False


class ChangeSet:
    """Runs change sets.

    Parameters
    ----------
    pipeline : Pipeline
        Takes the changes.
    changes : Changes
        Knows how each of them is made.
    """

    def __init__(self, pipeline: Pipeline, changes: Changes) -> None:
        self._pipeline, self._changes = pipeline, changes

    async def run(self, asked: Sequence[Asked], names: dict[str, str]) -> list[Done]:
        """Do all requests of a change set, or none.

        Parameters
        ----------
        asked : sequence of Asked
            The requests; their URLs begin below the service root.
        names : dict of str to str
            Paths of entities by the ids of requests that made them; the set adds its own.

        Raises
        ------
        ChangeSetFailed
            If one of them cannot be done.
        """
        here = dict(names)

        def act(edit: CatalogEdit) -> Inserted:
            work = _Work(edit, self._changes.maker(edit), here)
            for at, one in enumerate(asked):
                try:
                    self._do(work, one)
                except NilometerError as error:
                    raise ChangeSetFailed(at, error) from error
            rows = self._changes.batch(edit, work.maker.rows) if work.maker.rows else None
            return Inserted(work.done, work.maker.made, work.maker.stood, rows, gone=work.buried)

        try:
            inserted = await self._pipeline.changes.insert(act)
        except NilometerError as error:
            raise ChangeSetFailed(0, error) from error
        names |= here
        done: list[Done] = inserted.answer
        if inserted.outcome is None:
            return done
        ids = inserted.outcome.id
        return [Done(one.kind, int(ids[one.number]), one.is_new) if one.kind is OBSERVATION else one for one in done]

    def _do(self, work: _Work, one: Asked) -> None:
        kind, number, parent = self._target(work.edit, named(one.url, work.names))
        if one.method == "POST":
            if number is not None:
                raise MethodNotAllowed("POST makes an entity in a set", place="method")
            draft = read_draft(kind, with_names(read_json(one.body), work.names))
            made = work.maker.make(draft, given_of(parent, kind))
            if work.maker.rows and work.has_changed:
                raise NotSupported(_APART, place="method")
            work.done.append(Done(kind, made, is_new=True))
            if one.id and kind is not OBSERVATION:
                work.names[one.id] = f"{kind.plural}({made})"
            return
        if number is None or one.method not in {"PATCH", "PUT", "DELETE"}:
            raise MethodNotAllowed(f"{one.method} does not go here in a change set", place="method")
        if kind is OBSERVATION or (kind.name == "FeatureOfInterest" and one.method == "DELETE") or work.maker.rows:
            raise NotSupported(_APART, place="method")
        work.has_changed = True
        if one.method == "DELETE":
            work.buried += self._changes.removal(kind)(work.edit, number)
        else:
            given = with_names(read_json(one.body), work.names)
            if one.method == "PATCH" and one.headers.get("content-type", "").partition(";")[0].strip() == JSON_PATCH:
                given = patch_of(_document(work.edit, kind, number), given)
            draft = read_draft(kind, given, whole=False, links_only=True)
            self._changes.editing.update(
                work.edit, kind, number, whole(draft) if one.method == "PUT" else draft, work.maker.now
            )
        work.done.append(Done(kind, number, is_new=False))

    def _target(self, edit: CatalogEdit, url: str) -> tuple[EntityType, int | None, tuple[str, int] | None]:
        """Return what a URL leads to, as the set sees it: ``Things``, ``Things(1)`` or ``Things(1)/Datastreams``."""
        path = parse_path(url.partition("?")[0].encode())
        first, *rest = path.steps
        kind = SETS.get(first.name)
        if kind is None:
            raise NotFound(f"there is no entity set {first.name!r}")
        if first.id is not None and kind is not OBSERVATION:
            _ = edit.history(first.id) if kind.name == "HistoricalLocation" else edit.get(CLASSES[kind.name], first.id)
        if not rest:
            return kind, first.id, None
        relation = kind.relations.get(rest[0].name)
        if len(rest) > 1 or path.ending or first.id is None or relation is None or not relation.many or rest[0].id:
            raise NotSupported("in a change set a path is a set, an entity, or a set of one entity", place="path")
        return TYPES[relation.target], None, (kind.name, first.id)


def _document(edit: CatalogEdit, kind: EntityType, number: int) -> dict[str, Any]:
    """Return an entity as it stands in the set so far."""
    if kind.name == "HistoricalLocation":
        return own_document(kind, {"time": edit.history(number)[1]})
    entity = edit.get(CLASSES[kind.name], number)
    return own_document(kind, {one.name: getattr(entity, one.name) for one in fields(entity)})


_APART = (
    "Observations do not go into one change set with changes of what was there before; put them into requests of "
    "their own"
)


def named(url: str, names: dict[str, str]) -> str:
    """Return a URL whose ``$id`` is what the request of that id made.

    Raises
    ------
    RequestError
        If no request before made anything under that id.
    """
    found = _NAME.match(url)
    if found is None or url in {"$batch", "$metadata"}:
        return url
    return _of(found[1], names) + url[found.end() :]


def with_names(document: Any, names: dict[str, str]) -> Any:  # noqa: ANN401 -- any JSON
    """Return a body in which ``{"@iot.id": "$id"}`` has the id of what that request made."""
    if isinstance(document, list):
        return [with_names(item, names) for item in document]
    if not isinstance(document, dict):
        return document
    given = document.get("@iot.id")
    found = _NAME.fullmatch(given) if isinstance(given, str) else None
    if found is not None:
        path = _of(found[1], names)
        return {**document, "@iot.id": int(path[path.index("(") + 1 : -1])}
    return {name: with_names(value, names) for name, value in document.items()}


def _of(name: str, names: dict[str, str]) -> str:
    path = names.get(name)
    if path is None:
        raise RequestError(f"no request before this one made ${name}", place=f"${name}")
    return path
