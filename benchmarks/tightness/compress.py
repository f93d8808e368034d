"""Smaller networks at a given sup error: neurons merged, and merged ones fitted again to the network they come from."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import lstsq, qr
from torch import Tensor

from .train import Array, Layers, fit, uniform

SAMPLES, BISECTIONS = 12000, 14
REFIT_DAMPING = 1e-4


def evaluate(net: Layers, x: Array) -> Array:
    """The tanh network."""
    for weight, bias in net[:-1]:
        x = np.tanh(x @ weight.T + bias)
    return np.asarray(x @ net[-1][0].T + net[-1][1])


def merged(net: Layers, tolerance: float, x: Array) -> Layers:
    """Neurons whose activation the others reproduce are dropped: column-pivoted QR, least-squares fold into the next.

    A layer keeps as many neurons as have |R_kk| > tolerance |R_00|, R of the activations scaled by the norm of what
    leaves each neuron.
    """
    h, made, fold = x, [], None
    for place, (weight, bias) in enumerate(net[:-1]):
        w, b = weight, bias
        if fold is not None:
            w, b = weight @ fold[:-1].T, bias + weight @ fold[-1]
        a = np.tanh(h @ w.T + b)
        R, order = qr(a * np.linalg.norm(net[place + 1][0], axis=0), mode="r", pivoting=True)
        diagonal = np.abs(np.diag(R[: R.shape[1]]))
        kept = np.sort(order[: max(1, int((diagonal > tolerance * diagonal[0]).sum()))])
        h = a[:, kept]
        made.append((w[kept], b[kept]))
        fold = lstsq(np.hstack([h, np.ones((len(h), 1))]), a)[0]
    weight, bias = net[-1]
    made.append((weight @ fold[:-1].T, bias + weight @ fold[-1]))
    return made


def merged_to(net: Layers, error: float, d: int, seed: int) -> Layers:
    """The smallest merged network whose sampled sup error is at most `error`, by bisection of the tolerance."""
    x = uniform(SAMPLES, d, seed).numpy()
    exact, low, high, best = evaluate(net, x), -9.0, 0.0, net
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        tried = merged(net, 10.0**middle, x)
        if np.abs(evaluate(tried, x) - exact).max() <= error:
            best, low = tried, middle
        else:
            high = middle
    return best


def fitted(net: Layers, start: Layers, d: int, seconds: float, goal: float, seed: int) -> tuple[Layers, float]:
    """All weights of `start` moved so that it follows `net`; and its error relative to that of `net`."""

    def target(x: Tensor) -> Tensor:
        return torch.from_numpy(evaluate(net, x.numpy()))

    return fit(start, target, d, seconds, goal, seed, REFIT_DAMPING)


def widths(net: Layers) -> list[int]:
    """The hidden widths."""
    return [len(bias) for _, bias in net[:-1]]
