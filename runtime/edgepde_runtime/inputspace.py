"""Inputs of a bundle as places of a unit cube: numbers of the graph's dtype, in the box or the family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .certificate import Certificate
from .errors import BundleError
from .family import Family
from .manifest import InputSpec
from .subbox import SubBox, place

Array = NDArray[np.float64]
WIDE = 10.0


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
        points = self._points(places)
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
            valid &= self.family.contains(wide)
        return arrays, valid

    def _points(self, places: Array) -> Array:
        if self.family is not None:
            return self._members(self.family, places)
        spread = self.high > WIDE * np.where(self.low > 0.0, self.low, np.inf)
        base, top = np.where(spread, self.low, 1.0), np.where(spread, self.high, 1.0)
        points = np.where(spread, base * (top / base) ** places, self.low + places * (self.high - self.low))
        return np.clip(points, self.low, self.high)

    def _members(self, family: Family, places: Array) -> Array:
        """Members of the family, off its edge by what rounding to the graph's dtype may move them."""
        modes = len(family.modes)
        low, high = np.asarray(family.low), np.asarray(family.high)
        amounts = low + places[:, :modes] * (high - low)
        unit = np.concatenate([np.full(len(s.columns), np.finfo(s.dtype).eps) for s in self.specs])
        radius = np.asarray(family.radius)
        size = np.maximum(*map(np.abs, family.hull()))
        share = np.clip(1.0 - unit * size / np.maximum(radius, 1e-300), 0.0, 1.0)
        return family.points(amounts, share * (2.0 * places[:, modes:] - 1.0))

    def _rounded(self, points: Array, spec: InputSpec, columns: slice) -> NDArray[np.floating]:
        array = np.ascontiguousarray(points, dtype=spec.dtype)
        if not self.inside:
            return array
        above, below = array > self.high[columns], array < self.low[columns]
        array = np.where(above, np.nextafter(array, array.dtype.type(-np.inf)), array)
        return np.ascontiguousarray(np.where(below, np.nextafter(array, array.dtype.type(np.inf)), array))
