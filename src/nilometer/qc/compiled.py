"""How the parts of the kernel are compiled: one pass over a block a function, small steps inlined into it.

Neither kind is cached by itself: the kernel's cached code holds them (see `nilometer.qc.kernel`). Division by zero
gives infinity, as in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

__all__ = ["compiled", "inlined"]

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Return a pass over a block, compiled without the interpreter lock."""
    return cast("F", njit(nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """Return a step inside a loop, inlined where it is called: a call there would count references to its tables."""
    return cast("F", njit(nogil=True, forceinline=True, error_model="numpy")(function))
