"""Ask the processor for state that will be needed soon: Datastreams met out of order lie far apart in memory.

It changes no result. Without it each row of 10⁵ shuffled Datastreams waits for memory several times over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["prefetch"]


def _emitted(typing_context: Any, words: Any, place: Any) -> Any:  # noqa: ANN401 -- Numba's protocol
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 -- Numba's protocol
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        module = builder.module
        function = module.globals.get("llvm.prefetch.p0") or ir.Function(module, kind, "llvm.prefetch.p0")
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), pointer)
        # to be written, into every cache, data
        builder.call(function, [address, ir.Constant(word, 1), ir.Constant(word, 3), ir.Constant(word, 1)])
        return context.get_dummy_value()

    return types.void(words, types.int64), generate


prefetch = cast("Callable[[NDArray[Any], np.int64], None]", intrinsic(_emitted))
"""Fetch the cache line of one element of a one-dimensional C-ordered array."""
