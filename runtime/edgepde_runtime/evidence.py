"""Evidence that grows while a stated behaviour is broken and seldom does while it is kept.

An e-process E satisfies P(ever E >= 1 / a) <= a under its null hypothesis (Ville's inequality), so one may look after
every observation. Here each is a function of counts, added up over windows that start at blocks of BLOCK
observations, with weights whose sum is at most 1. Sources: Ville 1939; Robbins 1970 (mixtures); Krichevsky and
Trofimov 1981; Wasserman, Ramdas, Balakrishnan 2020 (universal inference). docs/mollifier.md has the proofs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .monitor import Monitor, rank

Counts = NDArray[np.int64]
Logs = NDArray[np.float64]
BLOCK = 64
DEEPEST = 8
ALTERNATIVES = 12
BINS = 8
_SHIFT = 8


def kept(start: int, block: int) -> bool:
    """Whether the window that started at block `start` is still there at `block`; at most 2 DEEPEST + 3 are."""
    if start == 0:
        return True
    depth = min((start & -start).bit_length() - 1, DEEPEST)
    return start <= block < start + (2 << depth)


def log_weight(start: int) -> float:
    """ln of the weight of a window: 1/2 for the first, 1 / (2 j (j + 1)) for one from block j; the sum is below 1."""
    return -math.log(2.0) - (math.log(start) + math.log(start + 1.0) if start else 0.0)


def together(windows: Logs, starts: list[int]) -> float:
    """ln of the weighted sum of e-processes [W], each given by its logarithm."""
    terms = windows + np.array([log_weight(start) for start in starts])
    top = float(terms.max())
    return top + math.log(float(np.exp(terms - top).sum()))


def rate_evidence(trials: Counts, hits: Counts, most: float) -> Logs:
    """ln E [W] against "each trial hits with probability at most `most`, whatever came before".

    E = mean over q > most of (q / most)^hits ((1 - q) / (1 - most))^(trials - hits); the mean of every factor is at
    most 1 where the probability is at most `most`.
    """
    least, greatest = math.log(1.5 * most / (1.0 - most)), math.log(max(99.0, 9.0 * most / (1.0 - most)))
    q = 1.0 / (1.0 + np.exp(-np.linspace(least, greatest, ALTERNATIVES)))
    gain, loss = np.log(q / most), np.log1p(-q) - math.log1p(-most)
    logs = hits[:, None] * gain + (trials - hits)[:, None] * loss
    top = logs.max(axis=1)
    return np.asarray(top + np.log(np.exp(logs - top[:, None]).mean(axis=1)))


def shape_evidence(reference: Counts, counts: Counts) -> Logs:
    """ln E [W, S] against "one distribution over bins made both the reference [S, K] and the counts [W, S, K]".

    E = KT(reference) KT(counts) / max_p p^(reference + counts): the denominator is at least the true likelihood.
    """
    return _mixed(reference) + _mixed(counts) - _best(reference + counts)


def uniform_evidence(counts: Counts) -> Logs:
    """ln E [W, S] against "all bins of counts [W, S, K] are equally likely"."""
    return np.asarray(_mixed(counts) + counts.sum(axis=-1) * math.log(counts.shape[-1]))


def _mixed(counts: Counts) -> Logs:
    """ln of the Krichevsky-Trofimov probability of a sequence with these counts [..., K]."""
    bins = counts.shape[-1]
    parts = (_log_gamma(counts + 0.5) - math.lgamma(0.5)).sum(axis=-1)
    return np.asarray(parts - _log_gamma(counts.sum(axis=-1) + 0.5 * bins) + math.lgamma(0.5 * bins))


def _best(counts: Counts) -> Logs:
    """ln of the largest likelihood of counts [..., K]."""

    def x_log_x(n: Counts) -> Logs:
        return np.asarray(n * np.log(np.maximum(n, 1)))

    return np.asarray(x_log_x(counts).sum(axis=-1) - x_log_x(counts.sum(axis=-1)))


def _log_gamma(x: NDArray[np.floating]) -> Logs:
    """ln Gamma(x), x > 0: Stirling's series at x + 8, to 1e-12 of its size."""
    y = x + float(_SHIFT)
    series = (y - 0.5) * np.log(y) - y + 0.5 * math.log(2.0 * math.pi) + 1.0 / (12.0 * y)
    series += -1.0 / (360.0 * y**3) + 1.0 / (1260.0 * y**5) - 1.0 / (1680.0 * y**7)
    return np.asarray(series - sum(np.log(x + i) for i in range(_SHIFT)))


def highest_rate(monitor: Monitor, delta: float) -> float:
    """A rate that the true one of rows above the calibrated threshold exceeds with probability at most delta.

    p with n KL(m / n, p) = ln(1 / delta), m = n - rank: Chernoff's bound on the binomial, over calibrations of n rows.
    """
    count = monitor.count
    found = (count - rank(count, monitor.level)) / count
    low, high, goal = found, 1.0, math.log(1.0 / delta) / count
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _divergence(found, middle) < goal else (low, middle)
    return high


def _divergence(a: float, b: float) -> float:
    """KL(a, b) = a ln(a / b) + (1 - a) ln((1 - a) / (1 - b)), 0 <= a <= b < 1."""
    if b >= 1.0:
        return math.inf
    return (a * math.log(a / b) if a > 0.0 else 0.0) + (1.0 - a) * (math.log1p(-a) - math.log1p(-b))
