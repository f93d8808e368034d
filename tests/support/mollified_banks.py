"""Random inputs of mollified_derivative: grids, windows and orders of all kinds, sums with zeros among the factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from edgepde_runtime.rooms import Room
from hypothesis import strategies as st
from support.rooms import cases_module

MADE = cases_module(Room("mollified_derivative")).made


@st.composite
def banks(
    draw: Any, dtypes: Sequence[type], largest: tuple[int, int, int], products: int = 8, batch: int = 2
) -> list[np.ndarray]:
    """The op's inputs on grids up to `largest`."""
    taps, grid = [], []
    for most in largest:
        n = draw(st.integers(1, most))
        width = draw(st.integers(1, n))
        taps.append((draw(st.sampled_from([width, n])), width))
        grid.append(n)
    orders = draw(st.lists(st.tuples(*(st.integers(-1, 1) for _ in range(3))), min_size=1, max_size=products))
    dtype, rows = draw(st.sampled_from(list(dtypes))), draw(st.integers(1, batch))
    made: list[np.ndarray] = MADE(dtype, rows, grid, taps, orders, draw(st.integers(1, 6)))
    return made
