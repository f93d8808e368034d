"""The C kernel of basis_readout behind ctypes; every array ends right before a page that nobody may touch."""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.kernel_libraries import compile_shared, needs_compiler, needs_processor

SOURCE = Path(__file__).parents[1] / "ops" / "native" / "basis_readout.c"
ROWS, ROW, TILE = 0, 1, 2


def guarded(x: NDArray[Any]) -> tuple[NDArray[Any], mmap.mmap]:
    """A copy that ends where a page begins that can be neither read nor written; the memory must be kept."""
    page = mmap.PAGESIZE
    size = -(-max(x.nbytes, 1) // page) * page
    held = mmap.mmap(-1, size + page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(held))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + size), ctypes.c_size_t(page), 0) == 0
    made: NDArray[Any] = np.frombuffer(held, x.dtype, x.size, size - x.nbytes).reshape(x.shape)
    made[...] = x
    return made, held


@dataclass(frozen=True)
class Kernel:
    """A build of the kernel."""

    library: ctypes.CDLL

    @property
    def tile(self) -> int:
        """Rows that lie side by side, 0 where there is no vector unit."""
        return int(self.library.test_tile())

    def run(self, inputs: list[Any], how: int = ROW) -> NDArray[Any]:
        """All rows at once, one by one, or tiles of them."""
        x, w, scale = (np.ascontiguousarray(v) for v in inputs)
        rows, terms, columns = len(x), *w.shape
        half = "_half" if w.dtype == np.float16 else ""
        call = self.library[f"test_{'f32' if x.dtype == np.float32 else 'f64'}{half}"]
        tile = self.tile if how == TILE else max(rows, 1)
        y = np.full((rows, columns), 7, x.dtype)
        for b in range(0, rows, tile):
            given = np.zeros((tile, terms), x.dtype)
            given[: rows - b] = x[b : b + tile]
            turned = np.ascontiguousarray(given.T) if how == TILE else given
            held = [guarded(v) for v in (turned, w, scale, np.full((tile, columns), 7, x.dtype))]
            at = [ctypes.c_void_p(v.ctypes.data) for v, _ in held]
            sizes = [ctypes.c_size_t(n) for n in (tile, terms, columns)]
            call(ctypes.c_int(how), *sizes, *at[:3], ctypes.c_size_t(len(scale) > 1), at[3])
            out = held[3][0]
            y[b : b + tile] = (out.reshape(columns, tile).T if how == TILE else out)[: rows - b]
        return y


def build_kernel(compiler: str, isa: str, folder: Path) -> Kernel:
    """One build; skips where compiler or processor are missing."""
    needs_compiler(compiler)
    needs_processor(isa)
    return Kernel(ctypes.CDLL(str(compile_shared(compiler, isa, SOURCE, folder))))
