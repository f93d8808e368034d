"""The C kernel of factorized_conv behind ctypes, and its order of sums in numpy."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.windows import Window, window
from numpy.typing import NDArray
from support.blocks_kernel import chunked
from support.kernel_libraries import compile_shared, needs_compiler, needs_processor

SOURCE = Path(__file__).parents[1] / "ops" / "native" / "factorized_conv.c"
GUARD = 16


def sizes_of(inputs: Sequence[NDArray[Any]], attributes: Mapping[str, Any]) -> tuple[list[int], Window]:
    """ep_factorized as numbers, and the window."""
    x, read, _, write, _ = inputs
    made = window("factorized_conv", x.ndim - 2, attributes)
    d, lifted = len(made.kernel), made.lifted()
    grid, places = ((1,) * (3 - d) + tuple(v) for v in (x.shape[2:], made.places("factorized_conv", x.shape[2:])))
    numbers = [x.shape[1], len(read), len(write)]
    for a in range(3):
        kernel = lifted.kernel[a] if a >= 3 - d else 0
        numbers += [grid[a], places[a], kernel, lifted.strides[a], lifted.dilations[a], lifted.before[a]]
    return numbers, made


def at_the_end(x: NDArray[Any]) -> NDArray[Any]:
    """A copy whose last element is the last of a page that nothing may be read behind."""
    page = mmap.PAGESIZE
    pages = -(-max(x.nbytes, 1) // page)
    held = mmap.mmap(-1, (pages + 1) * page)
    start = np.frombuffer(held, np.uint8)
    libc = ctypes.CDLL(None)
    libc.mprotect(ctypes.c_void_p(start.ctypes.data + pages * page), ctypes.c_size_t(page), 0)
    inner = start[pages * page - x.nbytes : pages * page].view(x.dtype).reshape(x.shape)
    inner[...] = x
    return inner


@dataclass(frozen=True)
class Kernel:
    """A build of the kernel; every array ends where memory ends."""

    library: ctypes.CDLL

    @property
    def tile(self) -> int:
        """Rows that lie side by side, 0 where there is no vector unit."""
        return int(self.library.test_tile())

    def run(self, inputs: Sequence[Any], attributes: Mapping[str, Any], *, lanes: bool = False) -> NDArray[Any]:
        """Every row of a batch, or tiles of it."""
        x, *factors = (np.ascontiguousarray(v) for v in inputs)
        numbers, made = sizes_of([x, *factors], attributes)
        half = factors[0].dtype == np.float16
        sizes = (ctypes.c_size_t * len(numbers))(*numbers)
        call = self.library[f"test_{'f32' if x.dtype == np.float32 else 'f64'}{'_half' if half else ''}"]
        self.library.test_scratch.restype = ctypes.c_size_t
        need = int(self.library.test_scratch(sizes, int(lanes), int(half)))
        tile = self.tile if lanes else 1
        shape = (len(factors[2]), *made.places("factorized_conv", x.shape[2:]))
        held = [at_the_end(v) for v in factors]
        y = np.empty((len(x), *shape), x.dtype)
        for b in range(0, len(x), tile):
            rows = np.zeros((tile, *x.shape[1:]), x.dtype)
            rows[: len(x) - b] = x[b : b + tile]
            given = at_the_end(np.moveaxis(rows, 0, -1))
            out = at_the_end(np.full((*shape, tile), 7, x.dtype))
            scratch = np.full(need + GUARD + 64, 1e30, x.dtype)
            first = -scratch.ctypes.data % 64 // x.itemsize
            pointers = [given, *held, out, scratch[first:]]
            call(ctypes.c_int(lanes), sizes, *(ctypes.c_void_p(v.ctypes.data) for v in pointers))
            assert (scratch[first + need :] == x.dtype.type(1e30)).all()
            y[b : b + tile] = np.moveaxis(out, -1, 0)[: len(x) - b]
        return y


def build_kernel(compiler: str, isa: str, folder: Path) -> Kernel:
    """One build; skips where compiler or processor are missing."""
    needs_compiler(compiler)
    needs_processor(isa)
    return Kernel(ctypes.CDLL(str(compile_shared(compiler, isa, SOURCE, folder, extra=("-O1",)))))


def defined(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> NDArray[Any]:
    """The kernel's definition in numpy for float32: chunks of 16 in order, fma through double; small cases."""
    x, read, filters, write, bias = (np.asarray(v).astype(np.float32) for v in inputs)
    _, made = sizes_of(inputs, attributes)
    d = len(made.kernel)

    def mixed(z: NDArray[Any], w: NDArray[Any], start: Any = 0.0) -> NDArray[Any]:
        rows = np.moveaxis(z, 1, -1)
        flat = chunked(rows.reshape(-1, rows.shape[-1]), w.T.copy(), start)
        return np.moveaxis(flat.reshape(*rows.shape[:-1], -1), -1, 1)

    z = np.pad(mixed(x, read), [(0, 0), (0, 0), *zip(made.before, made.after, strict=True)])
    starts = np.cumsum((0, *made.kernel))
    for axis in reversed(range(d)):
        k, reach = made.kernel[axis], made.reaches[axis]
        windows = np.lib.stride_tricks.sliding_window_view(z, reach, axis=axis + 2)
        windows = np.moveaxis(windows, axis + 2, -2)[..., :: made.strides[axis], :: made.dilations[axis]]
        out = np.empty(windows.shape[:-1], np.float32)
        for r in range(len(read)):
            own = filters[r, starts[axis] : starts[axis + 1], None]
            out[:, r] = chunked(windows[:, r].reshape(-1, k).copy(), own).reshape(out[:, r].shape)
        z = np.moveaxis(out, -1, axis + 2)
    return mixed(z, write, bias)
