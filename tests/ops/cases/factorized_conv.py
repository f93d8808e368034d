"""Cases of factorized_conv: one to three axes, strides, dilations, pads of each side, many channels, half factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from support.op_cases import Case

DTYPES = ((np.float32, np.float32), (np.float32, np.float16), (np.float64, np.float64), (np.float64, np.float16))


def cases() -> Iterator[Case]:
    for x_type, factor_type in DTYPES:
        name = f"{np.dtype(x_type)}-{np.dtype(factor_type)}"
        for stem, case in shapes().items():
            yield f"{name}-{stem}", *made(x_type, factor_type, *case)
    yield "float32-no-rows", *made(np.float32, np.float32, 0, (2, 3, 2), (6, 7), (3, 3))
    for x_type, spoilt in ((np.float32, np.nan), (np.float64, np.inf)):
        inputs, attributes = made(x_type, x_type, 1, (2, 3, 2), (5, 6), (3, 3), pads=(1, 1, 1, 1))
        inputs[0][0, 1, 2, 3] = spoilt
        yield f"{np.dtype(x_type)}-{spoilt}", inputs, attributes


def shapes() -> dict[str, tuple]:
    """Batch, channels (in, rank, out), grid, kernel and what else there is."""
    return {
        "line": (2, (3, 4, 5), (19,), (5,), (2, 2)),
        "line-strided": (1, (1, 1, 1), (40,), (4,), (3, 0), (3,), (2,)),
        "picture": (1, (3, 6, 4), (9, 17), (3, 5), (1, 2, 1, 2)),
        "picture-one-sided": (2, (2, 5, 3), (8, 21), (3, 2), (2, 0, 0, 5), (2, 1), (1, 3)),
        "picture-wide": (1, (2, 3, 2), (2, 70), (1, 3), (0, 1, 0, 1)),
        "space": (1, (2, 4, 3), (5, 6, 7), (3, 3, 3), (1, 1, 1, 1, 1, 1)),
        "space-strided": (2, (3, 2, 2), (7, 8, 18), (2, 3, 4), (0, 1, 2, 1, 0, 3), (2, 3, 2), (2, 1, 2)),
        "space-rows": (1, (2, 17, 2), (3, 4, 33), (5, 1, 5), (2, 0, 2, 2, 0, 2)),
        "channels": (1, (37, 40, 21), (3, 4, 5), (3, 2, 1), (1, 1, 0, 1, 0, 0)),
        "point": (1, (5, 3, 2), (1, 1, 1), (3, 3, 3), (1, 1, 1, 1, 1, 1)),
        "nothing-inside": (1, (1, 2, 1), (1, 2), (2, 2), (3, 0, 3, 4), (1, 2), (2, 1)),
    }


def made(
    x_type: type,
    factor_type: type,
    batch: int,
    channels: tuple[int, int, int],
    grid: Sequence[int],
    kernel: Sequence[int],
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
    dilations: Sequence[int] = (),
) -> tuple[list[np.ndarray], dict[str, object]]:
    """Inputs and attributes; numbers between -1 and 1."""
    s, r, t = channels
    d = len(grid)
    rng = np.random.default_rng(batch + 7 * s + 11 * r + sum(grid))
    x = rng.uniform(-1, 1, (batch, s, *grid)).astype(x_type)
    factors = [rng.uniform(-1, 1, shape).astype(factor_type) for shape in ((r, s), (r, sum(kernel)), (t, r))]
    bias = rng.uniform(-1, 1, t).astype(x_type)
    attributes = {
        "kernel_shape": list(kernel),
        "strides": list(strides) or [1] * d,
        "pads": list(pads) or [0] * (2 * d),
        "dilations": list(dilations) or [1] * d,
        "rank": r,
    }
    return [x, *factors, bias], attributes
