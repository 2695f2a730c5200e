"""Admission of derived rows: which of them are written."""

from __future__ import annotations

from functools import partial

import numpy as np

from nilometer.model import ObservationBatch
from nilometer.pipeline.derived import Patient
from nilometer.pipeline.log import Log
from nilometer.store import REJECTED, UNCHANGED, Store

__all__ = ["admitted_of"]

_log = Log(__name__)


def admitted_of(store: Store, batch: ObservationBatch, patient: Patient) -> tuple[ObservationBatch, ObservationBatch]:
    """Return the rows that go on, and those that admission gave.

    It compares what was sent, and that is the result; where only the uncertainty or the flags of the inputs differ
    the row is a revision as well.
    """
    admission = patient(partial(store.admit, batch))
    told = admission.status == REJECTED
    if told.any():
        _log.warning("derived rows were rejected", rows=int(told.sum()), why=next(iter(admission.reasons.values())))
    same = admission.status == UNCHANGED
    if not same.any():
        return admission.rows, admission.rows
    reviewed = store.snapshot().by_id(admission.id[same])
    by_review = store.catalog.reviewed(reviewed["provenance"].to_numpy())
    same &= ~np.isin(admission.id, reviewed["id"].to_numpy()[by_review])
    batch.id = admission.id
    batch.supersedes = (admission.status != 0) & ~told
    return batch.take(((admission.status != UNCHANGED) | same) & ~told), admission.rows
