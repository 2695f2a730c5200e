"""Secrets of sources: they stand in an environment variable or a file, never in the configuration or in a message."""

from __future__ import annotations

import os
from pathlib import Path

from nilometer.errors import ConfigError

__all__ = ["secret"]


def secret(key: str, *, env: str | None = None, file: str | None = None) -> str | None:
    r"""Return a secret, or None where none is configured.

    Parameters
    ----------
    key : str
        What it is called in the configuration: its options are ``KEY_env`` and ``KEY_file``.
    env : str, optional
        The variable that holds it.
    file : str, optional
        The file that holds it; line ends behind it are none of it.

    Raises
    ------
    ConfigError
        If the variable is not set, or the file cannot be read; neither it nor the file's content is in the message.

    Examples
    --------
    >>> os.environ["BROKER_PASSWORD"] = "s3cret"
    >>> secret("password", env="BROKER_PASSWORD")
    's3cret'
    """
    if env is not None:
        found = os.environ.get(env)
        if not found:
            raise ConfigError(f"{key}_env", seen=env, reason="no such environment variable is set")
        return found
    if file is None:
        return None
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{key}_file", seen=file, reason=reason) from None
    return text.rstrip("\r\n")
