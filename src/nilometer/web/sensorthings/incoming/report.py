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
    said: list[str] = field(default_factory=list)

    def leave(self, kind: str, what: str, reason: str, n: int = 1) -> None:
        """Count what was not taken, and keep the first reasons."""
        self.left[kind] += n
        self.note(f"{what}: {reason}")

    def note(self, text: str) -> None:
        """Keep a remark."""
        if len(self.said) < MOST_SAID:
            self.said.append(text)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "from": self.url,
            "dry_run": self.dry,
            "new": dict(self.new),
            "known": dict(self.known),
            "left_out": dict(self.left),
            "notes": self.said,
        }

    def line(self) -> str:
        """Return the counts in a line."""
        return ", ".join(f"{number:,} {name}" for name, number in self.new.items() if number) or "nothing new"
