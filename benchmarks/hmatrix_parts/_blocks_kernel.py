"""The kernel of block_low_rank_apply alone, compiled for this processor and called with pointers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edgepde_runtime.blocks import PackedBlocks
from native.build import OPS, isas, shared_library
from numpy.typing import NDArray

PADDING, TILE = 64, 16
HEADER = "block_low_rank_apply.h"
CHANGES = (
    ("EP_READ(w + k * wk + v * EP_WIDTH)", "EP_PART(w + k * wk + v * EP_WIDTH, wk - v * EP_WIDTH)"),
    (
        "#define EP_READ(p) EP_(load)(p)\n",
        "#define EP_READ(p) EP_(load)(p)\n"
        "#define EP_PART(p, n) (v == vectors - 1 && (n) < EP_WIDTH ? ep_part(p, n) : EP_READ(p))\n"
        "static inline ep_f32 ep_part(const float *p, size_t n) {\n"
        "    ep_f32 v = ep_set_f32(0);\n    __builtin_memcpy(&v, p, n * sizeof *p);\n    return v;\n}\n",
    ),
    (
        "#define EP_READ(p) EP_(load_half)(p)\n",
        "#define EP_READ(p) EP_(load_half)(p)\n#define EP_PART(p, n) EP_READ(p)\n",
    ),
    ("#undef EP_READ\n", "#undef EP_READ\n#undef EP_PART\n"),
)


@dataclass(frozen=True)
class Kernel:
    """A build for the widest vectors there are."""

    library: ctypes.CDLL

    def call(self, blocks: PackedBlocks, x: NDArray[np.float32]) -> Callable[[], NDArray[np.float32]]:
        """A call that computes y [B, rows] of x [B, columns], everything it needs laid out before."""
        function = self.library.blocks_halves if blocks.right.dtype == np.float16 else self.library.blocks_plain
        function.restype = None
        most = [int(blocks.row_groups[:, i].max()) for i in (2, 1)]
        counts = (len(blocks.column_groups), len(blocks.row_groups), blocks.columns, blocks.rows, blocks.ranks, *most)
        sizes = (ctypes.c_size_t * len(counts))(*counts)
        self.library.blocks_scratch.restype = ctypes.c_size_t
        scratch = np.zeros(int(self.library.blocks_scratch(sizes)) * TILE, np.float32)
        tile = np.zeros((blocks.columns + blocks.rows) * TILE, np.float32)
        right, left = (np.append(v, np.zeros(PADDING, v.dtype)) for v in (blocks.right, blocks.left))
        places = [np.ascontiguousarray(v) for v in (blocks.column_groups, blocks.row_groups, blocks.index)]
        y = np.empty((len(x), blocks.rows), np.float32)
        used = (x, places[0], right, None, places[1], places[2], left, None, y, scratch, tile)
        ends = {3: right.ctypes.data + right.nbytes, 7: left.ctypes.data + left.nbytes}
        # data_as keeps the array alive
        pointers = [
            ctypes.c_void_p(ends[i]) if v is None else v.ctypes.data_as(ctypes.c_void_p) for i, v in enumerate(used)
        ]
        rows = ctypes.c_size_t(len(x))

        def run() -> NDArray[np.float32]:
            function(rows, sizes, *pointers)
            return y

        return run


def built(folder: Path, *, copying: bool = False) -> Kernel:
    """The library, in a folder; copying: partial vectors of factors go through memcpy into zeroed ones."""
    source = Path(__file__).with_suffix(".c")
    flags = isas()[0].flags if isas() else ()
    place = OPS / "block_low_rank_apply"
    if copying:
        changed = _copying((place / HEADER).read_text(encoding="utf-8"))
        place = folder / "copying"
        place.mkdir()
        (place / HEADER).write_text(changed, encoding="utf-8")
    return Kernel(shared_library([source], flags, folder / f"blocks{int(copying)}.so", [place]))


def _copying(text: str) -> str:
    """The kernel with every read of factors of less than a vector replaced; RuntimeError where it is not as it was."""
    for old, new in CHANGES:
        if text.count(old) != 1:
            raise RuntimeError(f"{HEADER}: expected {old!r} once")
        text = text.replace(old, new)
    return text
