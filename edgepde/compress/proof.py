"""Whether a smaller network keeps an error: what compression and the device's rounding change, proved over the box."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError

from edgepde.certify.engine import bound_difference
from edgepde.certify.network import Network
from edgepde.certify.prove import widened
from edgepde.certify.rounding import Arithmetic, bound_rounding

ROUNDING_SECONDS = 5.0
Tell = Callable[[float, int], None]


@dataclass(frozen=True)
class Proof:
    """compression + device >= sup |f - what the device computes| over the box, the largest output's; class `kind`.

    found: the largest |f - h| that a search met. seconds: what the proof took.
    """

    compression: float
    device: float
    found: float
    kind: str
    seconds: float

    @property
    def total(self) -> float:
        """The bound of the terms after `model`."""
        return self.compression + self.device


@dataclass(frozen=True)
class Judge:
    """Proves smaller forms h of f over a box in the arithmetic of dtype, within max_error."""

    f: Network
    box: Box
    dtype: torch.dtype
    max_error: float

    @property
    def name(self) -> str:
        """The dtype as numpy spells it."""
        return str(self.dtype).removeprefix("torch.")

    def rounded(self, h: Network) -> Network:
        """h with the weights that the device holds."""
        from edgepde.network.module import NetworkModule

        return NetworkModule(h, None, self.dtype).network()

    def device(self, h: Network) -> float:
        """The bound on rounding and activation of the C99 code; infinite where it has none."""
        made = bound_rounding(
            h, self.box, Arithmetic("float64" if self.name == "float64" else "float32"), seconds=ROUNDING_SECONDS
        )
        return float((made.rounding + made.activation).max())

    def prove(self, h: Network, seconds: float, tell: Tell | None = None, device: float | None = None) -> Proof:
        """The bound of h, whose weights the device can hold; as tight as max_error asks, or as the time allows."""
        began = time.monotonic()
        device = self.device(h) if device is None else device
        left = self.max_error - device
        target = left if math.isfinite(left) and left > 0.0 else None
        made = bound_difference(
            self.f, h, self.box, target=target, seconds=max(0.5, seconds - (time.monotonic() - began)), progress=tell
        )
        return Proof(float(made.value.max()), device, float(made.found.max()), "sound", time.monotonic() - began)


def judge(f: Network, box: Box, dtype: torch.dtype, max_error: float) -> Judge:
    """The judge over the box the device accepts; raises InputError where the box does not fit f."""
    if f.dimension != box.dimension:
        raise InputError(f"domain: expected {f.dimension} columns as the module takes, got {box.dimension}")
    return Judge(f, widened(box, str(dtype).removeprefix("torch.")), dtype, max_error)
