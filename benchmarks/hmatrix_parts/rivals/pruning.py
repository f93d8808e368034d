"""Magnitude pruning: entries that move the layer's output least become zero, the others of their row are refitted.

Magnitudes count times the root mean square of what they multiply. Stored: float32 values, and the cheaper of a bitmap
and 16-bit column indices with row pointers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ._held import Held, as_it_is, moment

NAME = "magnitude pruning"


def settings(_shape: tuple[int, int]) -> Sequence[float]:
    """Thresholds relative to the largest magnitude."""
    return [float(t) for t in np.geomspace(0.9, 1e-7, 48)]


def held(weight: Tensor, inputs: Tensor, setting: float) -> Held:
    """Each row by least squares on its own support."""
    H = moment(inputs)
    score = weight.abs() * H.diagonal().sqrt()
    mask = score > setting * score.max()
    kept = int(mask.sum())
    nbytes = 4.0 * kept + min(weight.numel() / 8.0, 2.0 * kept + 4.0 * (len(weight) + 1))
    if nbytes >= 4.0 * weight.numel():
        return as_it_is(weight)
    made = torch.zeros_like(weight)
    wanted = weight @ H
    for i, row in enumerate(mask):
        at = row.nonzero()[:, 0]
        if len(at):
            made[i, at] = torch.linalg.solve(H[at][:, at], wanted[i, at])
    return Held((made,), lambda t: t[0] * mask, nbytes)
