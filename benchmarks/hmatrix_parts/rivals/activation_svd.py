"""Truncated singular value decomposition of W C^(1/2), C the second moment of what the layer reads (whitened SVD)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ._held import Held, moment, product

NAME = "activation-aware SVD"


def settings(_shape: tuple[int, int]) -> Sequence[float]:
    """Tolerances."""
    return [float(t) for t in np.geomspace(0.9, 1e-8, 48)]


def held(weight: Tensor, inputs: Tensor, setting: float) -> Held:
    """The best factors in the norm of the layer's output, singular values above setting times the first."""
    root = torch.linalg.cholesky(moment(inputs))
    U, s, _ = torch.linalg.svd(weight @ root, full_matrices=False)
    left = U[:, : max(1, int((s > setting * s[0]).sum()))]
    return product(left, left.T @ weight, weight)
