"""Cases of block_low_rank_apply: groups that overlap, are empty, are one; whole and half factors; one row and many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case
from support.packed_blocks import Packed, dense_alone, ladder, low_rank_alone, packed

DTYPES = ((np.float32, np.float32), (np.float32, np.float16), (np.float64, np.float64), (np.float64, np.float16))


def cases() -> Iterator[Case]:
    for x_type, factor_type in DTYPES:
        name = f"{np.dtype(x_type)}-{np.dtype(factor_type)}"
        for blocks, batch in (
            (ladder(), 1),
            (ladder(), 5),
            (ladder(leaf=21, seed=3), 1),
            (ladder(leaf=21, seed=3), 17),
        ):
            yield _case(f"{name}-{blocks.name}-{batch}", blocks, batch, x_type, factor_type)
        for blocks in (low_rank_alone(), dense_alone(), overlapping(), nothing(), empty_groups()):
            yield _case(f"{name}-{blocks.name}", blocks, 3, x_type, factor_type)
        yield _case(f"{name}-no-rows", ladder(), 0, x_type, factor_type)
        yield _case(f"{name}-extreme", extreme(factor_type), 2, x_type, factor_type)
    yield _case("float32-nan", ladder(), 3, np.float32, np.float32, spoilt=np.nan)
    yield _case("float64-inf", ladder(), 3, np.float64, np.float64, spoilt=np.inf)


def overlapping() -> Packed:
    """Groups of rows that share outputs, groups of columns that share inputs, an entry read twice."""
    return packed("overlapping", 9, 8, [[0, 5, 2], [3, 5, 3]], [[0, 4, 3], [2, 5, 6], [2, 4, 2]], seed=5, twice=True)


def nothing() -> Packed:
    """A matrix of zeros."""
    return packed("nothing", 4, 3, np.zeros((0, 3)), np.zeros((0, 3)))


def empty_groups() -> Packed:
    """Groups of no columns, no rank, no rows and no entries among others."""
    return packed("empty-groups", 7, 6, [[2, 0, 0], [1, 3, 0], [0, 6, 2]], [[3, 0, 2], [2, 3, 0], [0, 7, 5], [7, 0, 0]])


def extreme(factor_type: type) -> Packed:
    """Factors near the ends of the halves: below 2^-14, above 2^15, signed zeros."""
    made = ladder()
    for factor in (made.right, made.left):
        factor[::7], factor[1::7], factor[2::7] = 2.0**-24, -65504.0, -0.0
        factor[3::7] = 3.1e-6
        factor[:] = factor.astype(factor_type)
    return made


def _case(name: str, blocks: Packed, batch: int, x_type: type, factor_type: type, spoilt: float | None = None) -> Case:
    x = np.random.default_rng(batch).standard_normal((batch, blocks.columns)).astype(x_type)
    if spoilt is not None:
        x[1, 2] = spoilt
    return name, [x, *blocks.arrays(factor_type)], {"rows": blocks.rows}
