"""Other bounds of sup |f - g| over a box: products of norms, intervals of the difference, CROWN on the twin network."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from edgepde_runtime.box import Box
from torch import Tensor

from edgepde.certify.network import Affine, Network

Layers = list[tuple[Tensor, Tensor]]
Bounding = Callable[[Tensor, Tensor], Tensor]
BISECTIONS, BATCH = 24, 64


def affine(net: Network) -> Layers:
    """(weight, bias) of every layer."""
    return [(n.weight, n.bias) for n in net.nodes if isinstance(n, Affine)]


def norm_product(f: Network, g: Network, box: Box) -> float:
    """e_l = |W_l| e_(l-1) + |W_l - V_l| |h_(l-1)| + |b_l - c_l| with spectral norms, tanh of slope and size <= 1."""
    error, size = 0.0, float(np.linalg.norm(np.maximum(np.abs(box.low), np.abs(box.high))))
    for (w, b), (v, c) in zip(affine(f), affine(g), strict=True):
        norm, change = (float(torch.linalg.matrix_norm(m, 2)) for m in (w, w - v))
        error = norm * error + change * size + float((b - c).norm())
        size = float(np.sqrt(len(b)))
    return error


def interval(f: Network, g: Network) -> Bounding:
    """Intervals of (g, f - g) through every layer; |f - g| over boxes [B, d]."""
    both = list(zip(affine(f), affine(g), strict=True))

    def bound(low: Tensor, high: Tensor) -> Tensor:
        c, r = 0.5 * (low + high), 0.5 * (high - low)
        dc, dr = torch.zeros_like(c), torch.zeros_like(r)
        for place, ((w, b), (v, k)) in enumerate(both):
            dc, dr = dc @ w.T + c @ (w - v).T + b - k, dr @ w.abs().T + r @ (w - v).abs().T
            c, r = c @ v.T + k, r @ v.abs().T
            if place < len(both) - 1:
                least = torch.minimum(c - r, c - r + dc - dr).abs()
                most = torch.maximum(c + r, c + r + dc + dr).abs()
                small = torch.cosh(torch.maximum(least, most).clamp(max=300.0)) ** -2
                ends = torch.stack([s * e for s in (small, torch.ones_like(small)) for e in (dc - dr, dc + dr)])
                dc, dr = _middle(ends.amin(dim=0), ends.amax(dim=0))
                c, r = _middle(torch.tanh(c - r), torch.tanh(c + r))
        return (dc.abs() + dr).amax(dim=1)

    return bound


def crown(f: Network, g: Network) -> Bounding:
    """CROWN: linear bounds of the twin network f - g pulled back layer by layer, all hidden bounds by the same."""
    twin = _twin(affine(f), affine(g))

    def bound(low: Tensor, high: Tensor) -> Tensor:
        relaxed: list[tuple[Tensor, ...]] = []
        for place in range(len(twin)):
            least, most = _pulled(twin[: place + 1], relaxed, low, high)
            if place < len(twin) - 1:
                relaxed.append(_relaxed(least, most))
        return torch.maximum(-least, most).amax(dim=1)

    return bound


def split(bound: Bounding, box: Box, seconds: float, goal: float) -> tuple[float, int, float]:
    """(bound, boxes, processor seconds): the worst boxes halved along their widest side until the goal or the time."""
    began = time.process_time()
    low, high = (torch.tensor(side, dtype=torch.float64)[None] for side in (box.low, box.high))
    value, boxes = bound(low, high), 1
    while float(value.max()) > goal and time.process_time() - began < seconds:
        worst = value.topk(min(BATCH, len(value))).indices
        keep = torch.ones(len(value), dtype=torch.bool)
        keep[worst] = False
        axis = (high - low)[worst].argmax(dim=1, keepdim=True)
        middle = 0.5 * (low + high)[worst].gather(1, axis)
        new_low = torch.cat([low[worst], low[worst].scatter(1, axis, middle)])
        new_high = torch.cat([high[worst].scatter(1, axis, middle), high[worst]])
        made = torch.minimum(bound(new_low, new_high), value[worst].repeat(2))
        low, high, value = (
            torch.cat([old[keep], new]) for old, new in ((low, new_low), (high, new_high), (value, made))
        )
        boxes += len(made)
    return float(value.max()), boxes, time.process_time() - began


def _middle(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    return 0.5 * (low + high), 0.5 * (high - low)


def _twin(f: Layers, g: Layers) -> Layers:
    made = []
    for place, ((w, b), (v, c)) in enumerate(zip(f, g, strict=True)):
        if place == 0:
            made.append((torch.cat([w, v]), torch.cat([b, c])))
        elif place < len(f) - 1:
            made.append((torch.block_diag(w, v), torch.cat([b, c])))
        else:
            made.append((torch.cat([w, -v], dim=1), b - c))
    return made


def _pulled(twin: Layers, relaxed: list[tuple[Tensor, ...]], low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(low, high) of the last layer's values over boxes."""
    weight, bias = twin[-1]
    sides = [(weight.expand(len(low), -1, -1), bias.expand(len(low), -1)) for _ in range(2)]
    for (w, b), (slope_l, shift_l, slope_u, shift_u) in zip(reversed(twin[:-1]), reversed(relaxed), strict=True):
        for side in range(2):
            A, d = sides[side]
            up, down = A.clamp(min=0.0), A.clamp(max=0.0)
            pairs = ((slope_l, shift_l), (slope_u, shift_u))
            (s_up, t_up), (s_down, t_down) = pairs if side == 0 else pairs[::-1]
            d = d + (up @ t_up[:, :, None] + down @ t_down[:, :, None])[:, :, 0]
            A = up * s_up[:, None] + down * s_down[:, None]
            sides[side] = (A @ w, d + A @ b)
    c, r = _middle(low, high)
    centre = [(A @ c[:, :, None])[:, :, 0] + d for A, d in sides]
    reach = [(A.abs() @ r[:, :, None])[:, :, 0] for A, _ in sides]
    return centre[0] - reach[0], centre[1] + reach[1]


def _relaxed(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(slope, shift) of a line below tanh over [low, high], then of one above."""
    slope_u, shift_u = _above(low, high)
    slope_l, shift_l = _above(-high, -low)
    return slope_l, -shift_l, slope_u, shift_u


def _above(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """A line above tanh: the chord where it is convex, else a tangent: at the middle, or through the left end."""
    t_low, t_high = torch.tanh(low), torch.tanh(high)
    chord = (t_high - t_low) / (high - low).clamp(min=1e-12)
    a, b = torch.zeros_like(low), high.clamp(min=0.0)
    for _ in range(BISECTIONS):
        m = 0.5 * (a + b)
        t = torch.tanh(m)
        too_near = t + (1.0 - t * t) * (low - m) < t_low
        a, b = torch.where(too_near, m, a), torch.where(too_near, b, m)
    at = torch.where(low >= 0.0, 0.5 * (low + high), b)
    t = torch.tanh(at)
    tangent = 1.0 - t * t
    use_chord = (high <= 0.0) | ((low < 0.0) & (at >= high))
    slope = torch.where(use_chord, chord, tangent)
    shift = torch.where(use_chord, torch.maximum(t_low - chord * low, t_high - chord * high), t - tangent * at)
    return slope, shift
