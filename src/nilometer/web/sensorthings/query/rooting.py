"""The same condition, seen from another entity: what hangs on what is turned round where a relation leads to one."""

from __future__ import annotations

from nilometer.errors import RequestError
from nilometer.web.sensorthings.query.bound import AllOf, AnyOf, Condition, Exists, Not, Source, Variable, fields, moved
from nilometer.web.sensorthings.schema import Relation

__all__ = ["gathered", "quantified", "rooted_at", "under"]


def gathered(leaf: Condition) -> tuple[Variable, Condition]:
    """Return a condition on several entities as one on that from which all others are reached.

    Raises
    ------
    RequestError
        If a relation between them leads to many both ways.
    """
    variables = {item.source.variable for item in fields(leaf)}
    deepest = max(variables, key=_depth)
    there = Variable(deepest.kind)
    return deepest, moved(rooted_at(leaf, deepest, there), lambda source: Source(deepest, source.steps))


def rooted_at(condition: Condition, variable: Variable, there: Variable) -> Condition:
    """Return a condition in which `there` stands for a variable, and what that hangs on is reached from it.

    Raises
    ------
    RequestError
        If a relation leads to many both ways, or what is needed lies aside.
    """
    bases = _bases(variable, there)
    own = quantified(condition)

    def move(source: Source) -> Source:
        if source.variable in own:
            return source
        for old, new in bases:
            n = len(old.steps)
            if source.variable is old.variable and source.steps[:n] == old.steps:
                return Source(there, (*new.steps, *source.steps[n:]))
        at = next((item.at for item in fields(condition) if item.source == source), 0)
        raise RequestError(
            f"a {source.kind.name} and the {variable.kind.plural} of several others do not compare; "
            "ask of each on its own",
            place=f"$filter at {at}",
        )

    return moved(condition, move)  # type: ignore[no-any-return]


def _bases(variable: Variable, there: Variable) -> list[tuple[Source, Source]]:
    """Return from which source of `there` each known source is reached."""
    found, here = [(Source(variable), Source(there))], Source(there)
    while variable.parent is not None and variable.relation is not None:
        back = _inverse(variable.relation, variable, variable.parent)
        if back is None:
            break
        here = here.to(back)
        found.append((variable.parent, here))
        if variable.parent.steps:
            break
        variable = variable.parent.variable
    return found


def _inverse(relation: Relation, variable: Variable, parent: Source) -> Relation | None:
    """Return the relation to one that leads back."""
    if not relation.through.other:
        return None
    for back in variable.kind.relations.values():
        if back.through.own == relation.through.other and back.target == parent.kind.name:
            return back
    return None


def quantified(condition: Condition) -> set[Variable]:
    """Return the variables that quantifiers of a condition range over."""
    match condition:
        case AllOf(operands) | AnyOf(operands):
            return set().union(*(quantified(operand) for operand in operands))
        case Not(operand):
            return quantified(operand)
        case Exists(variable, inner):
            return {variable} | quantified(inner)
    return set()


def under(condition: Condition, root: Variable) -> tuple[Relation, Variable, Condition] | None:
    """Return a condition that lies behind one relation to one, as the related entity sees it; None: it does not."""
    own = quantified(condition)
    firsts = {item.source.steps[:1] for item in fields(condition) if item.source.variable is root}
    others = {item.source.variable for item in fields(condition)} - own - {root}
    if len(firsts) != 1 or others or firsts == {()}:
        return None
    relation = next(iter(firsts))[0]
    there = Variable(Source(root, (relation,)).kind)

    def move(source: Source) -> Source:
        return Source(there, source.steps[1:]) if source.variable is root else source

    return relation, there, moved(condition, move)


def _depth(variable: Variable) -> int:
    return 0 if variable.parent is None else 1 + _depth(variable.parent.variable)
