"""Read a logger or instrument file: find its format, and return its recording."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from nilometer import plugins
from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, RecordingColumn, Wishes
from nilometer.errors import ReadError

__all__ = ["FormatInfo", "Recording", "RecordingColumn", "Wishes", "formats", "read"]


def formats() -> plugins.Found[FormatInfo]:
    """Return every file format that is installed, by name."""
    return plugins.constants("nilometer.formats", "FORMAT")


def read(
    path: str | PathLike[str],
    format: str | None = None,  # noqa: A002 -- the published name
    *,
    time: str | Sequence[str] | None = None,
    time_zone: str | None = None,
    day_first: bool | None = None,
    columns: Sequence[str] | None = None,
    missing: Sequence[str] = (),
    date: str | None = None,
    database: str | PathLike[str] | None = None,
) -> Recording:
    """Read a file as a recording: times, values with units and properties, and what stands beside them.

    Parameters
    ----------
    path : path
        The file; may be compressed (gzip, bzip2, xz).
    format : str, optional
        A format's name; None: the one whose look at the first bytes is surest.
    time : str or sequence of str, optional
        The column of times, or the two of date and time of day, where they are not found by themselves.
    time_zone : str, optional
        IANA name or offset of times that carry none; None: what the file says, else UTC.
    day_first : bool, optional
        Whether 03/04 is 3 April; None: what the rows show.
    columns : sequence of str, optional
        Exactly these are values; None: every numeric column but qualifiers, corrections and record numbers.
    missing : sequence of str
        Words or numbers that stand for no value, beside the usual ones.
    date : str, optional
        The day of a log whose clock has no date, such as ``2014-08-15``.
    database : path, optional
        The database (DBC) of the bus whose frames the file holds.

    Returns
    -------
    Recording
        In the file's order and units. What was assumed stands in its `notes`.

    Raises
    ------
    ReadError
        If the file cannot be read: what is wrong, where, and what would work.
    ConfigError
        If the format, a column or the zone named does not exist.
    """
    file = Path(path)
    if not file.exists():
        raise ReadError("there is no such file", path=file)
    if file.is_dir():
        raise ReadError("this is a folder: name its files", path=file)
    wishes = Wishes(
        time=time,
        time_zone=time_zone,
        day_first=day_first,
        columns=columns,
        missing=missing,
        date=date,
        database=None if database is None else str(database),
    )
    chosen = formats()[format] if format is not None else _surest(file)
    return chosen.read(file, wishes)


def _surest(path: Path) -> FormatInfo:
    head = opening.head(path)
    scores = {name: info.sniff(path, head) for name, info in formats().items.items()}
    if not scores:
        raise ReadError("no file format is installed", path=path)
    best = max(scores, key=lambda name: scores[name])
    if scores[best] > 0.0:
        return formats()[best]
    known = ", ".join(f"{name} ({info.title})" for name, info in sorted(formats().items.items()))
    # Text readers say best what a file is that no format knows.
    opening.as_utf8(head, path)
    raise ReadError(f"no format knows this file; name one with format= among {known}", path=path)
