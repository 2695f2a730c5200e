"""An OPC UA session: reads, browses, subscribes and reads history, by asyncua; knows nothing of rows.

It never writes and never calls a method of the server. `Any` stops here: what leaves is of Python's own types.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from nilometer.errors import ConfigError, LinkError, LinkTimeout

__all__ = ["Described", "Endpoint", "Monitor", "OpcuaLink", "OpcuaValue", "Plain", "library", "open_opcua"]

Plain = float | int | bool | str | list[Any] | None
"""What a Variant holds, in Python's own types; times and structures as text."""

Deliver = Callable[[list["OpcuaValue"]], Awaitable[None]]

GOODBYE_S = 1.0
HISTORY_CHUNK = 1000
MOST_CHUNKS = 100_000
LIFETIME_COUNT = 10_000
"""Publishing intervals without a request of ours after which the server may end the subscription."""
MOST_PER_PUBLISH = 4000
_HISTORY_READ = 4  # AccessLevel, bit 2 (Part 3, 8.57)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a server is, how the channel to it is secured, and who we are; a password is never part of its text."""

    url: str
    mode: str = "none"  # none, sign, sign_and_encrypt
    policy: str = "Basic256Sha256"
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    server_certificate_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class OpcuaValue:
    """One DataValue: its node as it was named to `subscribe`, times in µs since 1970 UTC, None where absent."""

    node: str
    value: Plain
    status: int
    status_name: str
    source_time: int | None
    server_time: int | None


@dataclass(frozen=True, slots=True)
class Described:
    """What a server says of a variable; `unit` is EngineeringUnits' text, `unit_id` its UNECE code as a number."""

    name: str
    data_type: str = ""
    unit: str | None = None
    unit_id: int | None = None
    range: tuple[float, float] | None = None
    has_history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """How a node is to be watched; intervals in s, None: as the subscription publishes; `deadband` in its unit."""

    node: str
    sampling_s: float | None = None
    queue_size: int = 100
    deadband: float | None = None
    trigger: int = 2
    """DataChangeTrigger: 0 status, 1 and value, 2 and source timestamp."""


def library() -> Any:  # noqa: ANN401 -- an optional dependency
    """Return the library.

    Raises
    ------
    ConfigError
        If it is not installed; says what to install.
    """
    try:
        module = importlib.import_module("asyncua")
    except ImportError as error:
        raise ConfigError(
            "driver", seen="opcua", reason="asyncua is not installed: pip install 'nilometer[opcua]'"
        ) from error
    # It logs a traceback for each answer that does not come; what matters is in our reports.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
    return module


class OpcuaLink:
    """One session with a server."""

    def __init__(self, client: Any, name: str, timeout_s: float) -> None:  # noqa: ANN401
        self.name = name
        self._ua = library().ua
        self._client, self._timeout_s = client, timeout_s
        self._failures = (
            *(self._ua.UaError, OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError),
            *(ArithmeticError, AssertionError, struct.error, EOFError),  # What spoilt bytes make of a library.
        )
        self._nodes: dict[str, Any] = {}

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise LinkTimeout(f"{what}: no answer within {self._timeout_s:g} s", link=self.name) from None
        except self._failures as error:
            raise LinkError(f"{what}: {str(error) or type(error).__name__}", link=self.name) from error

    async def greet(self) -> None:
        """Connect, and open the session.

        Raises
        ------
        LinkError
            If the server cannot be reached or refuses us.
        """
        with self._errors("cannot connect"):
            async with asyncio.timeout(4 * self._timeout_s):
                await self._client.connect()

    async def close(self) -> None:
        """End the session as far as the server still listens, then close the socket."""
        client = self._client
        with contextlib.suppress(TimeoutError, *self._failures):
            async with asyncio.timeout(min(GOODBYE_S, self._timeout_s)):
                await client.disconnect()
        with contextlib.suppress(*self._failures):
            client.disconnect_socket()
        # A goodbye that was cut short leaves the library's own tasks behind.
        owners = (client, client.uaclient, getattr(client.uaclient, "session", None))
        names = (
            "_renew_channel_task",
            "_supervisor_task",
            "_stale_watchdog_task",
            "_monitor_server_task",
            "_publish_task",
        )
        tasks = {
            task for owner in owners for name in names if isinstance(task := getattr(owner, name, None), asyncio.Task)
        }
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def state(self) -> tuple[int, int | None]:
        """Return ServerState (0: running) and the server's present, µs since 1970 UTC.

        Raises
        ------
        LinkError
            If there is no session any more; `LinkTimeout` if no answer comes.
        """
        ids = self._ua.ObjectIds
        with self._errors("server status"):
            async with asyncio.timeout(self._timeout_s):
                state = await self._client.get_node(ids.Server_ServerStatus_State).read_value()
                now = await self._client.get_node(ids.Server_ServerStatus_CurrentTime).read_value()
        return int(state), _micros(now)

    async def namespaces(self) -> list[str]:
        """Return the URIs of the server's namespaces by index."""
        with self._errors("namespaces"):
            async with asyncio.timeout(self._timeout_s):
                return [str(uri) for uri in await self._client.get_namespace_array()]

    def know(self, node: str, node_id: str) -> None:
        """Let `node` stand for a node id whose namespace is an index of this session.

        Raises
        ------
        LinkError
            If the id cannot be read.
        """
        with self._errors(f"node id {node_id!r}"):
            self._nodes[node] = self._client.get_node(node_id)

    async def describe(self, node: str) -> Described:
        """Return what the server says of a variable; what it does not say stays out.

        Raises
        ------
        LinkError
            If there is no such node, or no session.
        """
        attributes = self._ua.AttributeIds
        found = self._nodes[node]
        with self._errors(f"{node}"):
            async with asyncio.timeout(4 * self._timeout_s):
                name = (await found.read_browse_name()).Name
                access = await found.read_attribute(attributes.AccessLevel)
                kind = await found.read_data_type_as_variant_type()
                properties = {(await one.read_browse_name()).Name: one for one in await found.get_properties()}
                unit = await _property(properties.get("EngineeringUnits"))
                span = await _property(properties.get("EURange"))
        level = access.Value.Value if access.Value is not None else 0
        text = getattr(getattr(unit, "DisplayName", None), "Text", None)
        ends = (getattr(span, "Low", None), getattr(span, "High", None))
        return Described(
            name=str(name or ""),
            data_type=str(getattr(kind, "name", kind)),
            unit=str(text) if text else None,
            unit_id=getattr(unit, "UnitId", None),
            range=(float(ends[0]), float(ends[1])) if ends[0] is not None and ends[1] is not None else None,
            has_history=bool(int(level or 0) & _HISTORY_READ),
        )

    async def read(self, nodes: Sequence[str]) -> list[OpcuaValue]:
        """Return the present values of nodes, whatever their status."""
        with self._errors("read"):
            async with asyncio.timeout(self._timeout_s):
                ids = [self._nodes[node].nodeid for node in nodes]
                found = await self._client.uaclient.read_attributes(ids, self._ua.AttributeIds.Value)
        return [self._value(node, item) for node, item in zip(nodes, found, strict=True)]

    async def subscribe(self, monitors: Sequence[Monitor], interval_s: float, deliver: Deliver) -> dict[str, str]:
        """Watch nodes; return those that the server refuses, with its reason.

        Parameters
        ----------
        monitors : sequence of Monitor
            What to watch.
        interval_s : float
            The publishing interval, s.
        deliver : coroutine function
            Given each notification's values, and an empty list for a keep-alive. The server is asked for the next
            notification, and the last one is acknowledged, when it returns: so back-pressure reaches the server, whose
            queues fill.

        Raises
        ------
        LinkError
            If the subscription cannot be made.
        """
        ua = self._ua
        params = ua.CreateSubscriptionParameters()
        params.RequestedPublishingInterval = interval_s * 1000.0
        params.RequestedLifetimeCount = LIFETIME_COUNT
        params.RequestedMaxKeepAliveCount = max(1, int(self._timeout_s / interval_s))
        params.MaxNotificationsPerPublish = MOST_PER_PUBLISH
        params.PublishingEnabled = True
        handles = dict(enumerate(monitors, 1))

        async def published(result: Any) -> None:  # noqa: ANN401
            try:
                values = self._notified(result, handles)
            except self._failures:
                # It would be acknowledged and gone: the session is made anew instead, and history asked.
                values = [OpcuaValue("", None, 0x80070000, "BadDecodingError", None, None)]
            await deliver(values)

        with self._errors("subscribe"):
            async with asyncio.timeout(4 * self._timeout_s):
                made = await self._client.uaclient.create_subscription(params, published)
                refused = await self._watch(made.SubscriptionId, handles, filtered=True)
                again = {
                    handle: handles[handle] for handle, why in refused.items() if "Filter" in why or "Deadband" in why
                }
                if again:
                    # Not every server knows triggers and dead-bands: better every change than nothing.
                    refused |= dict.fromkeys(again, "")
                    refused |= await self._watch(made.SubscriptionId, again, filtered=False)
        return {handles[handle].node: why for handle, why in refused.items() if why}

    async def _watch(self, subscription: int, handles: Mapping[int, Monitor], *, filtered: bool) -> dict[int, str]:
        ua = self._ua
        params = ua.CreateMonitoredItemsParameters()
        params.SubscriptionId = subscription
        params.TimestampsToReturn = ua.TimestampsToReturn.Both
        params.ItemsToCreate = [self._item(handle, monitor, filtered=filtered) for handle, monitor in handles.items()]
        results = await self._client.uaclient.create_monitored_items(params)
        return {
            handle: str(item.StatusCode.name)
            for handle, item in zip(handles, results, strict=True)
            if not item.StatusCode.is_good()
        }

    def _item(self, handle: int, monitor: Monitor, *, filtered: bool) -> Any:  # noqa: ANN401
        ua = self._ua
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = self._nodes[monitor.node].nodeid
        item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        asked = ua.MonitoringParameters()
        asked.ClientHandle = handle
        asked.SamplingInterval = -1.0 if monitor.sampling_s is None else monitor.sampling_s * 1000.0
        asked.QueueSize = monitor.queue_size
        asked.DiscardOldest = True
        if filtered:
            asked.Filter = ua.DataChangeFilter()
            asked.Filter.Trigger = ua.DataChangeTrigger(monitor.trigger)
            if monitor.deadband is not None:
                asked.Filter.DeadbandType = int(ua.DeadbandType.Absolute)
                asked.Filter.DeadbandValue = monitor.deadband
        item.RequestedParameters = asked
        return item

    def _notified(self, result: Any, handles: Mapping[int, Monitor]) -> list[OpcuaValue]:  # noqa: ANN401
        values: list[OpcuaValue] = []
        for part in result.NotificationMessage.NotificationData or ():
            if isinstance(part, self._ua.StatusChangeNotification):
                # No node: the subscription itself has ended.
                values.append(OpcuaValue("", None, int(part.Status.value), str(part.Status.name), None, None))
                continue
            for item in getattr(part, "MonitoredItems", None) or ():
                monitor = handles.get(item.ClientHandle)
                if monitor is not None:
                    values.append(self._value(monitor.node, item.Value))
        return values

    async def history(self, node: str, start: int, end: int) -> AsyncIterator[list[OpcuaValue]]:
        """Give the raw values that a server keeps of a node, from `start` to `end` (µs since 1970 UTC), in parts.

        Raises
        ------
        LinkError
            If the server gives no history of it, or the session is lost.
        """
        details = self._ua.ReadRawModifiedDetails()
        details.IsReadModified, details.ReturnBounds = False, False
        details.StartTime, details.EndTime = (_EPOCH + timedelta(microseconds=moment) for moment in (start, end))
        details.NumValuesPerNode = HISTORY_CHUNK
        place: bytes | None = None
        for _ in range(MOST_CHUNKS):
            with self._errors(f"history of {node}"):
                async with asyncio.timeout(4 * self._timeout_s):
                    result = await self._nodes[node].history_read(details, place)
                result.StatusCode.check()
                found = [self._value(node, item) for item in getattr(result.HistoryData, "DataValues", None) or ()]
            if found:
                yield found
            if not result.ContinuationPoint or result.ContinuationPoint == place:
                return
            place = result.ContinuationPoint

    async def variables(self, most: int, deepest: int = 12) -> AsyncIterator[tuple[str, str]]:
        """Give node id and path of the variables below Objects, but for the server's own; the first `most` of them.

        Raises
        ------
        LinkError
            If the session is lost.
        """
        server = self._ua.NodeId(self._ua.ObjectIds.Server)
        pending: list[tuple[Any, str, int]] = [(self._client.get_objects_node(), "", 0)]
        seen: set[str] = set()
        given = 0
        while pending:
            parent, path, depth = pending.pop(0)
            with self._errors(f"browse {path or 'Objects'}"):
                async with asyncio.timeout(4 * self._timeout_s):
                    children = await parent.get_children_descriptions(refs=self._ua.ObjectIds.HierarchicalReferences)
            for child in children:
                node_id = child.NodeId.to_string()
                if node_id in seen or child.NodeId == server:
                    continue
                seen.add(node_id)
                name = f"{path}/{child.BrowseName.Name}".strip("/")
                if child.NodeClass == self._ua.NodeClass.Variable:
                    if child.ReferenceTypeId == self._ua.NodeId(self._ua.ObjectIds.HasProperty):
                        continue
                    yield node_id, name
                    given += 1
                    if given >= most:
                        return
                if depth < deepest and len(seen) < 50 * most:
                    pending.append((self._client.get_node(child.NodeId), name, depth + 1))

    def _value(self, node: str, item: Any) -> OpcuaValue:  # noqa: ANN401
        status = 0 if item.StatusCode is None else int(item.StatusCode.value)
        value = None if item.Value is None else _plain(item.Value.Value)
        return OpcuaValue(
            node, value, status, self._name(status), _micros(item.SourceTimestamp), _micros(item.ServerTimestamp)
        )

    def _name(self, status: int) -> str:
        """Return the name of a status; of one that has none, what its two top bits say, and its number."""
        code = status & 0xFFFF0000
        name = str(self._ua.status_codes.get_name_and_doc(code)[0])
        if name.startswith(("Good", "Uncertain", "Bad")):
            return name
        return f"{('Good', 'Uncertain', 'Bad', 'Bad')[code >> 30]} 0x{code:08X}"


async def _property(node: Any) -> Any:  # noqa: ANN401
    return None if node is None else (await node.read_data_value(raise_on_bad_status=False)).Value.Value


def _micros(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _plain(value: Any) -> Plain:  # noqa: ANN401 -- one answer a kind
    if isinstance(value, Enum):
        return int(value.value) if isinstance(value.value, int) else str(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    text = getattr(value, "Text", None)
    return str(value if text is None else text)


async def open_opcua(endpoint: Endpoint) -> OpcuaLink:
    """Connect to a server.

    Raises
    ------
    LinkError
        If it cannot be reached, or refuses us.
    ConfigError
        If a certificate or key file cannot be used, or asyncua is not installed.
    """
    asyncua = library()
    # Its own watchdog ends a session for one late answer; ours asks, waits, and says *silent* first.
    client = asyncua.Client(url=endpoint.url, timeout=endpoint.timeout_s, watchdog_intervall=86_400.0)
    client.name = client.description = "nilometer"
    if endpoint.username is not None:
        client.set_user(endpoint.username)
        client.set_password(endpoint.password or "")
    link = OpcuaLink(client, endpoint.url, endpoint.timeout_s)
    if endpoint.mode != "none":
        await _secure(link, client, endpoint, asyncua)
    try:
        await link.greet()
    except BaseException:
        await link.close()
        raise
    return link


async def _secure(link: OpcuaLink, client: Any, endpoint: Endpoint, asyncua: Any) -> None:  # noqa: ANN401
    policies = importlib.import_module("asyncua.crypto.security_policies")
    uacrypto = importlib.import_module("asyncua.crypto.uacrypto")
    x509 = importlib.import_module("cryptography.x509")
    mode = {"sign": "Sign", "sign_and_encrypt": "SignAndEncrypt"}[endpoint.mode]
    try:
        certificate = await uacrypto.load_certificate(endpoint.certificate_file)
        await uacrypto.load_private_key(endpoint.key_file, endpoint.key_password)
        if endpoint.server_certificate_file is not None:
            await uacrypto.load_certificate(endpoint.server_certificate_file)
    except (OSError, ValueError, TypeError) as error:
        files = (endpoint.certificate_file, endpoint.key_file, endpoint.server_certificate_file)
        raise ConfigError(
            "certificate_file", seen=", ".join(name for name in files if name), reason=str(error)
        ) from error
    with contextlib.suppress(x509.ExtensionNotFound):
        # A server compares our ApplicationUri with the one in the certificate (Part 4, 6.1.3).
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        client.application_uri = uris[0] if uris else client.application_uri
    with link._errors("cannot agree on security"):
        async with asyncio.timeout(4 * endpoint.timeout_s):
            await client.set_security(
                getattr(policies, f"SecurityPolicy{endpoint.policy}"),
                certificate=endpoint.certificate_file,
                private_key=endpoint.key_file,
                private_key_password=endpoint.key_password,
                server_certificate=endpoint.server_certificate_file,
                mode=getattr(asyncua.ua.MessageSecurityMode, mode),
            )
