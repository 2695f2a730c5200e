"""Answers from the pump's threads to whoever waits in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["call", "settle"]

T = TypeVar("T")


def call(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: object) -> None:
    """Have the loop call something, unless the loop has already gone."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *arguments)


def settle(answer: asyncio.Future[T], outcome: T | Exception) -> None:
    """Give an answer that nobody has given up on."""
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
