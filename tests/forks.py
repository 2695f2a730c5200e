"""Processes of the tests' own, each forked from one that has imported everything: a start costs no import."""

from __future__ import annotations

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
# With what the store and the server import only once they are used, and what the writers import.
FORKS.set_forkserver_preload(
    [
        "nilometer.cli.main",
        "nilometer.store.admission_walk",
        "nilometer.web.running",
        "pandas",
        "tests.pipeline.conftest",
        "tests.store.waters",
    ]
)
