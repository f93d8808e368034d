"""The conventions of hierarchical matrices in one frozen place: eta, leaf size, eps, largest rank."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

from edgepde_runtime.errors import InputError

FACTORISATIONS = ("svd", "aca")


@final
@dataclass(frozen=True)
class HConfig:
    """How a matrix becomes dense and low-rank blocks.

    eta: a block is tried as low rank only where min(diam rows, diam columns) <= eta distance (needs points); None: what
    it costs alone decides. leaf: clusters of at most so many indices are not divided. eps: error allowed, in Frobenius
    norm, relative to the matrix. max_rank: of a block; None: where it pays. factorisation: "svd", or "aca" (adaptive
    cross approximation with partial pivoting, recompressed) for blocks that are large. Raises InputError.
    """

    eta: float | None = None
    leaf: int = 32
    eps: float = 1e-3
    max_rank: int | None = None
    factorisation: str = "svd"

    def __post_init__(self) -> None:
        if self.eta is not None:
            _positive("eta", self.eta)
        _whole("leaf", self.leaf)
        if self.max_rank is not None:
            _whole("max_rank", self.max_rank)
        if not _number(self.eps) or not 0.0 <= self.eps < 1.0:
            raise InputError(f"hmatrix config: eps: expected a number from 0 to below 1, got {self.eps!r}")
        if self.factorisation not in FACTORISATIONS:
            raise InputError(
                f"hmatrix config: factorisation: expected {' or '.join(FACTORISATIONS)}, got {self.factorisation!r}"
            )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(name: str, value: Any) -> None:
    if not _number(value) or value <= 0:
        raise InputError(f"hmatrix config: {name}: expected a number above 0, got {value!r}")


def _whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"hmatrix config: {name}: expected a whole number above 0, got {value!r}")
