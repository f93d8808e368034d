"""Inputs of a bundle as places of a unit cube: numbers of the graph's dtype, in the box or the family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .certificate import Certificate
from .errors import BundleError
from .family import Family
from .manifest import InputSpec
from .subbox import SubBox, place

Array = NDArray[np.float64]
WIDE, WIDEST = 10.0, 1e12


@dataclass(frozen=True)
class InputSpace:
    """All columns of the inputs, low and high [d]; inside: numbers must not be rounded past low and high."""

    specs: tuple[InputSpec, ...]
    low: Array
    high: Array
    inside: bool = False
    family: Family | None = None

    @classmethod
    def of(cls, specs: tuple[InputSpec, ...], certificate: Certificate, part: SubBox | None = None) -> InputSpace:
        """The inputs a certificate speaks of, or those of a part of its box."""
        low = np.array([c.low for s in specs for c in s.columns])
        high = np.array([c.high for s in specs for c in s.columns])
        for i, ends in (place(part, certificate.box, "box", BundleError) if part else {}).items():
            low[i], high[i] = ends
        return cls(specs, low, high, part is not None, certificate.family)

    @property
    def dimension(self) -> int:
        """D: one per column; of a family one per mode and per column."""
        return len(self.low) + (0 if self.family is None else len(self.family.modes))

    def inputs(self, places: Array) -> tuple[dict[str, NDArray[np.floating]], NDArray[np.bool_]]:
        """Arrays by input [n, columns] for places [n, D] of the unit cube, and which rows are what is searched."""
        points = self._points(places) if self.family is None else self._members(self.family, places)
        arrays: dict[str, NDArray[np.floating]] = {}
        begin = 0
        for spec in self.specs:
            columns = slice(begin, begin + len(spec.columns))
            begin = columns.stop
            arrays[spec.name] = self._rounded(points[:, columns], spec, columns)
        wide = np.concatenate([array.astype(np.float64) for array in arrays.values()], axis=1)
        valid = np.ones(len(places), dtype=bool)
        if self.inside or self.family is not None:
            valid &= ((wide >= self.low) & (wide <= self.high)).all(axis=1)
        if self.family is not None:
            valid &= self.family.holds(wide, _amounts(self.family, places))
        return arrays, valid

    def places(self, points: Sequence[Sequence[float]]) -> Array:
        """Places [k, D] that `inputs` brings near points [k, d] of the box or part of it; none for a family."""
        if self.family is not None:
            return np.zeros((0, self.dimension))
        held = np.clip(np.asarray(points, np.float64).reshape(len(points), len(self.low)), self.low, self.high)
        base, top = self._spread()
        linear = (held - self.low) / (self.high - self.low)
        factors = np.where(top > base, held, 1.0) / base
        return np.where(top > base, np.log(factors) / np.log(np.maximum(top / base, 2.0)), linear)

    def _spread(self) -> tuple[Array, Array]:
        """Ends of the columns that span a factor from WIDE to WIDEST and are searched by factors; 1, 1 for others."""
        wide = (self.low > 0.0) & (self.high > WIDE * self.low) & (self.high < WIDEST * self.low)
        return np.where(wide, self.low, 1.0), np.where(wide, self.high, 1.0)

    def _points(self, places: Array) -> Array:
        base, top = self._spread()
        points = np.where(top > base, base * (top / base) ** places, self.low + places * (self.high - self.low))
        return np.clip(np.where(places < 1.0, points, self.high), self.low, self.high)

    def _members(self, family: Family, places: Array) -> Array:
        """Members of the family, off its edge by what rounding to the graph's dtype may move them."""
        unit = np.concatenate([np.full(len(s.columns), np.finfo(s.dtype).eps) for s in self.specs])
        radius = np.asarray(family.radius)
        reach = np.maximum(np.abs(family.low), np.abs(family.high)) @ np.abs(family.modes)
        size = np.abs(family.mean) + radius + reach
        lost = (unit + 2.0 * (len(family.modes) + 4) * np.finfo(np.float64).eps) * size
        share = np.clip(1.0 - lost / np.maximum(radius, 1e-300), 0.0, 1.0)
        return family.points(_amounts(family, places), share * (2.0 * places[:, len(family.modes) :] - 1.0))

    def _rounded(self, points: Array, spec: InputSpec, columns: slice) -> NDArray[np.floating]:
        array = np.ascontiguousarray(points, dtype=spec.dtype)
        if not self.inside:
            return array
        above, below = array > self.high[columns], array < self.low[columns]
        array = np.where(above, np.nextafter(array, array.dtype.type(-np.inf)), array)
        return np.ascontiguousarray(np.where(below, np.nextafter(array, array.dtype.type(np.inf)), array))


def _amounts(family: Family, places: Array) -> Array:
    low, high = np.asarray(family.low), np.asarray(family.high)
    return np.asarray(low + places[:, : len(low)] * (high - low))
