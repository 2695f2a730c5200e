"""Compile the small functions that the one kernel calls; they are inlined there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

__all__ = ["inlined"]

F = TypeVar("F", bound=Callable[..., object])


def inlined(function: F) -> F:
    """Return the function compiled without the interpreter lock, to be inlined where compiled code calls it.

    It is not cached by itself: the kernel's cached code holds it (see `nilometer.qc.kernel`). Inlining spares the
    counting of references to the tables at every call, which is most of what a call costs. Division by zero gives
    infinity, as in NumPy.
    """
    return cast("F", njit(nogil=True, forceinline=True, error_model="numpy")(function))
