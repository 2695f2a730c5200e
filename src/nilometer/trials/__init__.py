"""A candidate sensor beside a reference: the statistics of agreement, and what a norm accepts.

Pairs come in as plain columns, already matched in time; nothing here reads a store. Absence of a significant
difference is never called agreement.
"""

from __future__ import annotations
