"""What u(0, .) of an operator is, by its input: found in the cases, not told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from edgepde.problems.fourier import on_grid, spectrum

from .. import linear_part
from ..encoding import Encoding
from .kernels import Floats

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData

Complex = NDArray[np.complex128]
SAME = 1e-4
"""Relative difference of u(0, .) from what is said of it."""
FINE = 512


@dataclass(frozen=True, eq=False)
class Start(ABC):
    """u(0, .) by the sensors."""

    encoding: Encoding

    @abstractmethod
    def spectra(self, sensors: Floats, modes: int) -> Complex:
        """Half spectra [N, m+1] of u(0, .)."""

    def _given(self, sensors: Floats, modes: int) -> Complex:
        found = linear_part.modes(self.encoding.coefficients(sensors))
        found[:, 1:] *= 0.5
        return np.pad(found, ((0, 0), (0, max(0, modes + 1 - found.shape[1]))))[:, : modes + 1]


@final
@dataclass(frozen=True, eq=False)
class Same(Start):
    """u(0, .) = s."""

    def spectra(self, sensors: Floats, modes: int) -> Complex:
        """Of the input."""
        return self._given(sensors, modes)


@final
@dataclass(frozen=True, eq=False)
class Swung(Start):
    """u(0, .) = middle + swing s / max |s|."""

    middle: float
    swing: float

    def spectra(self, sensors: Floats, modes: int) -> Complex:
        """Of the scaled input."""
        found = self.swing * _swung(self._given(sensors, modes))
        found[:, 0] += self.middle
        return found


def find(data: OperatorData, encoding: Encoding) -> Start | None:
    """What u(0, .) is; None where the fields do not begin at t = 0 or it is neither of both."""
    if data.times[0] != 0.0:
        return None
    modes = min((len(data.x) - 1) // 2, (FINE - 1) // 2)
    space = np.exp(2j * np.pi / data.period * np.outer(np.arange(modes + 1), data.x))
    wanted = np.asarray(data.field[:, 0], np.float64)

    def on_x(spectra: Complex) -> Floats:
        return np.asarray(2.0 * (spectra @ space).real - spectra[:, :1].real)

    scaled = on_x(_swung(Same(encoding).spectra(data.sensors, modes)))
    middle, swing = np.linalg.lstsq(np.stack([np.ones(scaled.size), scaled.ravel()], 1), wanted.ravel(), rcond=None)[0]
    for start in (Same(encoding), Swung(encoding, float(middle), float(swing))):
        wrong = on_x(start.spectra(data.sensors, modes)) - wanted
        if np.linalg.norm(wrong) <= SAME * np.linalg.norm(wanted):
            return start
    return None


def _swung(given: Complex) -> Complex:
    values = on_grid(given, FINE)
    scaled = values / np.maximum(np.abs(values).max(1, keepdims=True), 1e-300)
    return np.asarray(spectrum(scaled)[:, : given.shape[1]], np.complex128)
