"""The nodes of an OPC UA source: what was configured of each, and what the server says of it.

The index of a namespace may be another one after a restart of the server; its URI stays. A node is therefore named by
``nsu=URI;s=…``, or by ``ns=2;s=…``, whose URI is remembered from the first session on and looked up ever after.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nilometer.acquisition.links.opcua import Described, Monitor, OpcuaLink
from nilometer.acquisition.opcua_rows import NodeChannel
from nilometer.acquisition.opcua_units import unit_of
from nilometer.errors import LinkError, LinkTimeout
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, same_dimension

__all__ = ["Node", "NodeOptions", "Nodes", "Trigger", "node_key"]

Trigger = Literal["status", "value", "timestamp"]
_NODE = re.compile(r"(?:nsu=(?P<uri>[^;]+);|ns=(?P<index>\d{1,5});)?(?P<rest>[isgb]=.+)", re.DOTALL)
_TRIGGERS: dict[str, int] = {"status": 0, "value": 1, "timestamp": 2}


def node_key(node_id: str) -> str:
    """Return the channel key of a node without one: its identifier, with the kind where it is no text.

    Examples
    --------
    >>> node_key("ns=2;s=Tank.Level"), node_key("nsu=urn:plc;i=1001")
    ('Tank.Level', 'i=1001')
    """
    rest = node_id.rsplit(";", 1)[-1] if not node_id.partition(";s=")[1] else f"s={node_id.partition(';s=')[2]}"
    return rest.removeprefix("s=")


class NodeOptions(BaseModel):
    """One variable: its node id, and what it is, where the server does not say or says it wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=3, max_length=1000)]
    key: Annotated[str, Field(max_length=200)] = ""
    name: str = ""
    unit: str | None = None
    property: str | None = None
    sampling_interval_s: Annotated[float, Field(ge=0)] | None = None
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    deadband: Annotated[float, Field(ge=0)] | None = None
    trigger: Trigger | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if _NODE.fullmatch(self.id) is None:
            raise ValueError(f"id = {self.id!r} is no node id, such as ns=2;s=Tank.Level or nsu=urn:plc;i=1001")
        if self.unit is not None:
            canonical(self.unit)
        if self.property is not None and self.property not in vocabulary():
            raise ValueError(f"property = {self.property!r} is no observed property (see docs/formats/files.md)")
        return self


@dataclass(frozen=True, slots=True)
class Node:
    """A variable that was found: `id` as it was configured."""

    id: str
    channel: NodeChannel
    monitor: Monitor
    has_history: bool = False


class Nodes:
    """The variables of a source.

    Parameters
    ----------
    options : sequence of NodeOptions
        As configured.
    sampling_s, queue_size, deadband, trigger : optional
        For those that say none of their own.
    """

    def __init__(
        self,
        options: Sequence[NodeOptions],
        *,
        sampling_s: float | None = None,
        queue_size: int = 100,
        deadband: float | None = None,
        trigger: Trigger = "timestamp",
    ) -> None:
        self._options = {item.id: item for item in options}
        self._shared = Monitor(
            node="", sampling_s=sampling_s, queue_size=queue_size, deadband=deadband, trigger=_TRIGGERS[trigger]
        )
        self._uris: dict[str, str] = {}
        self._known: dict[str, Node] = {}

    @property
    def known(self) -> tuple[Node, ...]:
        """Return those that the server has, in the order of the configuration."""
        return tuple(self._known.values())

    def of(self, node_id: str) -> Node | None:
        """Return one of them."""
        return self._known.get(node_id)

    async def find(self, link: OpcuaLink, note: Callable[[str], None]) -> None:
        """Look all nodes up in a new session, and what the server says of those that are new.

        Raises
        ------
        LinkError
            If none is there, or the session is lost.
        """
        namespaces = await link.namespaces()
        lacking: list[str] = []
        known: dict[str, Node] = {}
        for node_id, option in self._options.items():
            try:
                link.know(node_id, self.indexed(node_id, namespaces, note))
                before = self._known.get(node_id)
                described = await link.describe(node_id) if before is None else None
            except LinkTimeout:
                raise
            except LinkError as error:
                lacking.append(str(error))
                note(f"{node_id}: {error}")
                continue
            known[node_id] = self._made(option, described, note) if described is not None else self._known[node_id]
        if not known:
            raise LinkError(f"none of the nodes is there: {'; '.join(lacking)[:300]}", link=link.name)
        self._known |= known
        self._known = {node_id: self._known[node_id] for node_id in self._options if node_id in known}

    def indexed(self, node_id: str, namespaces: Sequence[str], note: Callable[[str], None]) -> str:
        """Return a node id with the index that its namespace has in this session.

        Parameters
        ----------
        node_id : str
            As configured; the URI that an index stood for is remembered when it is first seen.
        namespaces : sequence of str
            The server's URIs by index.
        note : callable
            Told of a namespace that moved.

        Raises
        ------
        LinkError
            If the server has no such namespace.
        """
        found = _NODE.fullmatch(node_id)
        if found is None or (found["uri"] is None and found["index"] is None):
            return node_id
        uri = found["uri"] or self._uris.get(node_id)
        if uri is None:
            index = int(found["index"])
            if index >= len(namespaces):
                raise LinkError(f"the server has no namespace {index}, only: {', '.join(namespaces)}")
            self._uris[node_id] = namespaces[index]
            return node_id
        if uri not in namespaces:
            raise LinkError(f"the server has no namespace {uri!r}, only: {', '.join(namespaces)}")
        index = namespaces.index(uri)
        if found["index"] is not None and int(found["index"]) != index:
            note(f"namespace {uri!r} is now number {index}; the nodes are found by its URI")
        return f"ns={index};{found['rest']}"

    def _made(self, option: NodeOptions, said: Described, note: Callable[[str], None]) -> Node:
        key = option.key or node_key(option.id)
        unit = canonical(option.unit) if option.unit is not None else unit_of(said.unit, said.unit_id)
        if unit is None and said.unit is not None:
            note(f"{key}: its unit {said.unit!r} is none that is known here; give it as `unit`")
        observed = option.property
        if observed is None:
            # A name out of the vocabulary means it; where no unit is said, in the vocabulary's.
            term = vocabulary().get(key.rsplit(".", 1)[-1])
            if term is not None and (unit is None or same_dimension(unit, term.unit)):
                observed, unit = term.key, unit or term.unit
        shared = self._shared
        monitor = replace(
            shared,
            node=option.id,
            sampling_s=shared.sampling_s if option.sampling_interval_s is None else option.sampling_interval_s,
            queue_size=option.queue_size or shared.queue_size,
            deadband=shared.deadband if option.deadband is None else option.deadband,
            trigger=shared.trigger if option.trigger is None else _TRIGGERS[option.trigger],
        )
        channel = NodeChannel(key, unit, observed, option.name or said.name)
        return Node(option.id, channel, monitor, said.has_history)
