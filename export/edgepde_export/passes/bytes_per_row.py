"""A matrix as bytes -127 .. 127 and a scale per row, the scale that makes the row's worst error smallest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 127
_BETWEEN = 33
_ROUNDS = 4
_HALVINGS = 48

Array = NDArray[np.floating]


def nearest(weights: Array, axis: int) -> tuple[NDArray[np.int8], Array]:
    """(q, s) with w[i, :] ~ fl(q[i, :] s[i]) for every row along `axis`; s >= 0 in w's dtype, of the rank of w.

    q = w / s to the nearest, ties to even, at most 127 in size. s is the best of: the row's largest number over
    1 .. 127 (so that what is a whole multiple of some number stays exact), a grid about the last of these, and what
    max |w - q s| over s makes of the best of them, q fixed, a few times over. Rows of zeros have s = 0.
    """
    rows = weights if axis == 0 else weights.T
    best = _Best(rows)
    largest = np.abs(rows.astype(np.float64)).max(axis=1)
    for part in (*np.arange(MOST, 0, -1), *np.linspace(MOST - 0.5, MOST + 0.5, _BETWEEN)):
        best.offer(largest / part)
    for _ in range(_ROUNDS):
        best.offer(_settled(rows, best.numbers))
    shape = (-1, 1) if axis == 0 else (1, -1)
    numbers = best.numbers.astype(np.int8)
    return np.ascontiguousarray(numbers if axis == 0 else numbers.T), best.scales.reshape(shape)


class _Best:
    """The best scale of every row so far, the numbers it gives and their worst error."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows
        self.scales: Array = np.zeros(len(rows), rows.dtype)
        self.numbers: NDArray[np.float64] = np.zeros(rows.shape)
        self._errors = np.abs(rows.astype(np.float64)).max(axis=1)

    def offer(self, scales: NDArray[np.float64]) -> None:
        """Takes the scale where the row's worst error becomes smaller, in the arithmetic of the device."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            held = scales.astype(self._rows.dtype)
            wide = self._rows.astype(np.float64)
            numbers = np.clip(np.rint(wide / held.astype(np.float64)[:, None]), -MOST, MOST)
            numbers = np.where(np.isfinite(numbers), numbers, 0.0)
            made = numbers.astype(self._rows.dtype) * held[:, None]
            errors = np.abs(made.astype(np.float64) - wide).max(axis=1)
        better = (errors < self._errors) & (held > 0)
        self.scales = np.where(better, held, self.scales)
        self.numbers = np.where(better[:, None], numbers, self.numbers)
        self._errors = np.where(better, errors, self._errors)


def _settled(rows: Array, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """argmin over s of max_j |w_j - q_j s| per row: where the largest excess meets the largest lack."""
    u, n = np.abs(rows.astype(np.float64)), np.abs(numbers)
    most = n.max(axis=1)
    high = 2.0 * u.max(axis=1) / np.maximum(most, 1.0)
    low = np.zeros_like(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rest = u - n * middle[:, None]
        over = -rest.min(axis=1) > rest.max(axis=1)
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return np.asarray((low + high) / 2)
