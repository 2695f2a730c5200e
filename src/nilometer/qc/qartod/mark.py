"""The mark test: what the instrument or its protocol itself said of the value.

Not one of QARTOD's; it stands beside them because a station that reports a fault knows best. The letters are read
through a table keyed by protocol and edition (`nilometer.qc.marks`), because the same letter changes its meaning
between editions. The kernel takes the flag that the table gives; a mark that means "no value" makes the row MISSING
for every test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nilometer.qc.qartod.definition import Definition, Kind, Wants

__all__ = ["MARK"]


def _numbers(_: Mapping[str, Any]) -> tuple[float, ...]:
    return ()


MARK = Definition(
    name="mark",
    kind=Kind.MARK,
    clause="not QARTOD: the data mark of the protocol, such as HJ 212-2017 table 8",
    sequence=False,
    timed=False,
    wants=Wants.MARK,
    numbers=_numbers,
)
