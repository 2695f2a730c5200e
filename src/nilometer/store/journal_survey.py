"""What lies in a journal's folder when it is opened: the whole records, how far they reach, and what is wrong.

Records are followed by sequence through the segments, each checked. Where the next one is not whole there are two
cases. Nothing of a later sequence lies behind: then a crash came while it was written, and nobody was told that it is
stored. Something does: then it had been stored, since the next is written only after the sync of the one before, and
was damaged afterwards. What the lake has already is passed over; before what it has not, everything is cut off and kept
aside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from nilometer.store.disk import Disk
from nilometer.store.journal_segment import BLOCK, HEAD, Head, Segment, parse

__all__ = ["DAMAGED", "Survey", "damaged_files", "segment_name", "survey"]

_SEGMENT = re.compile(r"segment-([0-9a-f]{12})\Z")
DAMAGED = "damaged-"
NOWHERE = (1 << 63) - 1


@dataclass(slots=True)
class Survey:
    """What was found.

    Parameters
    ----------
    segments : list of Segment
        Open, oldest first, each with its whole records.
    first, sequence, time : int
        The first sequence from which on all are there, the last, and its time.
    ordinal : int
        The highest of any segment.
    is_clean : bool
        Whether the last segment may be written on.
    damage : list of str
        What was stored and is damaged.
    torn : list of str
        Writes that a crash cut short; nobody was told that they are stored.
    aside : list of (Segment, int)
        What is to be kept aside: from where on in which segment; 0: all of it.
    empty : list of Segment
        Segments that another replaced before a record of theirs was acknowledged.
    """

    first: int
    sequence: int
    time: int
    ordinal: int = 0
    is_clean: bool = True
    segments: list[Segment] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    aside: list[tuple[Segment, int]] = field(default_factory=list)
    empty: list[Segment] = field(default_factory=list)

    def close(self) -> None:
        """Close the files."""
        for segment in (*self.segments, *(cut for cut, _ in self.aside), *self.empty):
            segment.close()


def segment_name(ordinal: int) -> str:
    """Return the name of the file of a segment."""
    return f"segment-{ordinal:012x}"


def damaged_files(folder: Path, disk: Disk) -> list[str]:
    """Return the names of what was kept aside, now or earlier."""
    return [name for name in disk.names(folder) if name.startswith(DAMAGED)]


def survey(folder: Path, disk: Disk, *, floor: tuple[int, int] | None, sealed: int) -> Survey:
    """Open every segment of a folder and check its records.

    Parameters
    ----------
    folder : Path
        Where the segments lie.
    disk : Disk
        What it lies on.
    floor : tuple of int, optional
        The last sequence that was dropped, and a time that no later one is before; None: nobody knows.
    sealed : int
        The sequence the lake has reached; damage before it loses nothing but a replay.

    Returns
    -------
    Survey
        Nothing was changed on the disk.
    """
    known = floor or (0, 0)
    found = Survey(first=known[0] + 1, sequence=known[0], time=known[1])
    segments: list[Segment] = []
    try:
        for name in disk.names(folder):
            match = _SEGMENT.match(name)
            if match is not None:
                ordinal = int(match[1], 16)
                found.ordinal = max(found.ordinal, ordinal)
                segments += _open(found, folder / name, disk, ordinal)
        if floor is None and segments:
            found.sequence = min(segment.head.first for segment in segments) - 1
            found.first = found.sequence + 1
        _follow_all(found, segments, sealed)
    except BaseException:
        for segment in segments:
            segment.close()
        raise
    return found


def _follow_all(found: Survey, segments: list[Segment], sealed: int) -> None:
    # A segment made after another ends it: what the other may have of the same sequences was refused, or cut off.
    limits = [min((later.head.first for later in segments[n + 1 :]), default=NOWHERE) for n in range(len(segments))]
    for place, (segment, limit) in enumerate(zip(segments, limits, strict=True)):
        if not _follow(found, segment, limit, sealed):
            for later in segments[place + 1 :]:
                _leave_out(found, later, found.sequence)
            break
    if found.sequence < sealed:
        found.sequence, found.is_clean = sealed, False
    found.is_clean = found.is_clean and bool(found.segments) and found.segments[-1].last == found.sequence


def _open(found: Survey, path: Path, disk: Disk, ordinal: int) -> list[Segment]:
    file = disk.open(path)
    try:
        block = disk.read(file, BLOCK + BLOCK, 0)
    finally:
        disk.close(file)
    head = Head.from_block(block)
    if head is None or head.ordinal != ordinal:
        head = _first_record(block, ordinal, found.first)
        if head is None:
            found.damage.append(f"{path.name} does not say what it is, and was passed over")
            found.is_clean = False
            return []
        found.damage.append(f"the head of {path.name} is damaged; its records were read without it")
    return [Segment.load(path, disk, head)]


def _first_record(block: bytes, ordinal: int, least: int) -> Head | None:
    """Return what the first record says in place of a damaged head, unless it is of an earlier life of the file."""
    place = parse(block[BLOCK:], BLOCK)
    if place is None or place.sequence < least:
        return None
    return Head(place.epoch, ordinal, place.sequence, place.time - 1)


def _follow(found: Survey, segment: Segment, limit: int, sealed: int) -> bool:
    """Take the records of a segment; return whether those of the next may follow."""
    head = segment.head
    if head.first >= limit:
        # Another took its place: one record of it may have been refused. More than that was cut off, and a crash came
        # before it was kept aside.
        _leave_out(found, segment, limit)
        return True
    if not _pass_over(found, head.first, sealed, f"before {segment.path.name}"):
        _leave_out(found, segment, found.sequence)
        return False
    found.segments.append(segment)
    found.time = max(found.time, head.time)
    at, due = BLOCK, head.first
    while due < limit:
        whole = segment.whole(at, due)
        if whole is not None:
            place, record = whole
            segment.keep(at, place.end)
            found.time = max(found.time, record.time)
            found.sequence = max(found.sequence, due)
            at, due = place.end, due + 1
            continue
        behind = next((place for place in segment.heads(at) if due < place.sequence < limit), None)
        next_due = limit if behind is None else behind.sequence
        if next_due == NOWHERE:
            _look_at_the_end(found, segment, at, due)
            return True
        if not _pass_over(found, next_due, sealed, f"in {segment.path.name} at byte {at}"):
            found.aside.append((segment, at))
            return False
        if behind is None:
            return True
        segment.skip(behind.sequence)
        at, due = behind.at, behind.sequence
    return True


def _leave_out(found: Survey, segment: Segment, above: int) -> None:
    """Keep a segment aside, or let it go if no record of it was ever acknowledged."""
    if any(place.sequence > above for place in segment.heads(BLOCK)):
        found.aside.append((segment, 0))
    else:
        found.empty.append(segment)


def _look_at_the_end(found: Survey, segment: Segment, at: int, due: int) -> None:
    torn = parse(segment.disk.read(segment.file, HEAD, at), at)
    if torn is not None and torn.epoch == segment.head.epoch and torn.sequence == due:
        found.is_clean = False
        rows = f" with {torn.rows} rows" if torn.rows else ""
        found.torn.append(
            f"record {due}{rows} at the end of {segment.path.name} is not whole, as a crash leaves one that nobody was "
            "told is stored; it was left out"
        )


def _pass_over(found: Survey, to: int, sealed: int, where: str) -> bool:
    """Say that records before `to` are damaged, if any; return whether the lake has them all."""
    due = found.sequence + 1
    if to <= due:
        return True
    if to <= sealed + 1:
        found.damage.append(f"{where} records {due} to {to - 1} are damaged; they are sealed, nothing is lost")
        found.first, found.sequence = to, to - 1
        return True
    found.sequence = max(found.sequence, sealed)
    found.is_clean = False
    found.damage.append(
        f"{where} record {found.sequence + 1} is damaged or missing, though later ones are there: it and all after it "
        f"are cut off and kept aside"
    )
    return False
