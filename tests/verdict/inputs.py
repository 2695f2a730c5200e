from __future__ import annotations

import numpy as np

from nilometer.model.flags import QartodFlag
from nilometer.verdict import ItemSeries

DAY_US = 86_400_000_000


def series(values, unit="mg L-1", *, quality=None, censored=None, sample=None, days=30.0, key="x") -> ItemSeries:
    """Return values spread evenly over some days from 1970 on."""
    n = len(values)
    return ItemSeries(
        values=np.asarray(values, np.float64),
        unit=unit,
        quality=None if quality is None else np.asarray(quality, np.int8),
        censored=None if censored is None else np.asarray(censored, np.int8),
        sample=None if sample is None else np.asarray(sample, np.int8),
        times=(np.arange(n) * (days * DAY_US / max(n, 1))).astype(np.int64),
        datastreams=(key,),
    )


PASS, NOT_EVALUATED, SUSPECT, FAIL, MISSING = (int(flag) for flag in QartodFlag)
