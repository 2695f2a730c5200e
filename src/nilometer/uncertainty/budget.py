"""An uncertainty budget: which input contributes how much."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Budget", "Entry"]

_HEADS = ("input", "value", "u", "unit", "distribution", "sensitivity", "contribution", "share")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Parameters
    ----------
    name : str
        The input; ``equation``: the equation itself.
    unit : str
        CF text, of the input.
    value, uncertainty : float
        Of the input, k = 1.
    distribution : str
        Such as ``normal``, ``rectangular``.
    sensitivity : float
        ∂y/∂x, in units of the result per unit of the input.
    contribution : float
        sensitivity · uncertainty, in the unit of the result.
    share : float
        Its square over that of the combined uncertainty, 1. Correlated inputs do not add up to 1.
    """

    name: str
    unit: str
    value: float
    uncertainty: float
    distribution: str
    sensitivity: float
    contribution: float
    share: float


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget of one result; `str` gives it as a table.

    Parameters
    ----------
    name : str
        Of the function.
    unit : str
        CF text, of the result.
    value, uncertainty : float
        The result and its combined standard uncertainty.
    entries : tuple of Entry
        In the order of the inputs.
    """

    name: str
    unit: str
    value: float
    uncertainty: float
    entries: tuple[Entry, ...]

    def to_document(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)

    def __str__(self) -> str:
        """Return the table as Markdown, the largest contribution first."""
        ordered = sorted(self.entries, key=lambda entry: -abs(entry.contribution))
        lines = [[*_HEADS], ["---"] * len(_HEADS)]
        lines += [
            [
                entry.name,
                f"{entry.value:.6g}",
                f"{entry.uncertainty:.2g}",
                entry.unit,
                entry.distribution,
                f"{entry.sensitivity:.4g}",
                f"{entry.contribution:.2g}",
                f"{100.0 * entry.share:.1f} %",
            ]
            for entry in ordered
        ]
        last = f"{self.name} = {self.value:.6g} {self.unit}, u = {self.uncertainty:.2g} (k = 1), "
        last += f"U = {2.0 * self.uncertainty:.2g} (k = 2)"
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + last
