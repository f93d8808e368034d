"""Chosen blocks as the numbers that are stored, with the error of those numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .hmatrix import HBlock
from .partition import Choice, Kept
from .spectra import Factors, Spectra

Array = NDArray[np.float64]
HALF_ERROR, HALF_MOST = 2.0**-11, 60000.0


def stored(spectra: Spectra, choice: Choice, exponent: int, dtype: str) -> list[HBlock]:
    """The chosen blocks, their numbers rounded to what is stored, their errors those of the rounded numbers."""
    made = []
    for node in sorted(choice.held, key=lambda i: tuple(spectra.tree.bounds[i, [0, 2]].tolist())):
        a, b, c, d = spectra.tree.bounds[node].tolist()
        kept, block = choice.held[node], spectra.block(node)
        if kept.rank is None:
            values, halves = dense_values(block, kept.halves, exponent, dtype)
            left = right = None
            lost = np.ldexp(values, -exponent) - block
        else:
            left, right, halves = balanced(spectra.factors[node], kept, exponent, dtype)
            values = None
            with np.errstate(over="ignore", invalid="ignore"):
                lost = np.ldexp(left, -exponent // 2) @ np.ldexp(right, -exponent // 2).T - block
        error = math.ldexp(float(np.linalg.norm(lost)), exponent)
        made.append(HBlock((a, b), (c, d), values, left, right, error, halves))
    return made


def dense_values(block: Array, halves: int, exponent: int, dtype: str) -> tuple[Array, int]:
    """The rounded values, and how many of their columns are halves: all, or none where float16 does not hold them."""
    values = np.ldexp(block, exponent)
    limit = HALF_ERROR * math.ldexp(float(np.linalg.norm(block)), exponent)
    if halves and _holds(values, limit):
        return rounded(values, "float16"), values.shape[1]
    return rounded(values, dtype), 0


def balanced(factors: Factors, kept: Kept, exponent: int, dtype: str) -> tuple[Array, Array, int]:
    """Both factors with half of every singular value, rounded; last the columns that float16 holds, how many."""
    rank = kept.rank or 0
    root, power = np.sqrt(factors.sigma[:rank]), exponent // 2
    left = np.ldexp(factors.U[:, :rank] * root, power)
    right = np.ldexp(factors.V[:, :rank] * root, power)
    candidates = range(rank - kept.halves, rank)
    limit = HALF_ERROR * np.ldexp(root, power)
    halves = [k for k in candidates if _holds(left[:, k], limit[k]) and _holds(right[:, k], limit[k])]
    order = [k for k in range(rank) if k not in set(halves)] + halves
    left, right = left[:, order], right[:, order]
    whole = rank - len(halves)
    made = [np.hstack([rounded(f[:, :whole], dtype), rounded(f[:, whole:], "float16")]) for f in (left, right)]
    return made[0], made[1], len(halves)


def _holds(values: Array, limit: float) -> bool:
    """Whether float16 loses no more of the values than its precision, so none overflow and few are subnormal."""
    if np.abs(values).max(initial=0.0) > HALF_MOST:
        return False
    return float(np.linalg.norm(rounded(values, "float16") - values)) <= limit


def rounded(values: Array, dtype: str) -> Array:
    """The nearest numbers of dtype, in float64."""
    with np.errstate(over="ignore"):
        return values.astype(dtype).astype(np.float64)
