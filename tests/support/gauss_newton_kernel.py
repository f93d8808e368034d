"""The C kernel of gauss_newton_solve behind ctypes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.kernel_libraries import compile_shared, needs_compiler, needs_processor

SOURCE = Path(__file__).parents[1] / "ops" / "native" / "gauss_newton_solve.c"
Answer = tuple[NDArray[np.float64], NDArray[np.bool_]]


@dataclass(frozen=True)
class Kernel:
    """A build of the kernel; scratch lies right before a guard that must survive."""

    library: ctypes.CDLL

    def scratch_bytes(self, *sizes: int) -> int:
        call = self.library.test_scratch
        call.restype = ctypes.c_size_t
        return int(call(*map(ctypes.c_size_t, sizes)))

    def run(self, inputs: list[Any], max_iterations: int = 20, tolerance: float = 1e-9) -> Answer:
        """Every row of a batch through the kernel, in one dirty scratch."""
        arrays = [np.ascontiguousarray(x) for x in inputs]
        sizes = sizes_of(arrays)
        scratch = np.full(self.scratch_bytes(*sizes) // 8 + 8, 1.7e308)
        batch = len(arrays[0])
        solution = np.full((batch, sizes[2]), -7.0)
        converged = np.full(batch, 9, dtype=np.uint8)
        shared = {1, 5, 6}
        call = self.library.test_row
        call.restype = None
        for b in range(batch):
            given = [x if i in shared else np.ascontiguousarray(x[b]) for i, x in enumerate(arrays)]
            pointers = [ctypes.c_void_p(x.ctypes.data) for x in given]
            outputs = [solution[b].ctypes.data, converged[b:].ctypes.data, scratch.ctypes.data]
            call(
                *map(ctypes.c_size_t, sizes),
                *pointers,
                ctypes.c_int64(max_iterations),
                ctypes.c_double(tolerance),
                *map(ctypes.c_void_p, outputs),
            )
        assert (scratch[-8:] == 1.7e308).all()
        assert set(converged.tolist()) <= {0, 1}
        return solution, converged.astype(bool)


def sizes_of(arrays: list[NDArray[Any]]) -> tuple[int, ...]:
    """F, R, N, T, K, C."""
    return (*arrays[1].shape, *arrays[5].shape, arrays[6].shape[0])


def build_kernel(compiler: str, isa: str, folder: Path) -> Kernel:
    """One build; skips where compiler or processor are missing."""
    needs_compiler(compiler)
    needs_processor(isa)
    return Kernel(ctypes.CDLL(str(compile_shared(compiler, isa, SOURCE, folder))))
