"""An object store of the tests' own: moto's S3 server in a process of its own, behind a wire that can be cut."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

_KEYS = {"aws_access_key_id": "nilometer", "aws_secret_access_key": "a secret", "region_name": "us-east-1"}


class Wire:
    """Forwards a free port to another one, until it is cut; mended, it has the same port.

    `fatal` is a text at which it is cut by itself: when the request that holds it was answered, and before the answer
    comes back.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.fatal: bytes | None = None
        self._open: set[socket.socket] = set()
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and reset those that there are."""
        # A thread that waits in accept holds on to the port until it is woken.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near, socket.create_connection(("127.0.0.1", self._target)) as far:
            self._open |= {near, far}
            other, is_over = {near: far, far: near}, False
            while True:
                for one in select.select([near, far], [], [])[0]:
                    data = one.recv(1 << 16)
                    if not data:
                        self._open -= {near, far}
                        return
                    if is_over and one is far:
                        self.cut()
                        return
                    is_over |= one is near and self.fatal is not None and self.fatal in data
                    other[one].sendall(data)


class ObjectStore:
    """A running server; each bucket of it is one test's."""

    def __init__(self) -> None:
        import boto3  # noqa: PLC0415 -- slow to import, and every worker reads this module

        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        self.port = next(
            int(found[1]) for line in self._process.stderr if (found := re.search(r"http://\S+:(\d+)", line))
        )
        self._reader = threading.Thread(target=lambda: list(self._process.stderr or ()), daemon=True)
        self._reader.start()
        self.client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.port}", **_KEYS)

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._reader.join()
        self._process.stderr.close()
        self.client.close()

    def lake(self, port: int | None = None) -> dict[str, object]:
        """Make a bucket, and return what `Store.open` takes."""
        bucket = f"lake-{uuid.uuid4().hex}"
        self.client.create_bucket(Bucket=bucket)
        return {"lake_url": f"s3://{bucket}/station", "lake_options": self.options(port)}

    def options(self, port: int | None = None) -> dict[str, str]:
        """Return deltalake's storage options."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": _KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": _KEYS["aws_secret_access_key"],
            "AWS_REGION": _KEYS["region_name"],
            "AWS_ALLOW_HTTP": "true",
        }

    def names(self, url: str) -> list[str]:
        """Return the names of all objects below a URL."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        return [item["Key"].removeprefix(f"{prefix}/") for page in pages for item in page.get("Contents", ())]

    def upload(self, folder: Path, url: str) -> None:
        """Copy a folder to a URL."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.client.upload_file(str(file), bucket, f"{prefix}/{file.relative_to(folder).as_posix()}")

    def remove(self, url: str, name: str) -> None:
        """Delete an object."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.client.delete_object(Bucket=bucket, Key=f"{prefix}/{name}")


@contextlib.contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run a server."""
    # What a developer's own environment says of a store is not meant here.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    server = ObjectStore()
    try:
        yield server
    finally:
        server.stop()
