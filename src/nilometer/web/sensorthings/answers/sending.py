"""Sending an answer in pieces: one is made while another is on its way, and no more are made than a client takes.

A client that takes nothing for a while, or takes its time without end, is cut; so is one whose answer fails half-way.
An answer that was cut is seen to be cut: its last chunk never comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass, field
from http import HTTPStatus

from nilometer.web.exchange import ClientGone, Exchange, Headers

__all__ = ["Piece", "Pieces", "send"]

Piece = bytes | memoryview
"""A part of an answer; a view where a column of text is sent as it lies."""

SILENCE_S = 30.0
"""How long a client may take for the next bytes."""
_AT_ONCE = 1 << 19
"""Bytes handed on at a time: more would wait in the server's buffers."""
WHOLE_S = 3600.0
"""How long it may take for all of them."""


@dataclass(slots=True)
class Pieces:
    """An answer that is made while it is sent; the generator is closed whatever becomes of it."""

    pieces: Generator[Piece]
    media_type: str
    headers: Headers = field(default_factory=tuple)


async def send(exchange: Exchange, answer: Pieces, *, silence_s: float = SILENCE_S, whole_s: float = WHOLE_S) -> None:
    """Send an answer.

    Raises
    ------
    ClientGone
        If the client hung up, or was too slow.
    NilometerError
        What making the first piece raises, before anything is sent.
    """
    gone = asyncio.ensure_future(exchange.gone())
    coming: asyncio.Task[Piece | None] | None = None
    try:
        if exchange.method == "HEAD":
            await exchange.answer(HTTPStatus.OK, b"", headers=[("content-type", answer.media_type), *answer.headers])
            return
        coming = _made(answer)
        piece = await coming
        async with asyncio.timeout(whole_s):
            async with asyncio.timeout(silence_s):
                await exchange.begin(answer.media_type, answer.headers)
            while piece is not None:
                coming = _made(answer)
                await _out(exchange, piece, gone, silence_s)
                piece = await coming
            await _out(exchange, b"", gone, silence_s, last=True)
    except TimeoutError as error:
        raise ClientGone from error
    finally:
        gone.cancel()
        if coming is not None:
            # A thread may be at the next piece still: what it reads from is let go of once it is done.
            await asyncio.wait({coming})
            if not coming.cancelled():
                coming.exception()  # seen already, or nobody is left to see it
        answer.pieces.close()


def _made(answer: Pieces) -> asyncio.Task[Piece | None]:
    return asyncio.ensure_future(asyncio.to_thread(next, answer.pieces, None))


async def _out(
    exchange: Exchange, piece: Piece, gone: asyncio.Future[None], silence_s: float, *, last: bool = False
) -> None:
    for start in range(0, max(len(piece), 1), _AT_ONCE):
        async with asyncio.timeout(silence_s):
            await exchange.piece(piece[start : start + _AT_ONCE], last=last)
    if gone.done() and not last:
        raise ClientGone
