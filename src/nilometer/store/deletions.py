"""The audit trail of deletes: who took rows away, when, and why.

A tombstone carries what it was told into the journal, so a delete and its reason are durable together. The row of the
audit trail is written after it, once, and before the record leaves the journal: a crash or a full catalog in between
delays the row and never loses it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from nilometer.errors import StoreError
from nilometer.store.catalog import Catalog
from nilometer.store.journal_segment import Record
from nilometer.store.record import TOMBSTONE, Tombstone, decode_tombstone

__all__ = ["ACTION", "Deletions", "told"]

ACTION = "observations.delete"
"""The action of such a row; its subject is ``commit/SEQUENCE``."""
_MOST_NAMED = 1000
"""Rows that an entry of the audit trail names; the journal and the lake know all of them."""


class Deletions:
    """Writes the rows.

    Parameters
    ----------
    catalog : Catalog
        Has the audit trail.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._owed: list[tuple[Tombstone, int]] = []
        self._lock = threading.Lock()

    def recover(self, records: Iterable[Record]) -> None:
        """Write what a crash left out."""
        for record in records:
            if record.kind == TOMBSTONE:
                tombstone = decode_tombstone(record.body, record.sequence)
                if not self._catalog.ledger.is_audited(ACTION, _subject(tombstone)):
                    self._owed.append((tombstone, record.time))
        self.pay()

    def owe(self, tombstone: Tombstone, time: int) -> None:
        """Take note of a delete before any seal may take it out of the journal; `pay` comes next."""
        self._owed.append((tombstone, time))

    def pay(self) -> None:
        """Write what is owed; what the catalog refuses is written later."""
        try:
            self.settle()
        except StoreError:
            return  # the delete is durable; its row is owed until the record may leave the journal

    def settle(self) -> None:
        """Write what is owed.

        Raises
        ------
        StoreError
            If the catalog refuses still.
        """
        with self._lock:
            while self._owed:
                tombstone, time = self._owed[0]
                detail = _detail(tombstone)
                self._catalog.add_audit(time, str(detail.pop("by", "")), ACTION, _subject(tombstone), detail)
                self._owed.pop(0)


def told(about: Mapping[str, Any]) -> bytes:
    """Return who deletes and why as the journal keeps it."""
    return json.dumps(dict(about), ensure_ascii=False).encode() if about else b""


def _detail(tombstone: Tombstone) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(tombstone.told) if tombstone.told else {}
    return {
        "datastreams": tombstone.datastreams.tolist(),
        "start": tombstone.start,
        "end": tombstone.end,
        **({} if tombstone.ids is None else {"ids": tombstone.ids[:_MOST_NAMED].tolist()}),
        "sequence": tombstone.commit,
        **known,
    }


def _subject(tombstone: Tombstone) -> str:
    return f"commit/{tombstone.commit}"
