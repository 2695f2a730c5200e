"""Files of `ioos_qc`: one stream's tests, streams by name, or a context of them, as YAML or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nilometer.qc import Profile

__all__ = ["configured"]


def configured(file: Path) -> Profile | dict[str, Profile]:
    """Return the profile of an `ioos_qc` configuration, or its profiles by stream.

    Raises
    ------
    ConfigError
        If the file cannot be read, or holds what cannot be taken as it is.
    """
    from nilometer.errors import ConfigError
    from nilometer.qc import load
    from nilometer.qc.peer import is_peers

    document = _document(file)
    for key in ("window", "region"):
        if document.get(key):
            raise ConfigError(
                f"--config {file}: {key}", seen=document[key], reason="a part of a record is not chosen here"
            )
    streams = document.get("streams", document)
    if isinstance(streams, dict) and is_peers(streams):
        return load(streams)
    if not isinstance(streams, dict) or not all(isinstance(one, dict) and is_peers(one) for one in streams.values()):
        raise ConfigError("--config", seen=str(file), allowed="streams by name, each with its tests under qartod")
    return {str(name): load(one) for name, one in streams.items()}


def _document(file: Path) -> dict[str, Any]:
    """Return what a YAML or JSON file holds; of a list of contexts the only one."""
    from nilometer.errors import ConfigError

    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix == ".json" else _yaml(text)
    except OSError as error:
        raise ConfigError("--config", seen=str(file), reason=error.strerror or str(error)) from error
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError("--config", seen=str(file), reason=f"neither JSON nor YAML: {error}") from error
    contexts = document.get("contexts") if isinstance(document, dict) else None
    if isinstance(contexts, list) and len(contexts) == 1:
        document = contexts[0]
    if not isinstance(document, dict) or "contexts" in document:
        raise ConfigError("--config", seen=str(file), allowed="one context, or streams by name")
    return document


def _yaml(text: str) -> Any:  # noqa: ANN401 -- whatever the file holds
    from nilometer.errors import ConfigError

    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError as error:
        raise ConfigError(
            "--config", reason="no reader of YAML is installed", allowed="pip install ruamel.yaml"
        ) from error
    try:
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ValueError(str(error).partition("\n")[0]) from error
