"""The C kernel of mollified_derivative behind ctypes, and its order of sums in numpy."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.ops.mollified_derivative.reference import windows
from numpy.typing import NDArray
from support.blocks_kernel import chunked
from support.factorized_kernel import GUARD, at_the_end
from support.kernel_libraries import compile_shared, needs_compiler, needs_processor

SOURCE = Path(__file__).parents[1] / "ops" / "native" / "mollified_derivative.c"


@dataclass(frozen=True)
class Kernel:
    """A build of the kernel; every array ends where memory ends."""

    library: ctypes.CDLL

    @property
    def tile(self) -> int:
        """Rows that lie side by side, 0 where there is no vector unit."""
        return int(self.library.test_tile())

    def scratch(self, inputs: Sequence[Any], *, lanes: bool = False) -> int:
        """Numbers of scratch that it asks for."""
        call = self.library[f"test_scratch_{_code(inputs)}"]
        call.restype = ctypes.c_size_t
        orders, combine = (np.ascontiguousarray(v) for v in inputs[4:])
        pointers = (ctypes.c_void_p(v.ctypes.data) for v in (orders, combine))
        return int(call(_sizes(inputs), *pointers, int(lanes)))

    def run(self, inputs: Sequence[Any], *, lanes: bool = False) -> NDArray[Any]:
        """Every row of a batch, or tiles of it."""
        x, first, second, third, orders, combine = (np.ascontiguousarray(v) for v in inputs)
        call = self.library[f"test_{_code(inputs)}"]
        need, tile = self.scratch(inputs, lanes=lanes), self.tile if lanes else 1
        held = [at_the_end(v) for v in (first, second, third.swapaxes(1, 2), orders, combine)]
        shape = (len(combine), *x.shape[1:])
        y = np.empty((len(x), *shape), x.dtype)
        for b in range(0, len(x), tile):
            rows = np.zeros((tile, *x.shape[1:]), x.dtype)
            rows[: len(x) - b] = x[b : b + tile]
            given = at_the_end(np.moveaxis(rows, 0, -1))
            out = at_the_end(np.full((*shape, tile), 7, x.dtype))
            scratch = np.full(need + GUARD, 1e30, x.dtype)
            pointers = [given, *held, out, scratch]
            call(ctypes.c_int(lanes), _sizes(inputs), *(ctypes.c_void_p(v.ctypes.data) for v in pointers))
            assert (scratch[need:] == x.dtype.type(1e30)).all()
            y[b : b + tile] = np.moveaxis(out, -1, 0)[: len(x) - b]
        return y


def _code(inputs: Sequence[Any]) -> str:
    return "f32" if inputs[0].dtype == np.float32 else "f64"


def _sizes(inputs: Sequence[Any]) -> Any:
    """ep_mollified as numbers."""
    x, *taps, _, combine = inputs
    numbers = [combine.shape[1], combine.shape[0]]
    for n, own in zip(x.shape[1:], taps, strict=True):
        numbers += [n, own.shape[1], own.shape[2]]
    return (ctypes.c_size_t * len(numbers))(*numbers)


def build_kernel(compiler: str, isa: str, folder: Path) -> Kernel:
    """One build; skips where compiler or processor are missing."""
    needs_compiler(compiler)
    needs_processor(isa)
    return Kernel(ctypes.CDLL(str(compile_shared(compiler, isa, SOURCE, folder, extra=("-O1",)))))


def defined(inputs: Sequence[Any]) -> NDArray[Any]:
    """The kernel's definition in numpy for float32: chunks of 16 in order, fma through double; small cases."""
    x, *taps, orders, combine = inputs
    found = []
    for order in orders:
        z = x
        for axis in (2, 1, 0):
            if order[axis] >= 0:
                z = _filtered(z, axis + 1, taps[axis][order[axis]])
        found.append(z)
    y = np.zeros((len(x), len(combine), *x.shape[1:]), np.float32)
    for o, row in enumerate(combine):
        kept = np.flatnonzero(row)
        if len(kept):
            terms = np.stack([found[k] for k in kept], axis=-1)
            y[:, o] = chunked(terms.reshape(-1, len(kept)), row[kept, None]).reshape(x.shape)
    return y


def _filtered(z: NDArray[Any], axis: int, taps: NDArray[Any]) -> NDArray[Any]:
    starts, rows = windows(z.shape[axis], *taps.shape)
    moved = np.moveaxis(z, axis, -1)
    made = np.empty_like(moved)
    for i, (start, row) in enumerate(zip(starts, rows, strict=True)):
        own = moved[..., start : start + taps.shape[1]].reshape(-1, taps.shape[1])
        made[..., i] = chunked(own.copy(), taps[row, :, None]).reshape(made.shape[:-1])
    return np.moveaxis(made, -1, axis)
