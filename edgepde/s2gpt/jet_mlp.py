"""A batch of tanh networks carried with their derivatives (jets), and the Jacobian of a residual by their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Order = tuple[int, ...]


def closure(orders: Sequence[Order]) -> list[Order]:
    """All multi-indices below any of `orders` (at most order 2), lowest first: what a jet must carry."""
    below: set[Order] = set()
    for order in orders:
        grid: list[Order] = [()]
        for k in order:
            grid = [(*head, j) for head in grid for j in range(k + 1)]
        below.update(grid)
    return sorted(below, key=lambda a: (sum(a), a))


def layer_sizes(inputs: int, width: int, depth: int) -> list[tuple[int, int]]:
    """(out, in) of every layer of a network with `depth` hidden layers of `width` and one output."""
    sizes = [inputs, *([width] * depth), 1]
    return list(zip(sizes[1:], sizes[:-1], strict=True))


def initial_weights(batch: int, layers: Sequence[tuple[int, int]], generator: torch.Generator) -> Tensor:
    """Glorot-normal weights and zero biases of `batch` networks, flat float64 [S, n]."""
    parts = []
    for out, inp in layers:
        scale = (2.0 / (inp + out)) ** 0.5
        parts.append(scale * torch.randn(batch, out * inp, generator=generator, dtype=torch.float64))
        parts.append(torch.zeros(batch, out, dtype=torch.float64))
    return torch.cat(parts, dim=1)


def unflatten(theta: Tensor, layers: Sequence[tuple[int, int]]) -> list[tuple[Tensor, Tensor]]:
    """Flat weights [S, n] as per-layer (W [S, out, in], b [S, out])."""
    split, at = [], 0
    for out, inp in layers:
        weight = theta[:, at : at + out * inp].reshape(-1, out, inp)
        bias = theta[:, at + out * inp : at + out * inp + out]
        split.append((weight, bias))
        at += out * inp + out
    return split


def _tanh_jet(z: Tensor, orders: Sequence[Order]) -> Tensor:
    """Chain rule of a = tanh(z) up to order 2 on channels z [S, C, M, H]."""
    index = {order: i for i, order in enumerate(orders)}
    a = torch.tanh(z[:, 0])
    a1 = 1.0 - a * a
    channels = [a]
    for order in orders[1:]:
        if sum(order) == 1:
            channels.append(a1 * z[:, index[order]])
            continue
        i, j = [k for k, count in enumerate(order) for _ in range(count)]
        units = [tuple(int(k == axis) for k in range(len(order))) for axis in (i, j)]
        zi, zj = z[:, index[units[0]]], z[:, index[units[1]]]
        channels.append(a1 * (z[:, index[order]] - 2.0 * a * zi * zj))
    return torch.stack(channels, dim=1)


def _affine(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """W h on every channel and + b on the value channel: h [S, C, M, in] -> [S, C, M, out]."""
    s, c, m, _ = h.shape
    z = torch.bmm(h.reshape(s, c * m, -1), weight.transpose(1, 2)).reshape(s, c, m, -1)
    return torch.cat([z[:, :1] + bias[:, None, None, :], z[:, 1:]], dim=1)


def _input_jet(points: Tensor, orders: Sequence[Order]) -> Tensor:
    """The jet of the coordinates themselves: points [S, M, d] -> [S, C, M, d]."""
    channels = [points]
    for order in orders[1:]:
        unit = torch.zeros_like(points)
        if sum(order) == 1:
            unit[..., order.index(1)] = 1.0
        channels.append(unit)
    return torch.stack(channels, dim=1)


def forward(theta: Tensor, layers: Sequence[tuple[int, int]], points: Tensor, orders: Sequence[Order]) -> Tensor:
    """Derivatives of every network at its points [S, M, d]: [S, C, M], channel c being D^orders[c]."""
    return _trace(theta, layers, points, orders)[0]


def _trace(
    theta: Tensor, layers: Sequence[tuple[int, int]], points: Tensor, orders: Sequence[Order], tracked: bool = False
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The output's jet, and every layer's jets before and after its weights; tracked: ready for gradients by them."""
    h = _input_jet(points, orders)
    before, after = [], []
    split = unflatten(theta, layers)
    for number, (weight, bias) in enumerate(split):
        before.append(h)
        z = _affine(h, weight, bias)
        if tracked and not z.requires_grad:
            z.requires_grad_()
        after.append(z)
        h = z if number == len(split) - 1 else _tanh_jet(z, orders)
    return h[..., 0], before, after


def residual_and_jacobian(
    theta: Tensor,
    layers: Sequence[tuple[int, int]],
    points: Tensor,
    orders: Sequence[Order],
    residual: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """r [S, M] and J = dr/dtheta [S, M, n], r_m depending on the jet at point m alone.

    Because rows are independent, the gradient of sum_m r_m by a layer's pre-activations z holds every row's own
    adjoint,
    and dr_m/dW = sum_c adjoint_c (x) h_c over the jet's channels c.
    """
    with torch.enable_grad():
        jet, before, after = _trace(theta.detach(), layers, points, orders, tracked=True)
        r = residual(jet)
        adjoints = torch.autograd.grad(r.sum(), after)
    parts = []
    for h, adjoint in zip(before, adjoints, strict=True):
        s, _, m, _ = h.shape
        outer = torch.einsum("scmo,scmi->smoi", adjoint, h.detach())
        parts += [outer.reshape(s, m, -1), adjoint[:, 0]]
    return r.detach(), torch.cat(parts, dim=2)
