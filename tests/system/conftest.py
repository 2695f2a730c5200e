"""One demo for all that only look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.demos import start_demo, wait_until_live
from tests.system.server import Server


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo with three live Things; it ends when the tests of this folder do."""
    server = start_demo(tmp_path_factory.mktemp("demo"))
    try:
        wait_until_live(server, 3)
        yield server
        server.stop()
    finally:
        server.kill()
