"""The C kernel of block_low_rank_apply behind ctypes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.kernel_libraries import compile_shared, needs_compiler, needs_processor

SOURCE = Path(__file__).parents[1] / "ops" / "native" / "block_low_rank_apply.c"


def fenced(x: NDArray[Any], behind: int = 0) -> NDArray[Any]:
    """A copy with nothing but NaN around it, `behind` elements before and after."""
    made = np.full(x.size + 2 * behind, np.nan if x.dtype.kind == "f" else -7, x.dtype)
    inner = made[behind : behind + x.size]
    inner[:] = x.ravel()
    return inner


@dataclass(frozen=True)
class Kernel:
    """A build of the kernel; scratch and factors lie right before guards."""

    library: ctypes.CDLL

    @property
    def tile(self) -> int:
        """Rows that lie side by side, 0 where there is no vector unit."""
        return int(self.library.test_tile())

    def run(self, inputs: list[Any], rows: int, *, lanes: bool = False, padded: bool = False) -> NDArray[Any]:
        """Every row of a batch, or tiles of it; `padded`: factors may be read past their end."""
        x, column_groups, right, row_groups, index, left = (np.ascontiguousarray(v) for v in inputs)
        most = lambda groups, column: int(groups[:, column].max(initial=0))  # noqa: E731
        ranks, entries, size = int(column_groups[:, 2].sum()), most(row_groups, 2), most(row_groups, 1)
        counts = (len(column_groups), len(row_groups), x.shape[1], rows, ranks, entries, size)
        numbers = (ctypes.c_size_t * 7)(*counts)
        half = "_half" if right.dtype == np.float16 else ""
        call = self.library[f"test_{'f32' if x.dtype == np.float32 else 'f64'}{half}"]
        tile = self.tile if lanes else 1
        need, spare = self._need(numbers, max(size, most(column_groups, 2)))
        scratch = np.full(need * tile + 8, 1e30, x.dtype)
        room = np.full(spare + 8, 3, right.dtype)
        factors = [fenced(v, 64 if padded else 0) for v in (right, left)]
        y = np.full((len(x), rows), 7, x.dtype)
        for b in range(0, len(x), tile):
            given = np.zeros((tile, x.shape[1]), x.dtype)
            given[: len(x) - b] = x[b : b + tile]
            turned, out = np.ascontiguousarray(given.T), np.full(rows * tile + 4, 7, x.dtype)
            ends = [v.ctypes.data + v.nbytes + (64 * v.itemsize if padded else 0) for v in factors]
            pointers = (
                turned.ctypes.data, column_groups.ctypes.data, factors[0].ctypes.data, ends[0], row_groups.ctypes.data,
                index.ctypes.data, factors[1].ctypes.data, ends[1], out.ctypes.data, scratch.ctypes.data,
                None if padded else room.ctypes.data,
            )  # fmt: skip
            call(ctypes.c_int(lanes), numbers, *map(ctypes.c_void_p, pointers))
            assert (out[-4:] == 7).all()
            y[b : b + tile] = out[:-4].reshape(rows, tile).T[: len(x) - b]
        assert (scratch[-8:] == np.asarray(1e30, x.dtype)).all()
        assert (room[-8:] == 3).all()
        return y

    def _need(self, numbers: Any, width: int) -> tuple[int, int]:
        for name in ("test_scratch", "test_spare"):
            self.library[name].restype = ctypes.c_size_t
        return int(self.library.test_scratch(numbers)), int(self.library.test_spare(ctypes.c_size_t(width)))


def build_kernel(compiler: str, isa: str, folder: Path) -> Kernel:
    """One build; skips where compiler or processor are missing."""
    needs_compiler(compiler)
    needs_processor(isa)
    return Kernel(ctypes.CDLL(str(compile_shared(compiler, isa, SOURCE, folder))))


def defined(inputs: list[Any], rows: int) -> NDArray[Any]:
    """The kernel's definition, its order of sums in numpy: fma by fma through longdouble, for small cases."""
    x, column_groups, right, row_groups, index, left = (np.asarray(v) for v in inputs)
    right, left = right.astype(x.dtype), left.astype(x.dtype)
    parts, at = [], 0
    for start, size, rank in column_groups.tolist():
        parts.append(chunked(x[:, start : start + size], right[at : at + size * rank].reshape(size, rank)))
        at += size * rank
    s = np.concatenate([*parts, x], axis=1)
    y = np.zeros((len(x), rows), x.dtype)
    at = read = 0
    for start, size, count in row_groups.tolist():
        factor = left[at : at + size * count].reshape(count, size)
        y[:, start : start + size] += chunked(s[:, index[read : read + count]], factor)
        at, read = at + size * count, read + count
    return y


def chunked(x: NDArray[Any], w: NDArray[Any], start: Any = 0.0) -> NDArray[Any]:
    """start + x w in chunks of 16 terms, each a chain of fused multiply-adds from zero; float32 alone.

    A double holds a product of floats, and its sum with a float to within its last bit: rounded to float that is the
    fused result but where the double lies halfway between two floats.
    """
    total = np.zeros((len(x), w.shape[1]), x.dtype)
    total[:] = start
    for k in range(0, len(w), 16):
        chain = np.zeros_like(total)
        for j in range(k, min(k + 16, len(w))):
            chain = (x[:, j, None].astype(np.float64) * w[j] + chain).astype(x.dtype)
        total = total + chain
    return total
