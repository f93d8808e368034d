"""The box of inputs a model is made and certified for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError


@dataclass(frozen=True)
class Box:
    """An axis-parallel box: { x : low[i] <= x[i] <= high[i] }.

    low, high [d]: bounds, finite, low < high. names [d], units [d]: default x0, x1, ... and "".
    Raises InputError where the lengths disagree, a bound is not finite or inverted, or a text has control characters.
    """

    low: Sequence[float]
    high: Sequence[float]
    names: Sequence[str] = field(default=())
    units: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        low = tuple(float(v) for v in self.low)
        high = tuple(float(v) for v in self.high)
        names = tuple(self.names) or tuple(f"x{i}" for i in range(len(low)))
        units = tuple(self.units) or ("",) * len(low)
        for label, values in (("high", high), ("names", names), ("units", units)):
            if len(values) != len(low):
                raise InputError(f"box: {label} expected {len(low)} entries as in low, got {len(values)}")
        if not low:
            raise InputError("box: expected at least one column, got none")
        if len(set(names)) != len(names):
            raise InputError(f"box: names expected to be distinct, got {list(names)}")
        for label, texts in (("names", names), ("units", units)):
            for text in texts:
                if not isinstance(text, str) or not text.isprintable():
                    raise InputError(f"box: {label} expected texts of printable characters, got {text!a}")
        for name, a, b in zip(names, low, high, strict=True):
            if not (np.isfinite(a) and np.isfinite(b)):
                raise InputError(f"box: column {name} expected finite bounds, got [{a}, {b}]")
            if not a < b:
                raise InputError(f"box: column {name} expected low < high, got [{a}, {b}]")
        for label, value in (("low", low), ("high", high), ("names", names), ("units", units)):
            object.__setattr__(self, label, value)

    @property
    def dimension(self) -> int:
        """Number of columns d."""
        return len(self.low)

    def contains(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Whether each row of x [n, d] lies in the box, in x's own dtype; NaN lies outside. Returns [n]."""
        return np.asarray(self._inside(np.asarray(x)).all(axis=1))

    def first_outside(self, x: ArrayLike) -> tuple[int, int, int] | None:
        """First row of x [n, d] outside, its first column there, and how many rows are outside; None where none is."""
        inside = self._inside(np.asarray(x))
        rows = np.flatnonzero(~inside.all(axis=1))
        if not rows.size:
            return None
        return int(rows[0]), int(np.argmin(inside[rows[0]])), rows.size

    def _inside(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise InputError(f"box: expected rows of {self.dimension} columns, got shape {rows.shape}")
        return np.asarray((rows >= np.asarray(self.low)) & (rows <= np.asarray(self.high)))

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """n rows drawn uniformly from the box, float64 [n, d]."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        return np.asarray(low + (high - low) * rng.random((n, self.dimension)))
