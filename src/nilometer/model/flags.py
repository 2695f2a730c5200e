"""The QARTOD flags, the only flags inside nilometer; other schemes are mapped at the edges by named tables."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["QartodFlag"]


class QartodFlag(IntEnum):
    """Trust in one observation, or the outcome of one test.

    References
    ----------
    U.S. IOOS QARTOD, Manual for Real-Time Quality Control of Water Level Data v2.1 (2021), section 2 table of flags;
    Paris (2013), IODE quality flag standard.
    """

    PASS = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9
