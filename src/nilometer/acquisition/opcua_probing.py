"""Find what an OPC UA server has: its variables with types, units, ranges and present values. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nilometer.acquisition.links.opcua import Described, OpcuaLink, OpcuaValue, Plain
from nilometer.acquisition.opcua_nodes import node_key
from nilometer.acquisition.opcua_units import unit_of
from nilometer.acquisition.probing import block
from nilometer.errors import LinkError

__all__ = ["FoundVariable", "config_block", "probe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundVariable:
    """One variable: `id` names its namespace by URI; `said_unit` is the server's text, `unit` what we make of it."""

    id: str
    path: str
    data_type: str
    said_unit: str | None
    unit: str | None
    range: tuple[float, float] | None
    has_history: bool
    value: Plain
    status: str

    @property
    def is_number(self) -> bool:
        """Return whether it can be acquired as it is: a number, a truth value, or a list of them."""
        value = self.value[0] if isinstance(self.value, list) and self.value else self.value
        return isinstance(value, bool | int | float)


async def probe(
    link: OpcuaLink, most: int, step: Callable[[], None], note: Callable[[str], None]
) -> list[FoundVariable]:
    """Return the variables of a server, in the order of its folders; its own diagnostics are left out.

    Parameters
    ----------
    link : OpcuaLink
        Connected.
    most : int
        How many at most.
    step : callable
        Called after each.
    note : callable
        Told why a variable could not be read.

    Raises
    ------
    LinkError
        If the session is lost while browsing.
    """
    namespaces = await link.namespaces()
    found = []
    async for node_id, path in link.variables(most):
        name = _named(node_id, namespaces)
        try:
            link.know(name, node_id)
            said = await link.describe(name)
            values = await link.read([name])
        except LinkError as error:
            note(f"{path}: {error}")
        else:
            found.append(_found(name, path, said, values[0]))
        step()
    return found


def _found(name: str, path: str, said: Described, item: OpcuaValue) -> FoundVariable:
    return FoundVariable(
        id=name,
        path=path,
        data_type=said.data_type,
        said_unit=said.unit,
        unit=unit_of(said.unit, said.unit_id),
        range=said.range,
        has_history=said.has_history,
        value=item.value,
        status=item.status_name,
    )


def _named(node_id: str, namespaces: Sequence[str]) -> str:
    """Return a node id with the URI of its namespace: the index may be another one tomorrow."""
    head, _, rest = node_id.partition(";")
    if not head.startswith("ns=") or not rest:
        return node_id
    index = int(head.removeprefix("ns="))
    if index >= len(namespaces) or ";" in namespaces[index]:
        return node_id
    return f"nsu={namespaces[index]};{rest}"


def config_block(url: str, found: Sequence[FoundVariable]) -> str:
    """Return the block of ``nilometer.toml`` that acquires every number that was found."""
    keys = [node_key(item.id) for item in found]
    nodes: list[dict[str, Any]] = []
    for item, key in zip(found, keys, strict=True):
        if not item.is_number:
            continue
        node: dict[str, Any] = {"#": _remark(item), "id": item.id}
        node |= {"key": item.path.replace("/", ".")} if keys.count(key) > 1 else {}
        nodes.append(node)
    return block("opcua", {"url": url}, "nodes", nodes)


def _remark(item: FoundVariable) -> str:
    said = [f"{item.path}: {item.data_type}"]
    if item.said_unit is not None:
        said.append(
            item.said_unit if item.unit is not None else f"unit {item.said_unit!r} is not known here: give `unit`"
        )
    if item.range is not None:
        said.append(f"{item.range[0]:g} to {item.range[1]:g}")
    said += ["keeps history"] if item.has_history else []
    return "; ".join(said).replace("\n", " ")
