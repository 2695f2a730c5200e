"""A report as it is before it becomes a PDF or a page: blocks of text, tables and pictures, in one language.

Both writers set the same blocks, so that neither says more than the other. Text is text: no block holds markup.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from nilometer.trials.report.words import Language, visible

__all__ = [
    "Answer",
    "Answers",
    "Block",
    "Bullets",
    "Code",
    "Document",
    "Facts",
    "Heading",
    "Picture",
    "Standing",
    "Table",
    "Text",
    "bold",
    "line",
    "marked",
    "mono",
    "quiet",
]

Run = tuple[str, str]
"""A piece of a line and its style: plain, bold, mono, quiet, or mark, of which the text is an outcome."""
Line = tuple[Run, ...]


def line(text: str | Line) -> Line:
    """Return text as a line."""
    return (("plain", visible(text)),) if isinstance(text, str) else text


def bold(text: str) -> Line:
    """Return a line of heavy text."""
    return (("bold", visible(text)),)


def mono(text: str) -> Line:
    """Return a line whose letters are all of one width, such as a hash."""
    return (("mono", visible(text)),)


def quiet(text: str) -> Line:
    """Return a line that stands back."""
    return (("quiet", visible(text)),)


def marked(outcome: str, text: str) -> Line:
    """Return a line that begins with the mark of an outcome."""
    # The shape and its word stay together.
    return (("mark", outcome), ("bold", f"\u00a0{visible(text).replace(' ', chr(0xA0))}"))


@dataclass(frozen=True, slots=True)
class Heading:
    """Level 1 begins a part, 2 a section of it."""

    level: int
    text: str
    kind: str = "heading"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `tone` is plain or quiet."""

    runs: Line
    tone: str = "plain"
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[Line, ...]
    kind: str = "bullets"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what they are."""

    rows: tuple[tuple[str, Line], ...]
    kind: str = "facts"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head.

    `align` has left or right for each column; `widths` 0 for as wide as its text, else a share of the rest. What is not
    whole may end on another page than it began, however short it is.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    align: tuple[str, ...]
    widths: tuple[int, ...]
    is_whole: bool = True
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG picture, what it shows in words, and what a reader has to know to read it."""

    svg: str
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a comparison came to, with the range it holds in."""

    outcome: str
    word: str
    who: str
    says: str
    holds: str
    ranges: tuple[tuple[str, str], ...]
    notes: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers, alike in size whatever they say."""

    items: tuple[Answer, ...]
    kind: str = "answers"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the answer confirms anything."""

    is_confirmatory: bool
    label: str
    word: str
    says: str
    kind: str = "standing"


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be typed as it is."""

    text: str
    kind: str = "code"


Block = Heading | Text | Bullets | Facts | Table | Picture | Answers | Standing | Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report.

    Parameters
    ----------
    language : str
        ``en`` or ``zh``.
    kind, title : str
        What it is, and of what.
    made : str
        When it was computed.
    made_at : int
        The same in s since 1970 UTC.
    supporting : str
        What it is not.
    labels : dict of str to str
        Words that a writer sets itself.
    blocks : list of Block
        In order.
    """

    language: Language
    kind: str
    title: str
    made: str
    made_at: int
    supporting: str
    labels: dict[str, str]
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Put blocks at the end."""
        self.blocks.extend(blocks)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)
