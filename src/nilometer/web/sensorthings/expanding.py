"""What ``$select`` and ``$expand`` name has to be there, whether or not there is a row to show it of."""

from __future__ import annotations

from nilometer.errors import RequestError
from nilometer.web.sensorthings.members import check_members
from nilometer.web.sensorthings.options import Expansion, Options
from nilometer.web.sensorthings.query.binding import Binder
from nilometer.web.sensorthings.query.orders import keys_of
from nilometer.web.sensorthings.schema import TYPES, EntityType, Relation

__all__ = ["check_expansions", "check_select", "relation_of"]


def relation_of(kind: EntityType, expansion: Expansion) -> Relation:
    """Return the relation that an expansion follows.

    Raises
    ------
    RequestError
        If there is none of that name.
    """
    relation = kind.relations.get(expansion.relation)
    if relation is None:
        known = ", ".join(kind.relations)
        raise RequestError(
            f"{kind.name} has no relation {expansion.relation[:60]!r} (known: {known})", place=expansion.at
        )
    return relation


def check_select(kind: EntityType, options: Options) -> None:
    """Refuse a `$select` of what an entity does not have.

    Raises
    ------
    RequestError
        With the name.
    """
    for text in options.select:
        name, *members = text.split("/")
        if members:
            check_members(kind, name, members, "$select")
        elif name not in {"id", "@iot.id", "@iot.selfLink"} and name not in kind.properties | kind.relations:
            raise kind.unknown(name, "$select")


def check_expansions(kind: EntityType, options: Options) -> None:
    """Refuse expansions, at any depth, whose relation, `$select`, `$filter` or `$orderby` names what is not there.

    Raises
    ------
    RequestError
        With the place.
    """
    for expansion in options.expand:
        target, inner = TYPES[relation_of(kind, expansion).target], expansion.options
        check_select(target, inner)
        if inner.filter is not None:
            Binder(target, f"{expansion.at} $filter").condition(inner.filter)
        if inner.orderby:
            keys_of(Binder(target, f"{expansion.at} $orderby"), inner.orderby)
        check_expansions(target, inner)
