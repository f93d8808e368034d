"""Ridge regression along a path of penalties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PENALTIES = tuple(10.0**power for power in range(-11, 1))


@final
@dataclass(frozen=True, eq=False)
class Ridge:
    """W(penalty) = argmin |A W - Y|^2 + penalty N |W|^2, features A [N, K], targets Y [N, P], one factorisation."""

    features: Floats
    targets: Floats

    @cached_property
    def _eigen(self) -> tuple[Floats, Floats, Floats]:
        values, vectors = np.linalg.eigh(self.features.T @ self.features / len(self.features))
        return np.maximum(values, 0.0), vectors, vectors.T @ (self.features.T @ self.targets) / len(self.features)

    def weights(self, penalty: float) -> Floats:
        """W [K, P]."""
        values, vectors, given = self._eigen
        return np.asarray(vectors @ (given / (values + penalty)[:, None]))

    def path(self) -> Iterator[tuple[float, Floats]]:
        """Every penalty with its W."""
        for penalty in PENALTIES:
            yield penalty, self.weights(penalty)
