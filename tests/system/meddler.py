"""A server seen through a bad line: it names itself by another host, is busy, and cuts an answer off."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

BUSY = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Meddler:
    """Passes requests on to `address`: those numbered `busy` get 429, from `cut_from` on no answer comes whole."""

    def __init__(self, address: str, *, busy: frozenset[int] = frozenset(), cut_from: int | None = None) -> None:
        self.arrays = 0
        self.address, self.busy, self.cut_from, self.asked, self.url = urlsplit(address), busy, cut_from, 0, ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        self.asked += 1
        self.arrays += b"dataArray" in head
        if self.asked in self.busy:
            writer.write(BUSY)
        else:
            head = re.sub(rb"(?i)\r\nhost:[^\r]*", b"\r\nhost: inside.invalid:8080", head)
            head = re.sub(rb"(?i)\r\n(connection|accept-encoding):[^\r]*", b"", head)
            theirs, mine = await asyncio.open_connection(self.address.hostname, self.address.port)
            mine.write(head[:-2] + b"connection: close\r\n\r\n")
            answer = await theirs.read()
            mine.close()
            is_cut = self.cut_from is not None and self.asked >= self.cut_from
            writer.write(answer[: len(answer) - 40] if is_cut else answer)
        await writer.drain()
        writer.close()
