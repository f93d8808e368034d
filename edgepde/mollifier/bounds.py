"""How far products and sums of kernels are from the derivatives they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
from edgepde_runtime.ops.mollified_derivative.reference import windows
from numpy.typing import NDArray

from edgepde.mollifier.kernels import Kernel
from edgepde.mollifier.names import Index

Floats = NDArray[np.float64]
Largest = Callable[[Index], float]
"""max |D^alpha u| on the grid's box, or more, for any orders alpha along the axes."""
ROUNDINGS = 8
"""Per axis beside one for each tap: of the tap itself, of what comes of earlier axes, of the sum of products."""


def product(
    chosen: Sequence[Kernel | None], shape: Sequence[int], largest: Largest, noise: float, rounding: float
) -> Floats:
    """At every sample a number >= |A u - D u|, A the product of the axes' kernels (None: identity), D what it means.

    With E_i = A_i - D_i and any order of the axes, A - D = sum_i (prod of A_j before i) E_i (prod of D_j after i), and
    derivatives along other axes pass through E_i, so

      |A u - D u| <= sum_i (prod_{j before i} carry_j) bias_i max |D^(p_i + 1 along i, k_j along the others) u|
                     + (prod_j gain_j) (noise + rounding (sum_j (W_j + ROUNDINGS)) max |u|),

    the least over all orders. noise: of the readings at most; rounding: the unit of the arithmetic.
    """
    d = len(shape)
    orders = [one.order if one else 0 for one in chosen]
    active = [i for i in range(d) if chosen[i] is not None]
    best = np.full(tuple(shape), np.inf)
    for order in permutations(active):
        total, carried = np.zeros(tuple(shape)), np.ones(tuple(shape))
        for i in order:
            total = total + carried * _along(_bias(chosen, i, orders, largest), chosen, i, shape)
            carried = carried * _along(_known(chosen, i).carry, chosen, i, shape)
        best = np.minimum(best, total)
    gains = np.ones(tuple(shape))
    for i in active:
        gains = gains * _along(_known(chosen, i).gain, chosen, i, shape)
    off, moved = _misplaced(chosen, orders, largest)
    steps = sum(_known(chosen, i).width + ROUNDINGS for i in active)
    eps = rounding * steps * largest((0,) * d)
    return np.asarray(best + moved + gains * (noise + off + eps))


def _bias(chosen: Sequence[Kernel | None], i: int, orders: Sequence[int], largest: Largest) -> Floats:
    """bias_i max |D^(p_i + 1 along i, k_j along the others) u| for every row of axis i."""
    own = _known(chosen, i)
    found = np.empty(len(own.degree))
    for degree in np.unique(own.degree):
        index = tuple(int(degree) + 1 if j == i else k for j, k in enumerate(orders))
        found[own.degree == degree] = largest(index)
    return found * own.bias


def _misplaced(chosen: Sequence[Kernel | None], orders: Sequence[int], largest: Largest) -> tuple[float, float]:
    """What samples beside their places add: to every reading, and to the derivative that is meant."""
    off = moved = 0.0
    for i, one in enumerate(chosen):
        if one is not None:
            step = tuple(int(i == j) for j in range(len(orders)))
            off += one.jitter * largest(step)
            moved += one.jitter * largest(tuple(k + s for k, s in zip(orders, step, strict=True)))
    return off, moved


def _known(chosen: Sequence[Kernel | None], i: int) -> Kernel:
    one = chosen[i]
    assert one is not None
    return one


def _along(figure: Floats, chosen: Sequence[Kernel | None], i: int, shape: Sequence[int]) -> Floats:
    """A figure per row of axis i's kernel at every sample of that axis, ready to broadcast."""
    own = _known(chosen, i)
    rows = windows(shape[i], len(own.taps), own.width)[1]
    return figure[rows].reshape([-1 if j == i else 1 for j in range(len(shape))])


def deviation(chosen: Sequence[Sequence[Kernel | None]], factors: Sequence[float], shape: Sequence[int]) -> Floats:
    """Standard deviation at every sample that white noise of deviation 1 leaves in a sum of products.

    var = sum_kl c_k c_l prod_a <row of k, row of l>.
    """
    matrices = [[one.matrix(n) if one else np.eye(n) for one, n in zip(own, shape, strict=True)] for own in chosen]
    total = np.zeros(tuple(shape))
    for k, left in enumerate(matrices):
        for m, right in enumerate(matrices[: k + 1]):
            weight = factors[k] * factors[m] * (1 if m == k else 2)
            rows = [np.einsum("ij,ij->i", a, b) for a, b in zip(left, right, strict=True)]
            total = total + weight * math.prod(np.ix_(*rows))
    return np.asarray(np.sqrt(np.clip(total, 0.0, None)))
