"""Cases of mollified_derivative: one to three axes, windows as long as the axis, rows of their own, sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from edgepde_runtime.ops.mollified_derivative.reference import run
from numpy.typing import NDArray
from support.op_cases import FLOATS, Case

Orders = Sequence[tuple[int, int, int]]
LINE = ((-1, -1, 0), (-1, -1, 1), (-1, -1, -1))
PICTURE = ((-1, -1, 0), (-1, -1, 1), (-1, 0, -1), (-1, 0, 1), (-1, 1, -1), (-1, -1, -1))
SPACE = ((0, -1, -1), (1, 0, 1), (-1, 1, 0), (1, -1, 1), (0, 1, -1), (-1, -1, 1), (1, 0, 1))


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        for stem, case in shapes().items():
            yield f"{np.dtype(dtype)}-{stem}", made(dtype, *case), {}
    yield "float32-no-rows", made(np.float32, 0, (1, 4, 9), ((1, 1), (3, 3), (5, 5)), PICTURE, 2), {}
    yield "float32-many", made(np.float32, 1, (1, 4, 9), ((1, 1), (3, 3), (5, 5)), PICTURE * 3, 3), {}
    yield "float64-far", made(np.float64, 1, (2, 3, 4), ((2, 2), (3, 3), (3, 3)), SPACE, 4, 1e150), {}


def shapes() -> dict[str, tuple]:
    """Batch, grid, (rows, width) of the taps of every axis, orders, outputs."""
    one = (1, 1)
    return {
        "line": (2, (1, 1, 40), (one, one, (7, 7)), LINE, 3),
        "line-whole": (1, (1, 1, 9), (one, one, (9, 9)), LINE, 2),
        "line-even": (1, (1, 1, 20), (one, one, (6, 6)), LINE, 2),
        "line-own-rows": (1, (1, 1, 37), (one, one, (37, 5)), LINE, 2),
        "line-long": (2, (1, 1, 75), (one, one, (35, 35)), LINE, 2),
        "picture": (2, (1, 12, 21), (one, (5, 5), (7, 7)), PICTURE, 4),
        "picture-own-rows": (1, (1, 12, 21), (one, (12, 5), (21, 7)), PICTURE, 3),
        "picture-narrow": (1, (1, 25, 3), (one, (19, 19), (3, 3)), PICTURE, 3),
        "picture-wide": (1, (1, 3, 70), (one, (3, 3), (17, 17)), PICTURE, 5),
        "one-of-a-kind": (1, (1, 6, 8), (one, (3, 3), one), ((-1, 1, -1),), 1),
        "untouched": (1, (1, 2, 3), (one, (5, 5), (9, 9)), ((-1, -1, -1),), 1),
        "space": (2, (6, 7, 9), ((3, 3), (5, 5), (7, 7)), SPACE, 5),
        "space-own-rows": (1, (9, 8, 10), ((9, 4), (8, 3), (10, 5)), SPACE, 3),
        "point": (1, (1, 1, 1), (one, one, one), SPACE, 2),
    }


def made(
    dtype: type,
    batch: int,
    grid: Sequence[int],
    taps: Sequence[tuple[int, int]],
    orders: Orders,
    outputs: int,
    size: float = 1.0,
) -> list[NDArray[Any] | None]:
    """Inputs of numbers between -1 and 1; the first outputs are single products, the others sums with zeros."""
    rng = np.random.default_rng(batch + 7 * sum(grid) + len(orders))
    x = (size * rng.uniform(-1, 1, (batch, *grid))).astype(dtype)
    held = [rng.uniform(-1, 1, (2, rows, width)).astype(dtype) for rows, width in taps]
    combine = np.eye(outputs, len(orders))
    for o in range(outputs // 2, outputs):
        combine[o] = rng.integers(-2, 3, len(orders)) / 2
    return [x, *held, np.array(orders, np.int64), combine.astype(dtype)]


def magnitude(inputs: Sequence[Any], _: Mapping[str, Any]) -> tuple[int, NDArray[Any]]:
    """Terms of the longest chain of sums, and the op on absolute values in float64."""
    x, *taps, orders, combine = inputs
    terms = [(orders[:, a] >= 0) * taps[a].shape[2] for a in range(3)]
    absolute = [np.abs(v).astype(np.float64) for v in (x, *taps)]
    size = run([*absolute, orders, np.abs(combine).astype(np.float64)], {})[0]
    return int(np.sum(terms, axis=0).max()) + len(orders), size
