"""Ask the processor for a table row that will be needed soon: Datastreams met out of order lie far apart in memory.

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

_LINE = 64  # bytes of a cache line


def _emitted(typing_context: Any, table: Any, row: Any) -> Any:  # noqa: ANN401 -- Numba's protocol
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 -- Numba's protocol
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = builder.extract_value(array.strides, 0)
        offset = builder.mul(builder.zext(arguments[1], stride.type), stride)
        begin = builder.add(builder.ptrtoint(array.data, stride.type), offset)
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        module = builder.module
        function = module.globals.get("llvm.prefetch.p0") or ir.Function(module, kind, "llvm.prefetch.p0")
        for line in range(2):  # a row of state; of shorter rows the next one comes along
            address = builder.inttoptr(builder.add(begin, ir.Constant(stride.type, _LINE * line)), pointer)
            # to be written, into every cache, data
            builder.call(function, [address, ir.Constant(word, 1), ir.Constant(word, 3), ir.Constant(word, 1)])
        return context.get_dummy_value()

    return types.void(table, types.uint32), generate


prefetch = cast("Callable[[NDArray[Any], np.uint32], None]", intrinsic(_emitted))
"""Fetch the two cache lines where a row of a C-ordered table begins."""
