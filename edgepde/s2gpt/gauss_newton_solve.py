"""torch's face of the op gauss_newton_solve: the room's numpy reference behind torch.ops.edgepde.gauss_newton_solve."""

from __future__ import annotations

import torch
from edgepde_runtime.ops.gauss_newton_solve import OP, reference
from torch import Tensor


@torch.library.custom_op("edgepde::gauss_newton_solve", mutates_args=())
def gauss_newton_solve(
    lift: Tensor,
    basis: Tensor,
    coefficients: Tensor,
    weights: Tensor,
    start: Tensor,
    terms: Tensor,
    constraint_matrix: Tensor,
    constraint_target: Tensor,
    max_iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Coefficients [B, N] and converged [B]; shapes and meaning as in the op's schema."""
    tensors = (lift, basis, coefficients, weights, start, terms, constraint_matrix, constraint_target)
    attributes = {"max_iterations": max_iterations, "tolerance": tolerance}
    solution, converged = reference.run([t.detach().cpu().numpy() for t in tensors], attributes)
    return torch.from_numpy(solution).to(lift.device), torch.from_numpy(converged).to(lift.device)


@gauss_newton_solve.register_fake
def _(
    lift: Tensor,
    basis: Tensor,
    coefficients: Tensor,
    weights: Tensor,
    start: Tensor,
    terms: Tensor,
    constraint_matrix: Tensor,
    constraint_target: Tensor,
    max_iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(start), start.new_empty(start.shape[0], dtype=torch.bool)


DEFAULTS = {attribute.name: attribute.default for attribute in OP.attributes}
