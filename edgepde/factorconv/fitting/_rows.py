"""Fitting per-kernel forms a few outputs at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from edgepde.factorconv.forms._form import Factors, Form
from edgepde.factorconv.geometry import Geometry

NUMBERS = 1 << 20

Fit = Callable[[Geometry, Tensor, Sequence[int], int], dict[str, Tensor]]


def spans(where: Geometry) -> list[tuple[int, int]]:
    """Outputs so few at a time that their kernels are about NUMBERS numbers."""
    count = max(1, NUMBERS // (where.inputs * where.points))
    return [(start, min(start + count, where.outputs)) for start in range(0, where.outputs, count)]


def by_rows(
    form: Form, fit: Fit, where: Geometry, factors: Factors, ranks: Sequence[int], seed: int
) -> dict[str, Tensor]:
    """What `fit` makes of the kernels that factors stand for, never all of them at once."""
    parts = []
    for start, stop in spans(where):
        here = replace(where, outputs=stop - start)
        parts.append(fit(here, form.kernel(here, form.of_outputs(factors, start, stop)), ranks, seed))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
