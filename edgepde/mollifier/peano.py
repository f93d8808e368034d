"""What a window makes of a derivative: L1 norms of Peano kernels, from above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.longdouble]
CELLS = 32
"""At least so many cells per window; more cost time, fewer looseness where the kernel changes sign."""
SAFETY = 1.0 + 1e-6
"""Covers the roundings of the quadrature, which is exact but for them."""


def norm(s: Wide, w: Wide, power: int, order: int | None = None) -> float:
    """A number >= int |K| with  sum_j w_j u(s_j) - u^(order)(0) = int K u^(power); without `order` no u^(order).

    The functional on the left must vanish for polynomials below degree `power`. K(t) = sum_j w_j (s_j - t)_+^(power-1)
    / (power-1)! - (-t)_+^(power-1-order) / (power-1-order)!, a polynomial between breaks; a cell of length h has
    int |K| <= sqrt(h int K^2), the latter by Gauss-Legendre of enough nodes. power = 0: sum |w|.
    """
    if power == 0:
        return float(np.abs(w).sum())
    breaks = np.unique(np.append(s, np.longdouble(0)) if order is not None else s)
    x, gauss = np.polynomial.legendre.leggauss(power)
    gaps = np.diff(breaks)
    cells = -(-CELLS // max(len(gaps), 1))
    share = (np.arange(cells)[:, None] + (x + 1) / 2) / cells
    t = breaks[:-1, None, None] + gaps[:, None, None] * share
    k = _kernel(t.reshape(-1), s, w, power, order).reshape(t.shape)
    squares = (k * k * (gauss / 2)).sum(-1)
    return float((gaps[:, None] / cells * np.sqrt(squares)).sum()) * SAFETY


def _kernel(t: Wide, s: Wide, w: Wide, power: int, order: int | None) -> Wide:
    """K at t, summed from the side with fewer samples, where less cancels.

    The functional vanishes for (x - t)^(power-1), hence K(t) = (-1)^power times its value for (t - x)_+^(power-1).
    """
    left = (s[None, :] < t[:, None]).sum(1) * 2 <= len(s)
    value = np.empty_like(t)
    for side, sign in ((left, -1), (~left, 1)):
        total = _truncated(sign * (s[None, :] - t[side, None]), power - 1) @ w
        if order is not None:
            total = total - sign**order * _truncated(-sign * t[side], power - 1 - order)
        value[side] = (-1) ** power * total if sign < 0 else total
    return value


def _truncated(x: Wide, power: int) -> Wide:
    """x_+^n / n!."""
    base = np.clip(x, 0, None)
    total = np.asarray(x > 0, np.longdouble)
    for i in range(1, power + 1):
        total = total * (base / i)
    return total
