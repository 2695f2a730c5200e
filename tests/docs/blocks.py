"""The fenced blocks of a page, each with its language and the line it begins at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REQUESTS = {"sh", "http", "python"}
ANSWERS = {"json", "text", "csv"}
SETTINGS = {"toml"}
ELSEWHERE = {"js", "nginx"}
"""For programs that no test has; other tests speak as they do."""


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    content = page.read_text(encoding="utf-8")
    return [
        Block(page, 1 + content.count("\n", 0, found.start()), found[1], found[2]) for found in FENCE.finditer(content)
    ]


def with_answers(found: list[Block]) -> list[tuple[Block, Block | None]]:
    """Return requests and settings, each with the block that follows it if that is what it answers."""
    after: list[Block | None] = [*found[1:], None]
    return [
        (block, follower if follower is not None and follower.language in ANSWERS else None)
        for block, follower in zip(found, after, strict=True)
        if block.language not in ANSWERS
    ]
