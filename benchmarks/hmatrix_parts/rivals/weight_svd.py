"""Truncated singular value decomposition of the weights, one relative tolerance for all layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ._held import Held, product

NAME = "SVD of the weights"


def settings(_shape: tuple[int, int]) -> Sequence[float]:
    """Tolerances."""
    return [float(t) for t in np.geomspace(0.9, 1e-8, 48)]


def held(weight: Tensor, _inputs: Tensor, setting: float) -> Held:
    """The factors of the singular values above setting times the first."""
    U, s, V = torch.linalg.svd(weight, full_matrices=False)
    rank = max(1, int((s > setting * s[0]).sum()))
    return product(U[:, :rank] * s[:rank], V[:rank], weight)
