"""Files that reports go to, and the command a report prints: one spelling for trials and bench runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from nilometer.errors import ConfigError

__all__ = ["check_report", "command_of"]

_SECRET: Final = {"--token"}


def check_report(out: Path | None, language: str, suffixes: Sequence[str] = (".pdf", ".html")) -> None:
    """Refuse a report that could not be written: before minutes of computing, not after.

    Raises
    ------
    ConfigError
        If the language is unknown, the name has another end, or its folder is not there or cannot be written.
    """
    if language not in {"en", "zh"}:
        raise ConfigError("--language", seen=language, allowed="en, zh")
    if out is not None and out.suffix not in suffixes:
        raise ConfigError("--out", seen=str(out), allowed=f"a name that ends in {', '.join(suffixes)}")
    if out is not None and not (out.parent.is_dir() and os.access(out.parent, os.W_OK)):
        raise ConfigError("--out", seen=str(out), allowed="a file in a folder that is there and can be written")


def command_of(
    words: Sequence[str],
    data_hash: str,
    *,
    argument: int,
    in_folder: Collection[str] = (),
    without: Collection[str] = (),
) -> str:
    """Return a call as a reader can repeat it from the folder of its files: with the data's hash, without a secret.

    Parameters
    ----------
    words : sequence of str
        The call, without the program.
    data_hash : str
        Of the data it ran on.
    argument : int
        Which of the words may be a file.
    in_folder : collection of str
        Options whose file is named without its folder, beside that of the report itself.
    without : collection of str
        Options that are left out with their value.
    """
    told: list[str] = []
    dropped = {"--data", *_SECRET, *without}
    named = {"-o", "--out", *in_folder}
    before = ""
    for word in words:
        option, is_joined, value = word.partition("=")
        if before not in dropped and option not in dropped:
            is_file = before in named or (len(told) == argument and Path(word).suffix in {".toml", ".json"})
            if is_joined and option in named:
                told.append(f"{option}={Path(value).name}")
            else:
                told.append(Path(word).name if is_file else word)
        before = word
    return shlex.join(["nilometer", *told, "--data", data_hash])
