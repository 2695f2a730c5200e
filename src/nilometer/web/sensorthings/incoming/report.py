"""What an import made, knew already and did not take, with the reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Report"]

MOST_SAID = 200


@dataclass(slots=True)
class Report:
    """The account of one run.

    Parameters
    ----------
    url : str
        The other server.
    dry : bool
        Whether nothing was made, and `new` is what would have been.
    """

    url: str
    dry: bool = False
    new: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    said: dict[tuple[str, str], list[Any]] = field(default_factory=dict)

    def leave(self, kind: str, what: object, reason: str, n: int = 1) -> None:
        """Count what was not taken, and why."""
        self.left[kind] += n
        self.note(kind, what, reason)

    def note(self, kind: str, what: object, reason: str) -> None:
        """Keep a remark: of one reason how often, and the first one it was said of."""
        name = (kind, reason)
        if name in self.said:
            self.said[name][0] += 1
        elif len(self.said) < MOST_SAID:
            self.said[name] = [1, what]

    @property
    def notes(self) -> list[str]:
        """The remarks, each reason once."""
        return [
            f"{kind} {first}{f' and {n - 1:,} more' if n > 1 else ''}: {reason}"
            for (kind, reason), (n, first) in self.said.items()
        ]

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "from": self.url,
            "dry_run": self.dry,
            "new": dict(self.new),
            "known": dict(self.known),
            "left_out": dict(self.left),
            "notes": self.notes,
        }

    def line(self) -> str:
        """Return the counts in a line."""
        return ", ".join(f"{number:,} {name}" for name, number in self.new.items() if number) or "nothing new"
