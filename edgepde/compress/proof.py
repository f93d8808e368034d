"""Whether a smaller network keeps an error: what compression and the device's rounding change, proved over the box."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from torch import Tensor

from edgepde.certify.attack import attack
from edgepde.certify.engine import bound_difference
from edgepde.certify.network import Network
from edgepde.certify.prove import widened
from edgepde.certify.rounding import Arithmetic, bound_rounding
from edgepde.compress.allowance import Allowance
from edgepde.compress.area import Area
from edgepde.compress.derived import Measured, measure

ROUNDING_SECONDS = 60.0
LEAST_SECONDS = 0.5
Tell = Callable[[float, int], None]


@dataclass(frozen=True)
class Part:
    """In one area: compression + device >= sup |f - what the device computes|, of the largest output.

    found: the largest |f - h| that a search met.
    """

    area: Area
    compression: float
    device: float
    found: float

    @property
    def total(self) -> float:
        """The bound of the terms after `model`."""
        return self.compression + self.device

    @property
    def share(self) -> float:
        """The bound in units of what is allowed."""
        return self.total / self.area.limit


@dataclass(frozen=True)
class Proof:
    """What was proved in every area, the whole box first, and measured of derivatives; seconds: what it took."""

    parts: tuple[Part, ...]
    seconds: float
    measured: tuple[Measured, ...] = ()

    @property
    def share(self) -> float:
        """The worst bound or measurement in units of what is allowed; at most 1 where the error is kept."""
        return max([*(part.share for part in self.parts), *(one.share for one in self.measured)])

    @property
    def holds(self) -> bool:
        """Whether the error is kept everywhere."""
        return self.share <= 1.0


@dataclass(frozen=True)
class Judge:
    """Proves smaller forms h of f in the arithmetic of dtype, within an allowance."""

    f: Network
    allowed: Allowance
    dtype: torch.dtype

    @property
    def box(self) -> Box:
        """The whole box."""
        return self.allowed.whole.box

    @property
    def each(self) -> int:
        """Bytes of a number of the device."""
        return torch.finfo(self.dtype).bits // 8

    def rounded(self, h: Network) -> Network:
        """h with the weights that the device holds."""
        from edgepde.network.module import NetworkModule

        return NetworkModule(h, None, self.dtype).network()

    def device(self, h: Network, seconds: float = ROUNDING_SECONDS) -> float:
        """The bound on rounding and activation of the C99 code; infinite where it has none."""
        how = Arithmetic("float64" if self.dtype == torch.float64 else "float32")
        made = bound_rounding(h, self.box, how, seconds=seconds)
        return float((made.rounding + made.activation).max())

    def found(self, h: Network, seed: int = 0) -> tuple[float, Tensor]:
        """The largest share of what is allowed that a search finds |f - h| to be, and the points [n, d] it found."""
        shares, points = [], []
        for area in self.allowed.areas:
            worst = attack(lambda x: self.difference(h, x), *area.ends, seed=seed)
            shares.append(float(worst.value.max()) / area.limit)
            points.append(worst.points)
        return max(shares), torch.cat(points)

    def difference(self, h: Network, x: Tensor) -> Tensor:
        """f - h [N, m] at points."""
        return self.f(x) - h(x)

    def measured(self, h: Network, seed: int = 0) -> tuple[Measured, ...]:
        """The worst errors that are found of the derivatives that have a limit."""
        return measure(self.f, h, self.allowed.derived, seed)

    def prove(self, h: Network, seconds: float, device: float, tell: Tell | None = None) -> Proof:
        """The bounds of h, whose weights the device can hold; as tight as is asked, or as the time allows."""
        began, parts = time.monotonic(), []
        for number, area in enumerate(self.allowed.areas):
            share = (seconds - (time.monotonic() - began)) / (len(self.allowed.areas) - number)
            left = area.limit - device
            made = bound_difference(
                self.f,
                h,
                area.box,
                target=left if math.isfinite(left) and left > 0.0 else None,
                seconds=max(LEAST_SECONDS, share),
                progress=tell,
            )
            parts.append(Part(area, float(made.value.max()), device, float(made.found.max())))
        return Proof(tuple(parts), time.monotonic() - began)


def judge(f: Network, allowed: Allowance, dtype: torch.dtype) -> Judge:
    """The judge over the boxes the device accepts; raises InputError where the box does not fit f."""
    if f.dimension != allowed.whole.box.dimension:
        raise InputError(
            f"domain: expected {f.dimension} columns as the module takes, got {allowed.whole.box.dimension}"
        )
    name = str(dtype).removeprefix("torch.")
    return Judge(f, allowed.over(lambda box: widened(box, name)), dtype)
