"""A device as bad as its promise: every rounding half a unit in the last place, every function as far off as declared.

The signs are those that move one output furthest. The rounding bounds must hold against it, and are nearly attained.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from support import longer

from edgepde.certify import network as nw
from edgepde.certify import rules

Long = NDArray[np.longdouble]
CHUNK = 16
LESS = 1.0 - 1e-9


def computed(
    net: nw.Network, x: NDArray[np.float64], output: int, unit: float, ulps: Mapping[str, float], sums: float = 1.0
) -> Long:
    """The outputs [N, m] of a chain of affine maps and functions; ulps by function, sums: of half a unit."""
    signs = _signs(net, x, output)
    h: Long = x.astype(np.longdouble)
    for place, node in enumerate(net.nodes[1:], 1):
        if isinstance(node, nw.Affine):
            h = _summed(node, h, signs[place], sums * unit)
        else:
            assert isinstance(node, nw.Pointwise)
            exact = longer.function(node.function, h, node.exponent)
            phi = rules.function(node.function, node.exponent)
            size = exact if phi.attained else np.clip(exact, -1.0 + 2.0**-53, 1.0 - 2.0**-53)
            h = exact + signs[place] * LESS * ulps.get(node.function, 0.0) * 2.0 * unit * _power(size)
    return h


def _summed(node: nw.Affine, h: Long, sign: NDArray[np.float64], unit: float) -> Long:
    weight, bias = node.weight.numpy(), node.bias.numpy()
    total: Long = np.broadcast_to(bias.astype(np.longdouble), (len(h), len(bias))).copy()
    for first in range(0, weight.shape[1], CHUNK):
        chain = np.zeros_like(total)
        for k in range(first, min(first + CHUNK, weight.shape[1])):
            exact = chain + h[:, k, None] * weight[:, k]
            chain = np.where(weight[:, k] != 0.0, exact + sign * LESS * unit * _power(exact), exact)
        total = total + chain
        total = total + sign * LESS * unit * _power(total)
    return total


def _power(x: Long) -> NDArray[np.float64]:
    """The power of two below |x|."""
    size = np.abs(x).astype(np.float64)
    return np.where(size > 0.0, 2.0 ** np.floor(np.log2(np.maximum(size, 1e-300)) * (1.0 - 1e-15)), 0.0)


def _signs(net: nw.Network, x: NDArray[np.float64], output: int) -> list[NDArray[np.float64]]:
    """By node, the sign of the slope of the output."""
    values: list[torch.Tensor] = [torch.from_numpy(x).requires_grad_(True)]
    for node in net.nodes[1:]:
        values.append(nw.value_of(node, [values[s] for s in node.sources]))
    made = torch.autograd.grad(values[-1][:, output].sum(), values, allow_unused=True)
    return [np.sign(np.zeros(v.shape) if g is None else g.numpy()) for v, g in zip(values, made, strict=True)]
