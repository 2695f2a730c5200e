"""Answers from the pump's threads to whoever waits in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["asked", "call", "settle"]

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


async def asked(in_thread: Callable[[Callable[[], None]], object], action: Callable[[], T]) -> T:
    """Have another thread do something, and return what it gives or raise what it raises.

    Parameters
    ----------
    in_thread : callable
        Takes what that thread is to call.
    action : callable
        What is to be done.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def act() -> None:
        try:
            done = action()
        except Exception as error:  # noqa: BLE001 -- handed to the caller, who waits in another thread
            call(loop, settle, answer, error)
        else:
            call(loop, settle, answer, done)

    in_thread(act)
    return await answer
