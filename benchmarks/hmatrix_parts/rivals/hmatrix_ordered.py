"""Dense and low-rank blocks by cost, units ordered so that those of similar activations are neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ._blocks import by_signature, in_blocks
from ._held import Held

NAME = "H-matrix, ordered by activations"


def settings(_shape: tuple[int, int]) -> Sequence[float]:
    """Relative errors."""
    return [float(t) for t in np.geomspace(0.9, 1e-6, 48)]


def held(weight: Tensor, inputs: Tensor, setting: float) -> Held:
    """The re-ordered matrix within setting of itself."""
    return in_blocks(weight, inputs, setting, by_signature(inputs @ weight.T), by_signature(inputs))
