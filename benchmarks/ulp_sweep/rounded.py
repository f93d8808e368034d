"""Numbers with their rounding errors: what a kernel computes, operation by operation, over pieces of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
UNIT = 2.0**-53
GUARD = 1.0 + 1e-9  # above what this file's own arithmetic rounds


@dataclass(frozen=True)
class Value:
    """Without rounding somewhere in [low, high], as computed at most `error` away from there; one entry per piece."""

    low: Array
    high: Array
    error: Array | float = 0.0

    @property
    def size(self) -> Array:
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def least(self) -> Array:
        return np.where((self.low > 0) | (self.high < 0), np.minimum(np.abs(self.low), np.abs(self.high)), 0.0)

    def off(self, more: Array | float) -> Value:
        """The same with another error added."""
        return Value(self.low, self.high, self.error + more)

    def ulps(self, more: Array | float = 0.0) -> float:
        """The largest error, `more` included, in units of the last place of the smallest number of its piece."""
        place = 2.0 ** (np.floor(np.log2(self.least)) - 52)
        return float(np.max((self.error + more) / place)) * GUARD


def exactly(x: Array | float) -> Value:
    return Value(np.asarray(x, np.float64), np.asarray(x, np.float64))


def pieces(low: float, high: float, count: int) -> Value:
    """[low, high] in equal pieces."""
    edges = np.linspace(low, high, count + 1)
    return Value(edges[:-1], edges[1:])


def towards_0(high: float, count: int, smallest: float = 2.0**-30) -> Value:
    """(0, high] in pieces of equal ratio down to `smallest`; below, rounding errors shrink with the number itself."""
    edges = np.geomspace(smallest, abs(high), count + 1)
    return Value(edges[:-1], edges[1:]) if high > 0 else Value(-edges[1:], -edges[:-1])


def rounding(v: Value) -> Value:
    """One more rounding: half a unit of the last place of the largest number of a piece."""
    return v.off(2.0 ** np.floor(np.log2(np.maximum(v.size + v.error, 2.0**-1000))) * UNIT)


def _product(a: Value, b: Value) -> Value:
    corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high]
    error = a.size * b.error + b.size * a.error + a.error * b.error
    return Value(np.minimum.reduce(corners), np.maximum.reduce(corners), error)


def _sum(a: Value, b: Value) -> Value:
    return Value(a.low + b.low, a.high + b.high, a.error + b.error)


def times(a: Value, b: Value) -> Value:
    return rounding(_product(a, b))


def plus(a: Value, b: Value) -> Value:
    return rounding(_sum(a, b))


def fma(a: Value, b: Value, c: Value) -> Value:
    return rounding(_sum(_product(a, b), c))


def over(a: Value, b: Value) -> Value:
    """a / b where b keeps away from 0."""
    corners = [a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high]
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    error = (a.error + np.maximum(np.abs(low), np.abs(high)) * b.error) / (b.least - b.error)
    return rounding(Value(low, high, error))


def minus(a: Value) -> Value:
    return Value(-a.high, -a.low, a.error)


def scaled(a: Value, power: Array | float) -> Value:
    """Times a positive power of two."""
    return Value(a.low * power, a.high * power, a.error * power)


def horner(c: Sequence[float], x: Value) -> Value:
    """The chain of fma that a kernel evaluates a polynomial by, lowest coefficient first."""
    y = exactly(np.full_like(x.low, c[-1]))
    for k in c[-2::-1]:
        y = fma(y, x, exactly(k))
    return y
