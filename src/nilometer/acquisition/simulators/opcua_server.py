"""A real OPC UA server (asyncua's) in a thread of its own, shared by all virtual servers of a process.

To load the standard's own nodes takes seconds; and a server in the loop of its client could wait for it for ever.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import importlib
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from nilometer.acquisition.links.opcua import library

__all__ = ["OpcuaServer", "shared"]

NAMESPACE = "urn:nilometer:simulator"
START_S = 60.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


class OpcuaServer:
    """A server on a free port of loopback.

    Parameters
    ----------
    certificate_file, key_file : str
        PEM; where given, it offers Sign, and SignAndEncrypt, by Basic256Sha256 as well.
    password : str
        Of the user ``nilometer``; anonymous clients come in all the same.
    """

    def __init__(self, *, certificate_file: str = "", key_file: str = "", password: str = "") -> None:
        self.port = 0
        self.index = 0
        self._certificate_file, self._key_file, self._password = certificate_file, key_file, password
        self._asyncua = library()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="opcua-server", daemon=True)
        self._server: Any = None
        self._folders: list[str] = []

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._do(self._start())

    def stop(self) -> None:
        """End; nobody is answered any more."""
        if self._thread.is_alive():
            self._do(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _stop(self) -> None:
        await self._server.stop()
        # What clients that were cut off have left behind.
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def call(self, action: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Have something done in the server's loop."""
        return asyncio.run_coroutine_threadsafe(action, self._loop)

    def _do(self, action: Coroutine[Any, Any, T]) -> T:
        return self.call(action).result(START_S)

    async def _start(self) -> None:
        asyncua = self._asyncua
        manager = None
        if self._password:
            manager = _Users(self._password)
        server = self._server = asyncua.Server(user_manager=manager)
        await server.init()
        server.set_endpoint("opc.tcp://127.0.0.1:0/")
        if self._certificate_file:
            await server.load_certificate(self._certificate_file)
            await server.load_private_key(self._key_file)
        kinds = asyncua.ua.SecurityPolicyType
        secure = [kinds.Basic256Sha256_Sign, kinds.Basic256Sha256_SignAndEncrypt] if self._certificate_file else []
        server.set_security_policy([kinds.NoSecurity, *secure])
        self.index = await server.register_namespace(NAMESPACE)
        await server.start()
        self.port = server.bserver._server.sockets[0].getsockname()[1]

    def free_folder(self, name: str) -> str:
        """Return a name that no other virtual server of this process has: the one asked for, or with a number."""
        self._folders.append(name)
        count = self._folders.count(name)
        return name if count == 1 else f"{name}-{count}"

    async def add(self, folder: str, name: str, value: Any, *, unit: str | None = None, keeps: bool = False) -> Any:  # noqa: ANN401
        """Add a variable and return it; with `keeps` the server keeps its history."""
        server, ua = self._server, self._asyncua.ua
        parent_id = ua.NodeId(folder, self.index)
        parent = server.get_node(parent_id)
        if folder not in {
            child.Name for child in [await one.read_browse_name() for one in await server.nodes.objects.get_children()]
        }:
            parent = await server.nodes.objects.add_folder(parent_id, ua.QualifiedName(folder, self.index))
        node = await parent.add_variable(
            ua.NodeId(f"{folder}.{name}", self.index), ua.QualifiedName(name, self.index), value
        )
        if unit is not None:
            described = ua.EUInformation()
            described.NamespaceUri = "http://www.opcfoundation.org/UA/units/un/cefact"
            described.UnitId = -1
            described.DisplayName = described.Description = ua.LocalizedText(unit)
            await node.add_property(0, "EngineeringUnits", described)
        if keeps:
            await server.historize_node_data_change(node, period=None, count=10_000)
        return node

    async def put(self, node: Any, value: Any, time: int | None, status: int = 0) -> None:  # noqa: ANN401
        """Give a variable a value, with its own time (µs since 1970 UTC) and status."""
        ua = self._asyncua.ua
        stamp = None if time is None else _EPOCH + timedelta(microseconds=time)
        variant = value if isinstance(value, ua.Variant) else ua.Variant(value)
        await node.write_value(ua.DataValue(variant, ua.StatusCode(status), stamp, stamp))


class _Users:
    def __init__(self, password: str) -> None:
        rules = importlib.import_module("asyncua.crypto.permission_rules")
        self._password, self._user = password, rules.User(role=rules.UserRole.User)

    def get_user(
        self,
        _server: object,
        username: str | None = None,
        password: str | None = None,
        certificate: object = None,
    ) -> Any:  # noqa: ANN401
        """Return who it is; None for nobody."""
        if username is None or (username == "nilometer" and password == self._password):
            return self._user
        return None


@cache
def shared() -> OpcuaServer:
    """Return the server of this process, started when it is first asked for."""
    server = OpcuaServer()
    server.start()
    atexit.register(server.stop)
    return server
