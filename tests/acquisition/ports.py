"""A port of loopback that is ours for a while: nobody else is given it, and we may still listen on it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["reserved_port", "reserved_udp_port"]


@contextmanager
def reserved_port() -> Iterator[int]:
    """Hold a port without listening on it: who dials it is refused, until somebody listens.

    A port that was free a moment ago may be another process's by the time it is used.
    """
    with socket.socket() as holder:
        # Linux lets another socket bind what nobody listens on, if both say so; servers of asyncio do.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@contextmanager
def reserved_udp_port() -> Iterator[int]:
    """Hold a UDP port while its number is told; whoever listens there binds it after."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
