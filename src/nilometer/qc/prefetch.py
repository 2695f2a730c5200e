"""Ask the processor for a table row that will be needed soon: Datastreams met out of order lie far apart in memory.

It changes no result. Without it each row of 10⁵ shuffled Datastreams waits for memory several times over.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["prefetch"]


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, table: Any, row: Any) -> Any:  # noqa: ANN401 -- Numba's protocol
    """Fetch the cache lines (64 bytes each, two at most) where a row of a C-ordered table begins."""
    signature = types.void(table, types.uint32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 -- Numba's protocol
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, array.strides)[0]
        first = builder.ptrtoint(array.data, stride.type)
        offset = builder.mul(builder.zext(arguments[1], stride.type), stride)
        pointer = ir.IntType(8).as_pointer()
        word = ir.IntType(32)
        call = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, call, "llvm.prefetch.p0")
        width = signature.args[0].dtype.bitwidth // 8 * 16  # a state row; other rows are shorter than a line
        for line in range(2 if width > 64 and signature.args[0].ndim == 2 else 1):
            address = builder.add(builder.add(first, offset), ir.Constant(stride.type, 64 * line))
            builder.call(
                function,
                [builder.inttoptr(address, pointer), ir.Constant(word, 1), ir.Constant(word, 3), ir.Constant(word, 1)],
            )
        return context.get_dummy_value()

    return signature, generate
