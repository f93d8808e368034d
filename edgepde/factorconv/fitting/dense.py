"""Nothing to fit."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from edgepde.factorconv.forms._form import Factors
from edgepde.factorconv.geometry import Geometry


def fit(where: Geometry, kernel: Tensor, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """K."""
    del where, ranks, seed
    return {"weight": kernel}


def shrink(where: Geometry, factors: Factors, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """K."""
    del where, ranks, seed
    return dict(factors)
