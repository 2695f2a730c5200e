"""What an HJ 212 station has not sent: the gaps between its interval uploads, and which to ask for next; does no I/O.

Minute, hour and day data (CN 2051, 2061, 2031) come in steps; a step that is left out is a gap. A station that kept its
uploads sends them again by itself, so a gap is let ripen before it is asked for; whatever comes meanwhile fills it.

References
----------
HJ 212-2017 section 6.1 and Appendix C.22 to C.24, C.30, C.31: requests for history by BeginTime and EndTime.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["COMMANDS", "Gap", "Gaps"]

COMMANDS: Mapping[str, str] = {"minute": "2051", "hour": "2061", "day": "2031"}
"""The commands of interval data that a station can be asked for, by what an interval is called."""

MOST_GAPS = 200
MOST_STEPS = 500
"""Steps that one request asks for: a station with a thin line answers it within reason."""

_KNOWN_STEPS = 3


@dataclass(slots=True)
class Gap:
    """Steps that are missing.

    Parameters
    ----------
    command : str
        Such as 2051.
    first, last : int
        Starts of the first and of the last interval that is missing, µs since 1970 UTC.
    ripe_at : float
        When it may be asked for, s of the caller's clock.
    tries : int
        How often it was asked for in vain.
    """

    command: str
    first: int
    last: int
    ripe_at: float
    tries: int = 0


@dataclass(slots=True)
class _Asked:
    """A request that is under way, and what is missing of it still."""

    left: list[Gap]
    heard_at: float
    has_moved: bool = False


@dataclass(slots=True)
class Gaps:
    """The gaps of one station.

    Parameters
    ----------
    step : callable
        ``step(command, start)`` gives how long the interval is that starts there, µs, as configured.
    newest : dict of str to int
        Start of the newest interval that is stored, by command; a command that is not here has no gap before its first.
    wanted : frozenset of str
        Commands to ask for.
    ripe_s, patience_s : float
        How long a gap waits to be filled by itself, and how long a request waits for the next upload, s.
    most_tries : int
        How often a gap is asked for.
    farthest_us : int
        How far back from the newest upload, µs.
    """

    step: Callable[[str, int], int]
    newest: dict[str, int]
    wanted: frozenset[str]
    ripe_s: float = 60.0
    patience_s: float = 30.0
    most_tries: int = 3
    farthest_us: int = 30 * 86_400_000_000
    _gaps: deque[Gap] = field(default_factory=lambda: deque(maxlen=MOST_GAPS))
    _steps: dict[str, deque[int]] = field(default_factory=dict)
    _asked: _Asked | None = None

    def __len__(self) -> int:
        return len(self._gaps) + (len(self._asked.left) if self._asked is not None else 0)

    def heard(self, command: str, start: int, now: float) -> None:
        """Note an upload of an interval, by itself or because it was asked for."""
        if command not in self.wanted:
            return
        newest = self.newest.get(command)
        if newest is None or start > newest:
            self.newest[command] = start
        if newest is not None and start > newest:
            self._step_on(command, newest, start, now)
        elif newest is not None:
            self._fill(command, start, now)

    def request(self, now: float) -> Gap | None:
        """Return what to ask for now, which counts as asked from then on; None: nothing, or a request is under way."""
        if self._asked is not None:
            return None
        gap = next((gap for gap in self._gaps if gap.ripe_at <= now), None)
        if gap is None:
            return None
        self._gaps.remove(gap)
        asked, rest = self._cut(gap)
        if rest is not None:
            self._gaps.appendleft(rest)
        self._asked = _Asked([asked], now)
        return Gap(asked.command, asked.first, asked.last, asked.ripe_at, asked.tries)

    def end_of(self, gap: Gap) -> int:
        """Return EndTime: within the last interval, so that it counts whether the station takes the end in or not."""
        return gap.last + self._width(gap.command, gap.last) - 1_000_000

    def is_overdue(self, now: float) -> bool:
        """Say whether a request is under way that nothing has come of for too long."""
        return self._asked is not None and now - self._asked.heard_at > self.patience_s

    def ended(self, now: float) -> list[Gap]:
        """Note that the request under way has come to its end, well or not; return what is given up with it."""
        asked, self._asked = self._asked, None
        given_up = []
        for gap in asked.left if asked is not None else ():
            gap.tries += not (asked is not None and asked.has_moved)
            gap.ripe_at = now + self.ripe_s * 2**gap.tries
            if gap.tries >= self.most_tries:
                given_up.append(gap)
            else:
                self._gaps.append(gap)
        return given_up

    def _step_on(self, command: str, newest: int, start: int, now: float) -> None:
        width = self._width(command, newest)
        if command != COMMANDS["day"]:
            self._steps.setdefault(command, deque(maxlen=8)).append(start - newest)
        if start - newest > 1.5 * width:
            first = max(newest + width, start - self.farthest_us)
            self._gaps.append(Gap(command, first, start - self._width(command, start), now + self.ripe_s))

    def _width(self, command: str, start: int) -> int:
        """Return how far it is from one interval to the next: as configured, or as the station has shown."""
        seen = self._steps.get(command, ())
        return min(seen) if len(seen) >= _KNOWN_STEPS else self.step(command, start)

    def _fill(self, command: str, start: int, now: float) -> None:
        asked = self._asked
        if asked is not None and asked.left and any(gap.command == command for gap in asked.left):
            left = [part for gap in asked.left for part in self._without(gap, command, start)]
            asked.has_moved |= left != asked.left
            asked.left, asked.heard_at = left, now
        if any(gap.command == command and gap.first <= start <= gap.last for gap in self._gaps):
            parts = [part for gap in self._gaps for part in self._without(gap, command, start)]
            self._gaps = deque(parts, maxlen=MOST_GAPS)

    def _without(self, gap: Gap, command: str, start: int) -> Iterator[Gap]:
        """Yield what is missing still of a gap when one interval of it has come."""
        width = self._width(command, start)
        if gap.command != command or not gap.first - width // 2 < start < gap.last + width // 2:
            yield gap
            return
        if start - width >= gap.first - width // 2:
            yield Gap(command, gap.first, start - width, gap.ripe_at, gap.tries)
        if start + width <= gap.last + width // 2:
            yield Gap(command, start + width, gap.last, gap.ripe_at, gap.tries)

    def _cut(self, gap: Gap) -> tuple[Gap, Gap | None]:
        """Return so much of a gap as one request asks for, and the rest."""
        width = self._width(gap.command, gap.first)
        last = gap.first + (MOST_STEPS - 1) * width
        if gap.last <= last + width // 2:
            return gap, None
        rest = Gap(gap.command, last + width, gap.last, gap.ripe_at, gap.tries)
        return Gap(gap.command, gap.first, last, gap.ripe_at, gap.tries), rest
