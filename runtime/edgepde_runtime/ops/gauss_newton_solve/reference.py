"""Numpy reference: the definition of the op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError

Array = NDArray[np.float64]

SMALLEST_DAMPING = 1e-14
LARGEST_CONVERGED_DAMPING = 1e-6
EASE, TIGHTEN, FIRST_REJECTION = 1e-2, 1e2, 1e-4


def factor_values(lift: Array, basis: Array, solution: Array) -> Array:
    """v_f = lift_f + basis_f c, and a last factor that is 1: [B, F, R], [F, R, N], [B, N] -> [B, F + 1, R]."""
    values = lift + np.einsum("frn,bn->bfr", basis, solution)
    return np.concatenate([values, np.ones_like(values[:, :1])], axis=1)


def residual(values: Array, coefficients: Array, weights: Array, terms: NDArray[np.int64]) -> Array:
    """r = weights * sum_t coefficients_t prod_k v_terms[t,k]: [B, F + 1, R] -> [B, R]."""
    return np.asarray(weights * (coefficients * values[:, terms].prod(axis=2)).sum(axis=1))


def jacobian(values: Array, basis: Array, coefficients: Array, weights: Array, terms: NDArray[np.int64]) -> Array:
    """dr/dc by the product rule: [B, R, N]."""
    count, width = terms.shape
    chosen = values[:, terms]
    slope = np.zeros_like(values)
    for t in range(count):
        for k in range(width):
            others = np.delete(chosen[:, t], k, axis=1).prod(axis=1)
            slope[:, terms[t, k]] += coefficients[:, t] * others
    slope = slope[:, :-1] * weights[:, None, :]
    return np.asarray(np.einsum("bfr,frn->brn", slope, basis))


def damped_step(normal: Array, gradient: Array, damping: Array) -> Array:
    """d = -(H + damping diag H)^-1 g after scaling H to unit diagonal: [B, N, N], [B, N], [B] -> [B, N]."""
    diagonal = np.einsum("bnn->bn", normal)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = normal * scale[:, :, None] * scale[:, None, :]
    n = normal.shape[1]
    scaled = scaled + (damping[:, None] + (diagonal <= 0.0))[:, :, None] * np.eye(n)
    augmented = np.concatenate([scaled, -(gradient * scale)[:, :, None]], axis=2)
    for k in range(n):
        pivot = augmented[:, k] / augmented[:, k, k][:, None]
        augmented = augmented - augmented[:, :, k][:, :, None] * pivot[:, None, :]
        augmented[:, k] = pivot
    return np.asarray(augmented[:, :, n] * scale)


def run(inputs: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any]) -> tuple[NDArray[Any], ...]:
    """Solve all B problems; see the schema for meaning and shapes. ModelFileError for a factor number that is none."""
    lift, basis, coefficients, weights, start, terms, matrix, target = (np.asarray(x) for x in inputs)
    if terms.size and (terms.min() < 0 or terms.max() > lift.shape[1]):
        raise ModelFileError(f"terms: expected factor numbers 0 to {lift.shape[1]}, got {terms.min()} to {terms.max()}")
    tolerance = float(attributes.get("tolerance", 1e-9))
    solution = start.copy()
    damping = np.full(len(start), SMALLEST_DAMPING)
    done = np.zeros(len(start), dtype=bool)

    def cost_at(c: Array) -> tuple[Array, Array, Array, Array]:
        values = factor_values(lift, basis, c)
        r = residual(values, coefficients, weights, terms)
        q = c @ matrix.T - target
        return values, r, q, (r * r).sum(axis=1) + (q * q).sum(axis=1)

    with np.errstate(all="ignore"):
        values, r, q, cost = cost_at(solution)
        for _ in range(int(attributes.get("max_iterations", 20))):
            if done.all():
                break
            jac = jacobian(values, basis, coefficients, weights, terms)
            normal = np.einsum("brn,brm->bnm", jac, jac) + matrix.T @ matrix
            gradient = np.einsum("brn,br->bn", jac, r) + q @ matrix
            delta = damped_step(normal, gradient, damping)
            trial = solution + delta
            values_new, r_new, q_new, cost_new = cost_at(trial)
            take = (cost_new <= cost) & ~done
            small = np.abs(delta) <= tolerance * (1.0 + np.abs(solution).max(axis=1, keepdims=True))
            settled = (small & (np.einsum("bnn->bn", normal) > 0.0)).all(axis=1)
            done = done | (settled & (damping <= LARGEST_CONVERGED_DAMPING) & np.isfinite(cost))
            solution = np.where(take[:, None], trial, solution)
            values = np.where(take[:, None, None], values_new, values)
            r = np.where(take[:, None], r_new, r)
            q = np.where(take[:, None], q_new, q)
            cost = np.where(take, cost_new, cost)
            eased = np.maximum(damping * EASE, SMALLEST_DAMPING)
            tightened = np.maximum(damping * TIGHTEN, FIRST_REJECTION)
            damping = np.where(take, eased, tightened)
    return solution, done
