"""Every squared term of a PINN's loss as a row, with its slopes by the weights as products that are never formed.

Of each layer a row keeps what goes in, A [T, n], and the slope of the row by what comes out, D [T, m], once for every
channel that is carried (value, along v = (u, 1), along x, second along x), so that the row's slope by the layer's
matrix is the sum over channels of D_i A_i^T. Then

    (J J^T)_ij = sum over layers and pairs of channels of (A_i . A_j) (D_i . D_j)

costs products of Gram matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Pairs = list[tuple[Tensor, Tensor]]
Into = tuple[Tensor, Tensor, Tensor, Tensor | None]
Out = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Rows:
    """value: [T]. layers: per layer the channels (A, D), the value first; the other channels have fewer rows."""

    value: Tensor
    layers: list[Pairs]

    def kernel(self) -> Tensor:
        """J J^T [T, T]."""
        total = self.value.new_zeros(len(self.value), len(self.value))
        for channels in self.layers:
            for i, (a, d) in enumerate(channels):
                for j, (b, e) in enumerate(channels[: i + 1]):
                    product = a @ b.T
                    if i == 0:
                        product += 1.0
                    product *= d @ e.T
                    total[: len(a), : len(b)] += product
                    if i != j:
                        total[: len(b), : len(a)] += product.T
        return total

    def pulled(self, share: Tensor) -> Pairs:
        """J^T share, a matrix and a bias per layer."""
        made = []
        for channels in self.layers:
            weight = torch.stack([(d * share[: len(d), None]).T @ a for a, d in channels]).sum(dim=0)
            made.append((weight, channels[0][1].T @ share))
        return made

    def along(self, step: Pairs) -> Tensor:
        """J step [T]."""
        made = torch.zeros_like(self.value)
        for channels, (weight, bias) in zip(self.layers, step, strict=True):
            for i, (a, d) in enumerate(channels):
                moved = a @ weight.T
                made[: len(d)] += ((moved + bias if i == 0 else moved) * d).sum(dim=1)
        return made


def rows(layers: Pairs, x: Tensor, edge: Tensor, wanted: Tensor, nu: float, weight: float) -> Rows:
    """Residuals at x [N, 2] over sqrt(N), then errors at edge [M, 2] times sqrt(weight / M)."""
    inner, outer = 1.0 / math.sqrt(len(x)), math.sqrt(weight / len(edge))
    into, out = _forwards(layers, x)
    slopes = _backwards(layers, into, out, nu, inner)
    values, at_edge, edge_slopes = _edges(layers, edge)
    _, along, _, bend = out[-1]
    made = []
    for k in range(len(layers)):
        first = (torch.cat([into[k][0], at_edge[k]]), torch.cat([slopes[k][0], outer * edge_slopes[k]]))
        rest = [(a, d) for a, d in zip(into[k][1:], slopes[k][1:], strict=True) if a is not None and d is not None]
        made.append([first, *rest])
    return Rows(torch.cat([inner * (along - nu * bend)[:, 0], outer * (values - wanted)]), made)


def _forwards(layers: Pairs, x: Tensor) -> tuple[list[Into], list[Out]]:
    """What goes into every layer and what comes out of it, in four channels."""
    u = x
    for weight, bias in layers[:-1]:
        u = torch.tanh(u @ weight.T + bias)
    u = u @ layers[-1][0].T + layers[-1][1]
    one = torch.ones_like(u)
    held: Into = (x, torch.cat([u, one], dim=1), torch.cat([one, 0.0 * one], dim=1), None)
    into: list[Into] = [held]
    out: list[Out] = []
    for k, (weight, bias) in enumerate(layers):
        value, v, s, bend = held
        z = value @ weight.T + bias
        v, s = v @ weight.T, s @ weight.T
        second = torch.zeros_like(z) if bend is None else bend @ weight.T
        out.append((z, v, s, second))
        if k < len(layers) - 1:
            a = torch.tanh(z)
            f = 1.0 - a * a
            held = (a, f * v, f * s, f * second - 2.0 * a * f * s * s)
            into.append(held)
    return into, out


def _backwards(
    layers: Pairs, into: list[Into], out: list[Out], nu: float, size: float
) -> list[tuple[Tensor, Tensor, Tensor | None, Tensor]]:
    """Slopes of size (u_t + u u_x - nu u_xx) by the channels that come out of every layer."""
    one = torch.full_like(out[-1][0], size)
    made: list[tuple[Tensor, Tensor, Tensor | None, Tensor]] = [(size * out[-1][2], one, None, -nu * one)]
    for k in range(len(layers) - 1, 0, -1):
        weight, (_, v, s, bend) = layers[k][0], out[k - 1]
        by_value, by_v, by_s, by_bend = (None if d is None else d @ weight for d in made[0])
        assert by_value is not None
        assert by_v is not None
        assert by_bend is not None
        a = into[k][0]
        f = 1.0 - a * a
        second = -2.0 * a * f
        value = f * by_value + second * v * by_v + (second * bend + f * (6.0 * a * a - 2.0) * s * s) * by_bend
        slope = 2.0 * second * s * by_bend
        if by_s is not None:
            value, slope = value + second * s * by_s, slope + f * by_s
        made.insert(0, (value, f * by_v, slope, f * by_bend))
    return made


def _edges(layers: Pairs, x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """u [M], what goes into every layer, and the slopes of u by what comes out of it."""
    into = [x]
    for weight, bias in layers[:-1]:
        into.append(torch.tanh(into[-1] @ weight.T + bias))
    u = into[-1] @ layers[-1][0].T + layers[-1][1]
    slopes = [torch.ones_like(u)]
    for k in range(len(layers) - 1, 0, -1):
        slopes.insert(0, (slopes[0] @ layers[k][0]) * (1.0 - into[k] ** 2))
    return u[:, 0], into, slopes
