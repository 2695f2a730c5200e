"""A disk in memory that knows what was synced, and what a power cut may leave of what was not.

POSIX promises nothing of what was written and not synced. So after a cut any of the following may be there, and
`states` gives a choice of them: of the blocks written since a file's last sync any subset, a block torn into any of its
sectors; the file as long as it was or as it became; of the names made, changed and deleted since a folder's last sync
the first so many, or any subset; a name whose file was never synced.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nilometer.store.disk import Disk

BLOCK, SECTOR = 4096, 512


@dataclass
class Node:
    """A file: what every process sees, what is on the platter, and the blocks between the two."""

    seen: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    changed: set[int] = field(default_factory=set)

    def copy(self):
        return Node(bytearray(self.seen), bytearray(self.kept), set(self.changed))


class CutDisk(Disk):
    """The disk; `fault(name, path)` is asked before every call that changes something, and may raise."""

    def __init__(self):
        self.names_seen: dict[Path, Node] = {}
        self.names_kept: dict[Path, Node] = {}
        self.pending: list[tuple[str, Path, Path | None, Node]] = []
        self.folders: set[Path] = set()
        self.files: dict[int, tuple[Path, Node]] = {}
        self.count = 0
        self.fault = lambda name, path: None

    def open(self, path, *, create=False):
        if create:
            self._change("open", path)
            if path in self.names_seen:
                raise FileExistsError(errno.EEXIST, "there already", str(path))
            self.names_seen[path] = Node()
            self.pending.append(("make", path, None, self.names_seen[path]))
        if path not in self.names_seen:
            raise FileNotFoundError(errno.ENOENT, "not there", str(path))
        number = max(self.files, default=2) + 1
        self.files[number] = (path, self.names_seen[path])
        return number

    def close(self, file):
        del self.files[file]

    def size(self, file):
        return len(self.files[file][1].seen)

    def read(self, file, length, at):
        return bytes(self.files[file][1].seen[at : at + length])

    def write(self, file, parts, at):
        path, node = self.files[file]
        for part in parts:
            content = bytes(part)
            # A block at a time: a cut may come between two.
            while content:
                end = min(len(content), BLOCK - at % BLOCK)
                self._change("write", path)
                if len(node.seen) < at:
                    node.seen.extend(bytes(at - len(node.seen)))
                node.seen[at : at + end] = content[:end]
                node.changed.add(at // BLOCK)
                at, content = at + end, content[end:]

    def sync(self, file):
        path, node = self.files[file]
        try:
            self._change("sync", path)
        except OSError:
            # As Linux does: what could not be written is forgotten and still seen; the next sync says that all is well.
            node.changed.clear()
            raise
        node.kept = bytearray(_left(node, lambda _: True, lambda _: None))
        node.changed.clear()

    def names(self, folder):
        return sorted(path.name for path in self.names_seen if path.parent == folder)

    def make_folder(self, path):
        self.folders.add(path)

    def rename(self, old, new):
        self._change("rename", new)
        self.names_seen[new] = self.names_seen.pop(old)
        self.pending.append(("rename", old, new, self.names_seen[new]))

    def unlink(self, path):
        if path in self.names_seen:
            self._change("unlink", path)
            self.pending.append(("unlink", path, None, self.names_seen.pop(path)))

    def sync_folder(self, path):
        self._change("sync_folder", path)
        mine = [step for step in self.pending if step[1].parent == path]
        _apply(self.names_kept, mine)
        self.pending = [step for step in self.pending if step[1].parent != path]

    def _change(self, name, path):
        self.count += 1
        self.fault(name, path)

    def states(self, chance: random.Random, more: int) -> Iterator[CutDisk]:
        """Yield disks as a cut at this moment may leave them: the extremes, and so many more by chance."""
        yield self.after(lambda _: False, lambda _: False, lambda _: None)
        yield self.after(lambda _: True, lambda _: True, lambda _: None)
        yield self.after(lambda _: True, lambda _: False, lambda _: None)
        yield self.after(lambda _: False, lambda _: True, lambda _: None)
        for _ in range(more):
            share, names = chance.random(), chance.randint(0, len(self.pending))
            in_order = chance.random() < 0.5
            yield self.after(
                lambda _, share=share: chance.random() < share,
                (lambda n, names=names: n < names) if in_order else (lambda _: chance.random() < 0.5),
                lambda _: chance.choice([None, None, chance.sample(range(BLOCK // SECTOR), chance.randrange(1, 8))]),
            )

    def after(self, has_block, has_name, torn) -> CutDisk:
        """Return the disk after a cut: which blocks and names are there, and which sectors of a torn block."""
        left = CutDisk()
        left.folders = set(self.folders)
        names = dict(self.names_kept)
        _apply(names, [step for number, step in enumerate(self.pending) if has_name(number)])
        known: dict[int, Node] = {}
        for path, node in names.items():
            if id(node) not in known:
                content = _left(node, has_block, torn)
                known[id(node)] = Node(bytearray(content), bytearray(content))
            left.names_seen[path] = left.names_kept[path] = known[id(node)]
        return left

    def killed(self) -> CutDisk:
        """Return the disk as a killed process leaves it: everything it wrote is seen, and may still be lost later."""
        left = CutDisk()
        left.folders = set(self.folders)
        nodes = {id(node): node.copy() for node in [*self.names_seen.values(), *self.names_kept.values()]}
        for step in self.pending:
            nodes.setdefault(id(step[3]), step[3].copy())
        left.names_seen = {path: nodes[id(node)] for path, node in self.names_seen.items()}
        left.names_kept = {path: nodes[id(node)] for path, node in self.names_kept.items()}
        left.pending = [(name, old, new, nodes[id(node)]) for name, old, new, node in self.pending]
        return left


def _apply(names, steps):
    for name, path, new, node in steps:
        if name == "make":
            names[path] = node
        elif name == "unlink":
            names.pop(path, None)
        elif path in names or node in list(names.values()):
            names.pop(path, None)
            names[new] = node
        else:
            # Its making was lost and its renaming was not: the name leads to the file all the same.
            names[new] = node


def _left(node, has_block, torn):
    """Return what of a file is on the platter."""
    content = bytearray(node.kept)
    for block in sorted(node.changed):
        if has_block(block):
            start, end = block * BLOCK, min((block + 1) * BLOCK, len(node.seen))
            if len(content) < end:
                content.extend(bytes(end - len(content)))
            sectors = torn(block)
            for sector in range(BLOCK // SECTOR) if sectors is None else sectors:
                piece = slice(start + sector * SECTOR, min(start + (sector + 1) * SECTOR, end))
                if piece.start < piece.stop:
                    content[piece] = node.seen[piece]
    return bytes(content)
