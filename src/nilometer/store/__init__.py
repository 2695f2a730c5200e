"""The store: nothing acknowledged is lost, nothing is doubled, and every past moment can be asked for."""

from __future__ import annotations

from nilometer.store.admission import NEW, REJECTED, REVISED, UNCHANGED, Admission
from nilometer.store.catalog import Catalog
from nilometer.store.ledger import Event
from nilometer.store.review_ledger import ReviewStep
from nilometer.store.sealing import SealReport
from nilometer.store.snapshot import Snapshot
from nilometer.store.store import Store
from nilometer.store.values import Values

__all__ = [
    "NEW",
    "REJECTED",
    "REVISED",
    "UNCHANGED",
    "Admission",
    "Catalog",
    "Event",
    "ReviewStep",
    "SealReport",
    "Snapshot",
    "Store",
    "Values",
]
