"""The files of one table of the lake in an object store: S3 and what speaks like it, Azure, Google Cloud.

deltalake writes the log, obstore the Parquet files: both are bindings of the same client, and take the same options and
credentials. (deltalake's own file system holds up every other thread until it is answered.) A file is there, whole and
durable, when its upload has ended; a commit of the log is a write that fails where the same version is there already,
so that of two writers never both succeed.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from nilometer.errors import ConfigError
from nilometer.store.lake_place import Lying

__all__ = ["ObjectPlace"]

_PATIENCE = {"timeout": "30s", "connect_timeout": "5s", "max_retries": "4", "retry_timeout": "20s"}
"""How long the client tries: whoever asks for rows waits meanwhile, and a seal that failed is tried again anyway."""

_CLIENT = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url", "root_certificate"}
)
_UNITS = {"s": 1, "m": 60}
_RETRY: dict[str, Callable[[str], Any]] = {
    "max_retries": int,
    "retry_timeout": lambda text: timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]]),
}
_OF_THE_LOG = ("aws_s3_allow_unsafe_rename", "aws_s3_locking_provider", "delta_dynamo")
"""What the options of deltalake alone begin with."""

_PIECE = 1 << 22
_DEBUG = "\n\nDebug source:"


class ObjectPlace:
    """A prefix of an object store.

    Parameters
    ----------
    uri : str
        Such as ``s3://bucket/station/observations``.
    options : mapping of str to str
        What deltalake calls storage options; those of the environment (``AWS_…``) hold where nothing is said.

    Raises
    ------
    ConfigError
        If the options cannot be used.
    """

    is_remote = True

    def __init__(self, uri: str, options: Mapping[str, str]) -> None:
        self.uri = uri.rstrip("/")
        self.name = self.uri.rpartition("/")[2]
        self.options: dict[str, str] | None = {**_PATIENCE, **options}
        self._store = _store_of(self.uri, self.options)

    def __str__(self) -> str:
        return self.uri

    def at(self, path: str) -> str:
        """Return the address."""
        return f"{self.uri}/{path}"

    def has_table(self) -> bool:
        """Look for a log."""
        return bool(self._listed("_delta_log", ".json"))

    def prepare(self) -> None:
        """Do nothing: a prefix is there when something has it."""

    @contextmanager
    def reading(self, path: str, size: int) -> Iterator[Any]:
        """Give what fetches the parts that are asked for."""
        yield _Download(self._store, path, size)

    def create(self, path: str) -> _Upload:
        """Begin an upload; it goes on in parts."""
        return _Upload(self._store, path)

    def finish(self, sink: _Upload) -> int:
        """End the upload."""
        return sink.finish()

    def remove(self, path: str) -> None:
        """Delete it; an object store says nothing of one that is not there."""
        with _refusals():
            obstore.delete(self._store, path)

    def move(self, old: str, new: str) -> None:
        """Copy it within the store and delete it."""
        with _refusals():
            obstore.rename(self._store, old, new)

    def copy(self, old: str, new: str) -> None:
        """Copy it within the store."""
        with _refusals():
            obstore.copy(self._store, old, new)

    def fetch(self, path: str, target: Path, size: int) -> None:
        """Download it."""
        with self.reading(path, size) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, _PIECE)

    def files(self) -> dict[str, Lying]:
        """List them."""
        found = self._listed("", ".parquet").items()
        return {path: lying for path, lying in found if not path.startswith("_delta_log/")}

    def settle(self, paths: Iterable[str]) -> None:
        """Do nothing: what was uploaded is durable."""

    def settle_log(self, version: int) -> None:
        """Do nothing: a commit that was written is durable."""

    def log(self) -> Iterator[tuple[float, str]]:
        """Fetch the commits of the log."""
        for path, lying in sorted(self._listed("_delta_log", ".json").items(), reverse=True):
            with self.reading(path, lying.size) as opened:
                yield lying.written, opened.read().decode()

    def _listed(self, prefix: str, suffix: str) -> dict[str, Lying]:
        with _refusals():
            found = obstore.list(self._store, prefix).collect()
        return {
            item["path"]: Lying(item["size"], item["last_modified"].timestamp())
            for item in found
            if item["path"].endswith(suffix)
        }


class _Upload(io.RawIOBase):
    """What pyarrow writes a file to. Only `finish` ends the upload: of what is merely closed nothing comes to be."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._size = 0
        with _refusals():
            self._writer = obstore.open_writer(store, path)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 -- a buffer
        view = memoryview(data).cast("B")
        with _refusals():
            self._writer.write(view)
        self._size += len(view)
        return len(view)

    def finish(self) -> int:
        """End the upload, and return how many bytes it had."""
        with _refusals():
            self._writer.close()
        self.close()
        return self._size


class _Download(io.RawIOBase):
    """What pyarrow reads a file from: a request each part, and none for the size, which the log says."""

    def __init__(self, store: ObjectStore, path: str, size: int) -> None:
        self._store, self._path, self._size, self._at = store, path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        length = left if size is None or size < 0 else min(size, left)
        if length <= 0:
            return b""
        with _refusals():
            part = bytes(obstore.get_range(self._store, self._path, start=self._at, length=length))
        self._at += len(part)
        return part


def _store_of(uri: str, options: Mapping[str, str]) -> ObjectStore:
    """Return a client with deltalake's options, each told to the part of it that it is meant for."""
    client: Any = {}
    config: Any = {}
    retry: Any = {}
    for name, value in options.items():
        plain = name.lower()
        bare = plain.removeprefix("aws_").removeprefix("azure_").removeprefix("google_")
        if bare in _CLIENT:
            client[bare] = value.lower() == "true" if bare.startswith("allow_") else value
        elif bare in _RETRY:
            retry[bare] = _number(name, value, _RETRY[bare])
        elif not plain.startswith(_OF_THE_LOG):
            config[plain] = value
    try:
        return from_url(uri, config=config, client_options=client, retry_config=retry)
    except (BaseError, ValueError, TypeError) as error:
        raise ConfigError("store.lake_options", reason=str(error).partition(_DEBUG)[0]) from error


def _number(name: str, value: str, read: Callable[[str], Any]) -> Any:  # noqa: ANN401 -- as the client wants it
    try:
        return read(value)
    except (ValueError, KeyError, IndexError) as error:
        raise ConfigError(
            f"store.lake_options.{name}", seen=value, allowed='a number, or a time such as "20s"'
        ) from error


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise OSError for what the client refuses, as a file system would."""
    try:
        yield
    except BaseError as error:
        raise OSError(str(error).partition(_DEBUG)[0]) from error
