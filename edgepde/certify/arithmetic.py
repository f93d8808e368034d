"""How a device computes, and what was proved of its roundings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np
import torch
from edgepde_runtime.ops.rounding import Rounding
from numpy.typing import NDArray
from torch import Tensor

from . import network as nw
from .rules import function

CHUNK = 16
UNPROVED_ULPS = 4.0
MARGIN, LARGEST = 1.1, 1e300
_ROOMS = {"gelu_tanh": "gelu"}
Array = NDArray[np.float64]
Order = Literal["c99", "any"]


@dataclass(frozen=True)
class Arithmetic:
    """How the device computes: its dtype, its order of summation, and units in the last place of its functions.

    order: "c99" sums chunks of 16 and then their sums; "any" is every order. ulps: by function, in float32 or float64.
    """

    dtype: Literal["float32", "float64"] = "float32"
    order: Order = "c99"
    ulps: Mapping[str, float] | None = None

    @property
    def unit(self) -> float:
        """Unit roundoff u."""
        return float(np.finfo(self.dtype).eps) / 2.0

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return float(np.finfo(self.dtype).tiny)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return float(np.finfo(self.dtype).max)

    def gamma(self, terms: int) -> float:
        """The factor of a sum of `terms` products and a bias."""
        n = min(terms, CHUNK) + math.ceil(terms / CHUNK) if self.order == "c99" else terms + 1
        return self.rounded(n)

    def rounded(self, n: int) -> float:
        """n u / (1 - n u)."""
        return n * self.unit / (1.0 - n * self.unit) if n * self.unit < 1.0 else math.inf

    def held(self, made: Tensor, total: Tensor, times: int = 1) -> Tensor:
        """`made`, infinite where a partial sum may overflow: at most total, or `times` as much before a division."""
        return torch.where(times * total < 0.99 * self.largest, made, torch.inf)

    def miss(self, node: nw.Pointwise, size: Tensor) -> Tensor:
        """|e| of a pointwise function of exact values up to `size`."""
        given = None if self.ulps is None else self.ulps.get(node.function)
        own = given if given is not None else _declared(node.function, self.dtype)
        if own is None:
            return own_ulps(node.function, self.dtype, node.exponent) * 2.0 * self.unit * size
        phi = function(node.function, node.exponent)
        if not phi.attained:
            size = size.clamp(max=phi.bound * (1.0 - 2.0**-53))
        return own * 2.0 * self.unit * power_of_two(size)


@dataclass(frozen=True)
class RoundingBound:
    """rounding + activation [m] >= sup |computed - real| per output; boxes, seconds: what it took.

    activation: what functions have of it. at_points [2, m]: both at single points, below which no splitting gets far.
    """

    rounding: Array
    activation: Array
    at_points: Array
    boxes: int
    seconds: float


def own_ulps(name: str, dtype: str, exponent: int = 0) -> float:
    """The relative error of our own kernel in 2 u, from what its op declares; UNPROVED_ULPS where that is nothing."""
    if name == "power":
        return 0.505 * (exponent - 1)
    if name == "silu":
        return own_ulps("sigmoid", dtype) + 0.51
    own, declared = _declared(name, dtype), _room(name)
    if own is not None:
        return own
    if declared.ulps is None:
        return UNPROVED_ULPS
    return 0.5 if declared.roundings == 1 else 0.505 * float(declared.roundings)


def _declared(name: str, dtype: str) -> float | None:
    """The units in the last place of the exact value that the op of that name declares."""
    if name in ("power", "silu"):
        return None
    own = _room(name).own_ulps
    return None if own is None else float(own[0 if dtype == "float32" else 1])


def _room(name: str) -> Rounding:
    made: Rounding = import_module(f"edgepde_runtime.ops.{_ROOMS.get(name, name)}.bound").ROUNDING
    return made


def power_of_two(x: Tensor) -> Tensor:
    """The largest power of two <= x, for x >= 0; 0 below the normal numbers of float64."""
    return (x.view(torch.int64) & 0x7FF0000000000000).view(torch.float64)


def goal(least: Tensor, outputs: int) -> Tensor:
    """MARGIN times the worst of single points, for the whole; what functions have of it does not ask for more boxes."""
    wanted = (MARGIN * least).clamp(min=1e-300)
    wanted[outputs:] = LARGEST
    return wanted


def parted(bounds: Tensor) -> Array:
    """(rounding, activation) [2, m] that add up to the whole, rounded up; bounds [2 m]: the whole, then activation."""
    whole, functions = bounds.reshape(2, -1).cpu().numpy()
    functions = np.minimum(functions, whole)
    with np.errstate(invalid="ignore"):
        rest = np.where(np.isfinite(whole), np.nextafter(whole - functions, np.inf) * (1.0 + 2.0**-51), whole)
    return np.stack([rest, functions])
