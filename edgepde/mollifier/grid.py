"""Where a field is sampled: named axes, uniform or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike, NDArray

UNIFORM = 1e-6
"""Largest deviation from the mean spacing, relative to it, of an axis that is called uniform."""
MOST_AXES = 3
FARTHEST, NEAREST = 1e30, 1e-30
"""Lengths and gaps of axes, beyond which powers of them would be no numbers."""


@final
@dataclass(frozen=True, eq=False)
class Axis:
    """Samples along one coordinate: values float64 [N], strictly increasing, in `unit`.

    InputError naming the axis and the place for values that are not finite or do not increase.
    """

    name: str
    values: NDArray[np.float64]
    unit: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or len(self.name) != 1 or not self.name.isalpha():
            raise InputError(f"axis {self.name!r}: name: expected one letter")
        values = reals(self.values, f"axis {self.name}: values").copy()
        if values.ndim != 1 or not values.size:
            raise InputError(f"axis {self.name}: values: expected [N], N > 0, got shape {list(values.shape)}")
        with np.errstate(over="ignore"):
            falls = np.diff(values, prepend=-np.inf) <= 0
        for wrong, what in ((~np.isfinite(values), "finite"), (falls, "increasing")):
            if wrong.any():
                at = int(np.argmax(wrong))
                raise InputError(f"axis {self.name}: values[{at}]: expected {what} values, got {values[at]}")
        if values[-1] / 2 - values[0] / 2 > FARTHEST / 2 or np.diff(values).min(initial=np.inf) < NEAREST:
            raise InputError(
                f"axis {self.name}: values: expected gaps from {NEAREST:g} and a length up to {FARTHEST:g}"
            )
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @property
    def size(self) -> int:
        """N."""
        return len(self.values)

    @property
    def length(self) -> float:
        """Last minus first value."""
        return float(self.values[-1] - self.values[0])

    @cached_property
    def uniform(self) -> bool:
        """Whether all spacings equal their mean up to `UNIFORM`, and all values the evenly spaced ones as well."""
        if self.size < 2:
            return False
        even = np.linspace(self.values[0], self.values[-1], self.size)
        mean = self.length / (self.size - 1)
        apart = max(np.abs(self.values - even).max(), np.abs(np.diff(self.values) - mean).max())
        return bool(apart <= UNIFORM * mean)

    @property
    def spacing(self) -> float:
        """The distance of neighbours; InputError naming the worst place where the axis is not uniform."""
        if self.size < 2:
            raise InputError(f"axis {self.name}: spacing: expected 2 values or more, got {self.size}")
        mean = self.length / (self.size - 1)
        if not self.uniform:
            gaps = np.diff(self.values)
            at = int(np.argmax(np.abs(gaps - mean)))
            raise InputError(
                f"axis {self.name}: expected even spacing (within {UNIFORM:g}), "
                f"got {gaps[at]:.6g} after values[{at}], {mean:.6g} in the mean"
            )
        return mean


@final
@dataclass(frozen=True, eq=False)
class Grid:
    """A tensor grid of 1 to 3 axes, slowest first; fields on it are [..., n_1..n_d]. InputError for an axis twice."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        axes = tuple(self.axes)
        object.__setattr__(self, "axes", axes)
        if odd := [one for one in axes if not isinstance(one, Axis)]:
            raise InputError(f"grid: axes: expected Axis, got {type(odd[0]).__name__}")
        if not 1 <= len(axes) <= MOST_AXES:
            raise InputError(f"grid: axes: expected 1 to {MOST_AXES}, got {len(axes)}")
        for name in self.letters:
            if self.letters.count(name) > 1:
                raise InputError(f"grid: axes: expected different names, got {name} twice")

    @staticmethod
    def of(units: dict[str, str] | None = None, **values: ArrayLike) -> Grid:
        """Axes by name, slowest first: Grid.of(t=[..], y=[..], x=[..])."""
        known = units or {}
        return Grid(tuple(Axis(n, reals(v, f"axis {n}: values"), known.get(n, "")) for n, v in values.items()))

    @property
    def letters(self) -> str:
        """The names of the axes, slowest first."""
        return "".join(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def points(self) -> int:
        """Samples in all."""
        return math.prod(self.shape)

    def axis(self, name: str) -> Axis:
        """The axis of a name; InputError where there is none."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise InputError(f"grid: expected an axis of {', '.join(self.letters)}, got {name!r}")

    def mesh(self) -> dict[str, NDArray[np.float64]]:
        """Coordinates of all samples by name, each [n_1..n_d]."""
        places = np.meshgrid(*(axis.values for axis in self.axes), indexing="ij")
        return dict(zip(self.letters, places, strict=True))

    def fits(self, values: ArrayLike) -> NDArray[np.float64]:
        """A field as float64 [..., n_1..n_d], masked values as NaN.

        InputError where its shape is another, or a value is infinite or no real number.
        """
        field = reals(values, "field")
        d = len(self.axes)
        if field.ndim < d or field.shape[field.ndim - d :] != self.shape:
            raise InputError(f"field: expected shape [..., {str(list(self.shape))[1:-1]}], got {list(field.shape)}")
        if np.isinf(field).any():
            at = tuple(int(i) for i in np.argwhere(np.isinf(field))[0])
            raise InputError(f"field{list(at)}: expected finite values or NaN for readings that are missing, got inf")
        return field


def reals(values: ArrayLike, where: str) -> NDArray[np.float64]:
    """Real numbers as float64, masked ones as NaN; InputError naming `where` for text, complex numbers or objects."""
    try:
        found = np.asanyarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{where}: expected an array of real numbers: {error}") from None
    if found.dtype.kind not in "iuf":
        raise InputError(f"{where}: expected real numbers, got {found.dtype}")
    wide = found.astype(np.float64)
    return np.asarray(wide.filled(np.nan) if isinstance(wide, np.ma.MaskedArray) else wide, np.float64)
