"""What every test may ask for."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from nilometer.store import store
from nilometer.store.catalog_place import CATALOG_FILE
from tests.acquisition.clocks import JumpingLoop
from tests.object_store import ObjectStore
from tests.object_store import object_store as running_object_store
from tests.postgres import PASSWORD, Cluster, cluster
from tests.store.unsynced import sync_nothing

if sys.platform != "win32":
    import uvloop

NOT_COUNTED = "(reported, not counted)"
"""Ends the reason of a skip for what no package can bring: a module of the kernel."""

# How long an example takes says how busy the machine is. What runs for everyone runs the same examples each time;
# `--hypothesis-profile=search` goes on searching.
settings.register_profile("search", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same" if os.environ.get("CI") else "search")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: many tests wait for a silence, a broker or a browser, and compute nothing."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what lives as long as the session out of every collection of garbage: it is most of what there is."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: at the end it would keep one worker busy and the others waiting."""
    items.sort(key=lambda item: not any(item.iter_markers("slow")) and not any(item.iter_markers("browser")))


def pytest_unconfigure() -> None:
    """Let the interpreter end as it would."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real recordings, or skip and say where they were looked for."""
    named = os.environ.get("NILOMETER_REAL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real recordings are absent: {folder} (set NILOMETER_REAL_DATA)")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """Give a PostgreSQL server of the session's own, or skip and say why there is none."""
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """Give an S3 server of the session's own."""
    with running_object_store() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        sync_nothing(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _catalogs_on_postgresql(request: pytest.FixtureRequest) -> Iterator[None]:
    """With NILOMETER_CATALOG=postgresql, have every store of this process keep its catalog there."""
    if os.environ.get("NILOMETER_CATALOG") != "postgresql":
        yield
        return
    server: Cluster = request.getfixturevalue("postgres")
    plain = store.open_catalog

    def open_catalog(folder, url):  # type: ignore[no-untyped-def]
        if url is None and not folder.catalog.exists() and not (folder.path / CATALOG_FILE).exists():
            url = server.database()
        return plain(folder, url)

    # Where a store is opened is the one place that a hundred tests share; each of them says nothing of catalogs.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", PASSWORD)
        patch.setattr(store, "open_catalog", open_catalog)
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is asynchronous in the loop that serves: `nilometer.web.serving.run`."""
    if item.get_closest_marker("jumping"):
        return {"jumping": JumpingLoop}
    return {"asyncio": asyncio.new_event_loop} if sys.platform == "win32" else {"uvloop": uvloop.new_event_loop}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Fail a run that must skip nothing, and name what it skipped."""
    skipped = _skipped(terminalreporter)
    if skipped and os.environ.get("NILOMETER_NOTHING_SKIPPED"):
        terminalreporter.write_line(f"{len(skipped)} skipped where nothing may be: see above", red=True)


def _skipped(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    """Return what was skipped for want of something that can be installed."""
    return [report for report in reporter.stats.get("skipped", []) if NOT_COUNTED not in str(report.longrepr)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a run that must skip nothing, and did, into a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = _skipped(reporter) if reporter is not None else []
    if skipped and exitstatus == 0 and os.environ.get("NILOMETER_NOTHING_SKIPPED"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _log_is_nobodys() -> Iterator[None]:
    """A command that ran in this process set the log up for itself: what comes after it would write where it wrote."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
