"""What numba has no word for: unaligned loads, prefetches, zeros counted. Only where numba loads.

Each is a single instruction in the kernels; plain code cannot call them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_I8 = ir.IntType(8)
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


def _instruction(function: Callable[..., Any]) -> Callable[[FunctionT], FunctionT]:
    """Give the code generator `function` the name and the signature of a documented function."""

    def named(documented: FunctionT) -> FunctionT:
        function.__name__ = documented.__name__
        function.__doc__ = documented.__doc__
        return cast(FunctionT, intrinsic(function))

    return named


def _element(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """A pointer to the bytes of one element of an array of one dimension."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), _I8.as_pointer())


def _load64(typing: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _element(context, builder, signature, args)
        return builder.load(builder.bitcast(place, _I64.as_pointer()), align=1)

    return types.uint64(array, types.intp), generate


@_instruction(_load64)
def load64(array: NDArray[Any], index: int) -> np.uint64:
    """The eight bytes from one element of an array on, little-endian."""
    raise NotImplementedError


def _prefetcher(write: int) -> Callable[..., Any]:
    def prefetch_code(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = _element(context, builder, signature, args)
            kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            builder.call(function, [place, _I32(write), _I32(3), _I32(1)])
            return context.get_dummy_value()

        return types.void(array, types.intp), generate

    return prefetch_code


@_instruction(_prefetcher(0))
def prefetch(array: NDArray[Any], index: int) -> None:
    """Have the cache line of an element fetched; any index is allowed."""


@_instruction(_prefetcher(1))
def prefetch_for_write(array: NDArray[Any], index: int) -> None:
    """Have the cache line of an element fetched to be written; any index is allowed."""


def _leading_zeros(typing: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate


@_instruction(_leading_zeros)
def leading_zeros(value: np.uint64) -> int:
    """How many of the 64 bits above the highest one that is set; 64 for 0."""
    raise NotImplementedError


def _trailing_zeros(typing: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate


@_instruction(_trailing_zeros)
def trailing_zeros(value: np.uint64) -> int:
    """How many of the 64 bits below the lowest one that is set; 64 for 0."""
    raise NotImplementedError


def _load_at(bits: int) -> Callable[..., Any]:
    def load_code(typing: Any, address: Any, index: Any) -> Any:
        kind = ir.IntType(bits)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = builder.inttoptr(args[0], kind.as_pointer())
            value = builder.load(builder.gep(place, [args[1]]), align=1)
            return builder.zext(value, _I64) if bits < 64 else value

        result = types.uint64 if bits == 64 else types.int64
        return result(types.int64, types.int64), generate

    return load_code


@_instruction(_load_at(16))
def load16_at(address: int, index: int) -> int:
    """The 16-bit number at an index from a memory address; the caller answers for its bounds."""
    raise NotImplementedError


@_instruction(_load_at(32))
def load32_at(address: int, index: int) -> int:
    """The 32-bit number at an index from a memory address; the caller answers for its bounds."""
    raise NotImplementedError


@_instruction(_load_at(64))
def load64_at(address: int, index: int) -> np.uint64:
    """The 64-bit number at an index from a memory address; the caller answers for its bounds."""
    raise NotImplementedError


def _store64_at(typing: Any, address: Any, index: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], _I64.as_pointer())
        builder.store(args[2], builder.gep(place, [args[1]]), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@_instruction(_store64_at)
def store64_at(address: int, index: int, value: int) -> None:
    """Write a 64-bit number at an index from an address; the caller answers for its bounds."""


def _prefetch_at(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.inttoptr(args[0], _I8.as_pointer())
        builder.call(function, [place, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@_instruction(_prefetch_at)
def prefetch_at(address: int) -> None:
    """Have the cache line of a memory address fetched; any address is allowed."""


def _item_bytes(typing: Any, array: Any) -> Any:
    size = array.dtype.bitwidth // 8

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _I64(size)

    return types.int64(array), generate


@_instruction(_item_bytes)
def item_bytes(array: NDArray[Any]) -> int:
    """The size of an array's elements, known when compiling, as `array.itemsize` is not."""
    raise NotImplementedError
