"""Compile the small functions that the one kernel calls; LLVM inlines them there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

__all__ = ["inlined"]

F = TypeVar("F", bound=Callable[..., object])


def inlined(function: F) -> F:
    """Return the function compiled without the interpreter lock.

    It is not cached by itself: the kernel's cached code holds it (see `nilometer.qc.kernel`).
    """
    return cast("F", njit(nogil=True)(function))
