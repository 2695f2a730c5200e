"""Manual review: corrections of spans as pure arithmetic, and the rule by which a history of them gives the rows.

Arrays in, arrays out; it reads no store, keeps no history and never changes a raw result.
"""

from nilometer.review.applying import Applied, Rows, apply
from nilometer.review.corrections import drift, interpolate, offset, retime
from nilometer.review.steps import ACTIONS, FOREVER, Step, parse

__all__ = [
    "ACTIONS",
    "FOREVER",
    "Applied",
    "Rows",
    "Step",
    "apply",
    "drift",
    "interpolate",
    "offset",
    "parse",
    "retime",
]
