"""Shared-factor CP: alternating least squares over outputs, inputs and all axes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgepde.factorconv.forms._form import Factors
from edgepde.factorconv.forms.shared import FORM
from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import split

from ._als import Dense, Sums, best


def fit(where: Geometry, kernel: Tensor, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """A good sum of R terms that do not cancel."""
    del where
    return _named(best(Dense(kernel.unsqueeze(0)), ranks[0], seed))


def shrink(where: Geometry, factors: Factors, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The same from inner products of factors; one of the starts is the R largest terms."""
    norms = FORM.component_norms(where, factors)
    largest = norms.argsort(descending=True, stable=True)[: ranks[0]]
    modes = [factors["write"], factors["read"].T, *(way.T for way in split(factors["filters"], where.kernel))]
    start = [mode[None, :, largest] for mode in modes]
    return _named(best(Sums([mode.unsqueeze(0) for mode in modes]), ranks[0], seed, [start]))


def _named(modes: Sequence[Tensor]) -> dict[str, Tensor]:
    write, read, *ways = (mode[0] for mode in modes)
    return {"read": read.T.contiguous(), "filters": torch.cat([way.T for way in ways], dim=1), "write": write}
