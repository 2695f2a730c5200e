"""Marks: what the letters of a protocol and edition say of a value, as data files beside this module.

A scheme is named by protocol and edition (``hj212-2017``), because the same letter changes its meaning between
editions. The letters are stored verbatim; this module only reads them. It never changes a value: a censoring hint is
data for whoever knows the instrument's limit.
"""

from __future__ import annotations

from nilometer.qc.marks.scheme import Marks, MarkScheme, censored, said, schemes

__all__ = ["MarkScheme", "Marks", "censored", "said", "schemes"]
