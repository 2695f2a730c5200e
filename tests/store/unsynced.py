"""Stores that wait for no disk. A process may be killed over them; the machine's power is cut by no test.

What is synced when is proved on the disks of `test_power_cut` and `test_full`; servers sync as they always do.
"""

from __future__ import annotations

import os

import pytest

from nilometer.store import catalog_database, disk


def sync_nothing(patch: pytest.MonkeyPatch) -> None:
    """Have the stores of this process sync nothing: some fifty waits a store, in a thousand stores."""
    set_up = catalog_database._set_up_sqlite

    def hasty(connection, record):  # type: ignore[no-untyped-def]
        set_up(connection, record)
        connection.execute("PRAGMA synchronous = OFF")

    # No option of a store does this, and none should.
    patch.setattr(os, "fsync", lambda _: None)
    patch.setattr(disk, "_sync", lambda _: None)
    patch.setattr(catalog_database, "_set_up_sqlite", hasty)
