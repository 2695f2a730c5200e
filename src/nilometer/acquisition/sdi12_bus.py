"""The recorder's side of an SDI-12 bus: ask, wait, check that the answer is the answer, and ask again by the standard.

A *transparent* line is an adapter's or a bridge's: it takes a command as text and keeps the timing itself. On a
*direct* line the break, the marking and the parity are ours. It knows nothing of instruments or of polling.

References
----------
SDI-12 specification 1.4 (2019), section 7: timing and retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from nilometer.acquisition.links.link import Link, discard_pending, read_within
from nilometer.acquisition.protocols import sdi12_binary
from nilometer.acquisition.protocols.sdi12_answer import Answer, Text, answer
from nilometer.acquisition.protocols.sdi12_command import Command, Kind, command
from nilometer.acquisition.protocols.sdi12_parity import with_parity, without_parity
from nilometer.errors import FrameError, LinkTimeout

__all__ = ["Breaking", "Sdi12Bus", "Timing"]

# At least 12 and 8.33 ms; longer, because an event loop may count in whole milliseconds.
BREAK_S = 0.015
MARKING_S = 0.011
IDLE_S = 0.087  # a line that rested longer needs a break
CHARACTER_S = 10 / 1200
INNER_TRIES = 3
CHANGE_S = 1.0  # a sensor may take so long to write its new address down
LONGEST = 8192
# The longest answers at 1200 baud are of 85 characters, and of 1006 bytes: a device that chatters on is cut short.
LINE_S = 5.0
PAGE_S = 15.0
REST_S = 2.0

T = TypeVar("T")


@runtime_checkable
class Breaking(Protocol):
    """A link that can send a break."""

    async def send_break(self, duration_s: float) -> None:
        """Hold the line at space for at least a time, s."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How a line is used.

    Parameters
    ----------
    is_direct : bool
        Break, marking and parity are ours.
    timeout_s : float
        How long to wait for the first character of an answer, from the end of the command, s.
    gap_s : float
        The longest time between two characters of an answer, s; by the standard 1.66 ms, which adapters stretch.
    settle_s : float
        How long to listen after a measurement for a line too many, s.
    """

    is_direct: bool = False
    timeout_s: float = 1.0
    gap_s: float = 0.5
    settle_s: float = 0.03

    @classmethod
    def direct(cls, timeout_s: float | None = None) -> Timing:
        """Return the timing of a line that we drive: a sensor begins within 15 ms and a character of 8.33 ms."""
        # Short enough that two further tries need no new break, long enough for the 16 ms that a USB port holds back.
        return cls(is_direct=True, timeout_s=timeout_s or 0.06, gap_s=0.05)


class Sdi12Bus:
    """The bus, one exchange at a time: hold `lock` around what must not be interrupted.

    Parameters
    ----------
    link : Link
        Carries the bytes; the caller opens and closes it.
    timing : Timing
        How the line is used.
    on_bad : callable, optional
        Told the address of a sensor whose answer was refused, as often as that happens.

    Raises
    ------
    TypeError
        If the line is direct and the link cannot send a break.
    """

    def __init__(self, link: Link, timing: Timing, on_bad: Callable[[str], None] | None = None) -> None:
        self.lock = asyncio.Lock()
        self._link, self._timing = link, timing
        self._breaking = link if isinstance(link, Breaking) else None
        if timing.is_direct and self._breaking is None:
            raise TypeError(f"{link.name} cannot send a break")
        self._on_bad = on_bad or (lambda _address: None)
        self._loop = asyncio.get_running_loop()
        self._awake = ""
        self._active = -1e9
        self._unsure: set[str] = set()
        self._strays: set[str] = set()

    @property
    def name(self) -> str:
        """Return the link's name."""
        return self._link.name

    async def ask(self, asked: Command, *, tries: int = 3) -> Answer:
        """Send a command and return its answer.

        Parameters
        ----------
        asked : Command
            Anything but DB; for D, `has_crc` is that of its measurement.
        tries : int
            How often; on a direct line each is up to three, the first of them with a break.

        Raises
        ------
        LinkTimeout
            If nothing came: the sensor is silent.
        FrameError
            If only answers came that do not check.
        LinkError
            If the link is cut.
        """
        said = await self._repeated(asked, tries, lambda: self._line_of(asked))
        if asked.kind is Kind.CHANGE:
            await asyncio.sleep(CHANGE_S)
            self._awake = ""
        elif isinstance(said, Text):
            await self._rest(0.15)  # Further lines of the maker's own may follow.
        return said

    async def ask_page(self, asked: Command, *, tries: int = 3) -> sdi12_binary.Page:
        """Send DB and return its page; see `ask` for what it raises."""
        return await self._repeated(asked, tries, lambda: self._page_of(asked))

    async def service_request(self, address: str, within_s: float) -> bool:
        """Wait until a sensor says that it is done; return whether it did, or the time is over.

        Raises
        ------
        LinkError
            If the link is cut.
        """
        deadline = self._loop.time() + within_s
        buffer = b""
        while (rest := deadline - self._loop.time()) > 0:
            try:
                buffer += await read_within(self._link, rest)
            except LinkTimeout:
                return False
            *lines, buffer = buffer.replace(b"\r", b"\n").replace(b"\x8d", b"\n")[-LONGEST:].split(b"\n")
            if any(_is_address(line, address) for line in lines):
                return True
        return False

    def begin(self, address: str) -> None:
        """Forget what came too much of a sensor: its next measurement begins."""
        self._strays.discard(address)

    async def settled(self, address: str) -> bool:
        """Return whether no line too many came from a sensor since `begin`, nor comes for a moment.

        One says that answers do not go with commands. The moment is long where an exchange needed a repetition: the
        answer to the first try may still be under way.

        Raises
        ------
        LinkError
            If the link is cut.
        """
        is_unsure = address in self._unsure
        self._unsure.discard(address)
        rest_s = max(2 * self._timing.timeout_s, self._timing.settle_s) if is_unsure else self._timing.settle_s
        self._note_strays(await self._rest(rest_s), address)
        return address not in self._strays

    def _note_strays(self, heard: bytes, address: str) -> None:
        lines = heard.replace(b"\r", b"\n").replace(b"\x8d", b"\n").split(b"\n")
        if any(line and not _is_of_another(line, address) for line in (line.strip(b"\0") for line in lines)):
            self._strays.add(address)

    async def change_address(self, old: str, new: str) -> None:
        """Give a sensor another address.

        Raises
        ------
        FrameError
            If the new address is taken, or the sensor does not confirm it.
        LinkTimeout
            If the sensor does not answer.
        """
        try:
            await self.ask(command(f"{new}!"), tries=1)
        except LinkTimeout:
            await self.ask(command(f"{old}A{new}!"))
            return
        raise FrameError(f"address {new} is taken: a sensor answers there")

    async def _repeated(self, asked: Command, tries: int, take: Callable[[], Awaitable[T]]) -> T:
        failure: LinkTimeout | FrameError | None = None
        inner = INNER_TRIES if self._timing.is_direct else 1
        for attempt in range(max(1, tries) * inner):
            try:
                await self._send(asked, needs_break=attempt % inner == 0 and attempt > 0)
                return await take()
            except LinkTimeout as error:
                failure = failure or error
            except FrameError as error:
                self._on_bad(asked.address)
                failure = FrameError(f"bad answer: {error}", frame=error.frame)
                await self._rest(max(self._timing.settle_s, 0.017))
            self._unsure.add(asked.address)
        assert failure is not None  # noqa: S101 -- the loop ran
        raise failure

    async def _send(self, asked: Command, *, needs_break: bool) -> None:
        await discard_pending(self._link)
        wire = asked.wire
        if self._breaking is not None and self._timing.is_direct:
            is_idle = self._loop.time() - self._active > IDLE_S
            if needs_break or is_idle or self._awake != asked.address:
                await self._breaking.send_break(BREAK_S)
                await asyncio.sleep(MARKING_S)
            self._awake = asked.address
            wire = with_parity(wire)
            await self._link.write(wire)
            # The port takes them at once and sends them in its own time.
            await asyncio.sleep(len(wire) * CHARACTER_S)
            self._active = self._loop.time()
            return
        await self._link.write(wire)

    async def _more(self, buffer: bytes, wait_s: float) -> bytes:
        try:
            data = await read_within(self._link, wait_s)
        except LinkTimeout:
            if buffer.strip(b"\0\r\n\x8d"):
                raise FrameError("incomplete: the answer has no end", frame=buffer[:256]) from None
            raise LinkTimeout(f"no answer within {self._timing.timeout_s:g} s", link=self._link.name) from None
        self._active = self._loop.time()
        if len(buffer) + len(data) > LONGEST:
            raise FrameError("noise without end", frame=buffer[:256])
        return buffer + data

    async def _line_of(self, asked: Command) -> Answer:
        """Return the answer that comes; lines of other sensors, late ones, are passed over and counted."""
        deadline = self._loop.time() + self._timing.timeout_s
        end = deadline + LINE_S
        buffer, bad = b"", None
        while True:
            buffer = _without_echo(buffer, asked)
            line, buffer = _first_line(buffer)
            if line is None:
                # Behind a line of another sensor the true one may stand; it has as long as it would have had.
                wait_s = self._timing.gap_s if buffer else max(0.0, deadline - self._loop.time())
                try:
                    buffer = await self._more(buffer, min(wait_s, max(0.0, end - self._loop.time())))
                except LinkTimeout:
                    if bad is not None:
                        raise bad from None
                    raise
                continue
            if _is_of_another(line, asked.body[1] if asked.kind is Kind.CHANGE else asked.address):
                bad = FrameError(f"address_mismatch: {asked.address} was asked, another answered", frame=line)
                continue
            said = answer(line, asked)
            if buffer.strip(b"\0\r\n\x8d"):
                self._unsure.add(asked.address)
                if asked.kind in {Kind.DATA, Kind.CONTINUOUS}:
                    self._note_strays(buffer, asked.address)
            return said

    async def _page_of(self, asked: Command) -> sdi12_binary.Page:
        buffer = await self._more(b"", self._timing.timeout_s)
        end = self._loop.time() + PAGE_S
        while True:
            buffer = _without_echo(buffer, asked)
            if len(buffer) >= sdi12_binary.HEAD:
                length = sdi12_binary.page_length(buffer[: sdi12_binary.HEAD])
                if len(buffer) >= length:
                    page = sdi12_binary.page(buffer[:length])
                    if page.address != asked.address:
                        raise FrameError(
                            f"address_mismatch: {asked.address} was asked, {page.address} answered", frame=buffer
                        )
                    return page
            buffer = await self._more(buffer, min(self._timing.gap_s, max(0.0, end - self._loop.time())))

    async def _rest(self, quiet_s: float) -> bytes:
        """Return what still comes, until the line was quiet for a time, or it never will be."""
        heard = b""
        end = self._loop.time() + quiet_s + REST_S
        while len(heard) < LONGEST and self._loop.time() < end:
            try:
                heard += await read_within(self._link, quiet_s)
            except LinkTimeout:
                break
        return heard


def _without_echo(buffer: bytes, asked: Command) -> bytes:
    """Return what comes behind our own command, which half-duplex adapters hand back; a break is heard as NUL."""
    buffer = buffer.lstrip(b"\0")
    for wire in (asked.wire, with_parity(asked.wire)):
        if buffer.startswith(wire):
            return buffer[len(wire) :].lstrip(b"\0\r\n")
    return buffer


def _first_line(buffer: bytes) -> tuple[bytes | None, bytes]:
    buffer = buffer.lstrip(b"\0\r\n\x8d")
    ends = [place for end in (b"\n", b"\r", b"\x8d") if (place := buffer.find(end)) >= 0]
    if not ends:
        return None, buffer
    return buffer[: min(ends)], buffer[min(ends) + 1 :]


def _is_address(line: bytes, address: str) -> bool:
    try:
        return without_parity(line.strip(b"\0"))[0] == address.encode("ascii")
    except FrameError:
        return False


def _is_of_another(line: bytes, address: str) -> bool:
    heard = chr(line[0] & 0x7F)
    return address not in "?*" and heard != address and heard.isalnum()
