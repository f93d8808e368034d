"""Sensors to Fourier coefficients, and the canonical frame in which an input's leading mode has no phase."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike, NDArray

from .spectral import finite, fourier, inverse

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Array = TypeVar("Array", NDArray[np.float64], "Tensor")
LEAST, OF_MEAN = 1e-3, 1e-2
"""An input is not rotated where |mode 1| is LEAST of all its modes at most, of which the mean counts OF_MEAN."""


@final
@dataclass(frozen=True, eq=False)
class Encoding:
    """coefficients [N, 2m+1] = sensors [N, S] @ analysis [S, 2m+1], least squares; layout [mean, cos 1..m, sin 1..m].

    modes: m, at most (S - 1) // 2, so that no Nyquist mode is asked for. InputError where the sensors cannot tell
    the modes apart.
    """

    sensor_x: Floats
    period: float
    modes: int

    def __post_init__(self) -> None:
        x = finite(self.sensor_x, "sensor_x").copy()
        x.setflags(write=False)
        object.__setattr__(self, "sensor_x", x)
        if not 1 <= self.modes <= (len(x) - 1) // 2:
            raise InputError(f"modes: expected 1 to {(len(x) - 1) // 2} for {len(x)} sensors, got {self.modes}")
        _ = self.analysis

    @cached_property
    def analysis(self) -> Floats:
        """[S, 2m+1]."""
        return inverse(fourier(self.sensor_x, self.period, self.modes).T, "sensor_x", 2 * self.modes + 1).T

    @property
    def width(self) -> int:
        """2 m + 1."""
        return 2 * self.modes + 1

    def coefficients(self, sensors: ArrayLike) -> Floats:
        """[N, S] to [N, 2m+1]; InputError for another number of sensors."""
        return np.asarray(self.checked(sensors) @ self.analysis)

    def checked(self, sensors: ArrayLike) -> Floats:
        """Finite float64 [N, S], or InputError saying what came."""
        values = np.asarray(sensors, np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.sensor_x):
            raise InputError(f"sensors: expected [N, {len(self.sensor_x)}], got {list(values.shape)}")
        if not np.isfinite(values).all():
            raise InputError(f"sensors{np.argwhere(~np.isfinite(values))[0].tolist()}: expected finite numbers")
        return values


@final
@dataclass(frozen=True)
class Frame(Generic[Array]):
    """cos [N, m] and sin [N, m] of k phi, k = 1 .. m: the shift x -> x + phi period / 2 pi of every input."""

    cos: Array
    sin: Array


def frame(coefficients: Array, modes: int, turned: Any = 1.0) -> Frame[Array]:
    """The shift that leaves mode 1 a cosine with a positive factor; none where that mode is too small.

    coefficients [N, 2m+1] of inputs; modes: how many powers of the phase are wanted; turned: 1, or 0 for no shift at
    all. With z = a_1 + i b_1, e = z / |z| where |z|^2 > LEAST^2 (OF_MEAN^2 mean^2 + all modes^2), else 1,
      cos k phi + i sin k phi = e^k, by doubling: e^(j + k) = e^j e^k.
    """
    xp = _namespace(coefficients)
    c: Any = coefficients
    m = c.shape[-1] // 2
    a, b, mean, rest = c[:, 1:2], c[:, m + 1 : m + 2], OF_MEAN * c[:, :1], c[:, 1:]
    own = a * a + b * b
    clear = own > LEAST**2 * (mean * mean + (rest * rest).sum(-1, keepdims=True))
    size = xp.sqrt(xp.where(clear, own, 1.0))
    cos, sin = xp.where(clear, a / size, 1.0), xp.where(clear, b / size, 0.0)
    cos, sin = cos * turned + (1.0 - turned), sin * turned
    while cos.shape[-1] < modes:
        few = slice(0, modes - cos.shape[-1])
        last, turn = cos[:, -1:], sin[:, -1:]
        more = cos[:, few] * last - sin[:, few] * turn, cos[:, few] * turn + sin[:, few] * last
        cos, sin = xp.concatenate([cos, more[0]], -1), xp.concatenate([sin, more[1]], -1)
    return Frame(cos[:, :modes], sin[:, :modes])


def rotate(coefficients: Array, turn: Frame[Array], back: bool = False) -> Array:
    """Coefficients [N, .., 2m+1] of the shifted field; back: of the field that is shifted back."""
    xp = _namespace(coefficients)
    c: Any = coefficients
    m = c.shape[-1] // 2
    shape = (-1, *(1,) * (c.ndim - 2), m)
    cos, sin = turn.cos[:, :m].reshape(shape), turn.sin[:, :m].reshape(shape)
    a, b = c[..., 1 : m + 1], c[..., m + 1 :]
    p, q = (a * cos - b * sin, b * cos + a * sin) if back else (a * cos + b * sin, b * cos - a * sin)
    made: Array = xp.concatenate([c[..., :1], p, q], -1)
    return made


def canonical(coefficients: Array) -> Array:
    """Coefficients [N, 2m+1] in their own frame."""
    return rotate(coefficients, frame(coefficients, coefficients.shape[-1] // 2))


def _namespace(values: Any) -> Any:
    """numpy or torch, whichever made the values."""
    if isinstance(values, np.ndarray):
        return np
    import torch

    return torch
