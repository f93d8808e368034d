"""The basis as a table: Tucker factors per axis, interpolated by local polynomials on mapped uniform nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import TrainingError
from edgepde.s2gpt.grid import Axis

Array = NDArray[np.float64]
Basis = Callable[[Array], Array]

STENCIL = 6
NODES = (9, 13, 17, 25, 33, 41, 49, 65, 81, 97, 129, 161, 193, 257, 385, 513)


def interpolation_matrix(axis: Axis, nodes: int, x: Array) -> tuple[NDArray[np.int64], Array]:
    """First node i and Lagrange weights of the six nodes i..i+5 around each x [M]: [M], [M, 6]."""
    s = axis.inverse(x) * (nodes - 1)
    first = np.clip(np.floor(s).astype(np.int64) - (STENCIL // 2 - 1), 0, nodes - STENCIL)
    local = s - first - (STENCIL - 1) / 2.0
    return first, np.vander(local, STENCIL, increasing=True) @ lagrange_coefficients()


def lagrange_coefficients() -> Array:
    """Column j: monomial coefficients of the Lagrange polynomial of node j among -2.5, -1.5, ..., 2.5: [6, 6]."""
    nodes = np.arange(STENCIL) - (STENCIL - 1) / 2.0
    return np.asarray(np.linalg.inv(np.vander(nodes, STENCIL, increasing=True)))


@dataclass(frozen=True)
class FieldTable:
    """xi_n(x) ~ sum over i.. of core[i1, .., id, n] prod_a factor_a[., i_a] interpolated at x_a.

    axes: d maps. factors: d arrays [nodes_a, rank_a]. core [rank_1, .., rank_d, N].
    """

    axes: tuple[Axis, ...]
    factors: tuple[Array, ...]
    core: Array

    def basis(self, points: Array) -> Array:
        """Points [M, d] of the folded domain -> [M, N]."""
        value = self.core[None]
        for a, (axis, factor) in enumerate(zip(self.axes, self.factors, strict=True)):
            first, weights = interpolation_matrix(axis, len(factor), points[:, a])
            rows = np.einsum("mj,mjr->mr", weights, factor[first[:, None] + np.arange(STENCIL)])
            value = np.einsum("mr...,mr->m...", np.broadcast_to(value, (len(points), *value.shape[1:])), rows)
        return np.asarray(value)

    @property
    def numbers(self) -> int:
        """How many stored numbers the table has."""
        return self.core.size + sum(f.size for f in self.factors)


def fields_error(basis: Basis, table: FieldTable, coefficients: Array, points: Array) -> float:
    """sup over points [M, d] and rows of coefficients [K, N] of |sum_n c_n (xi_n - table_n)|."""
    return float(np.abs((basis(points) - table.basis(points)) @ coefficients.T).max())


def axis_candidates(fitted: Axis) -> list[Axis]:
    """The straight axis, and clusterings around the fitted centre from wide to narrow."""
    span = fitted.high - fitted.low
    straight = Axis(fitted.low, fitted.high)
    centre = fitted.centre if fitted.width else fitted.low
    return [straight, *[Axis(fitted.low, fitted.high, centre, span * w) for w in (0.3, 0.1, 0.05, 0.025, 0.012)]]


def fit_axis(
    basis: Basis, coefficients: Array, number: int, fitted: Axis, others: Array, tolerance: float
) -> tuple[Axis, int]:
    """The axis map with the fewest nodes whose interpolation along axis `number` stays within tolerance.

    others [S, d]: points whose other coordinates are kept. Raises TrainingError when 513 nodes are not enough.
    """
    for nodes, axis in product(NODES, axis_candidates(fitted)):
        s = np.linspace(0.0, 1.0, 3 * (nodes - 1) + 1)
        along = axis.at(s)
        points = np.repeat(others[:, None], len(along), axis=1)
        points[:, :, number] = along
        exact = (basis(points.reshape(-1, others.shape[1])) @ coefficients.T).reshape(len(others), len(along), -1)
        first, weights = interpolation_matrix(axis, nodes, along)
        stencil = exact[:, ::3][:, first[:, None] + np.arange(STENCIL)]
        if np.abs(np.einsum("mj,smjk->smk", weights, stencil) - exact).max() <= tolerance:
            return axis, nodes
    raise TrainingError(f"field table: axis {number} needs more than {NODES[-1]} nodes for an error of {tolerance:g}")


def node_values(basis: Basis, axes: Sequence[Axis], nodes: Sequence[int]) -> Array:
    """The basis on the tensor grid of nodes: [n_1, .., n_d, N]."""
    mesh = np.meshgrid(*[a.at(np.linspace(0.0, 1.0, n)) for a, n in zip(axes, nodes, strict=True)], indexing="ij")
    points = np.stack([m.ravel() for m in mesh], axis=1)
    return basis(points).reshape(*nodes, -1)


def tucker(axes: Sequence[Axis], values: Array, coefficients: Array, cutoff: float) -> FieldTable:
    """Higher-order SVD of the fields that occur, values [n_1, .., n_d, N] times coefficients [K, N].

    Each axis keeps the singular vectors before the tail falls below cutoff; the basis is then projected on them.
    """
    fields = values @ coefficients.T
    core, factors = values, []
    for a in range(len(axes)):
        unfolded = np.moveaxis(fields, a, 0).reshape(fields.shape[a], -1)
        u, s, _ = np.linalg.svd(unfolded, full_matrices=False)
        tail = np.sqrt(np.cumsum(s[::-1] ** 2)[::-1])
        factors.append(u[:, : max(1, int((tail > cutoff).sum()))])
    for a, factor in enumerate(factors):
        core = np.moveaxis(np.tensordot(factor, core, axes=(0, a)), 0, a)
    return FieldTable(tuple(axes), tuple(factors), core)


def build_table(
    basis: Basis, coefficients: Array, fitted: Sequence[Axis], tolerance: float, seed: int = 0
) -> tuple[FieldTable, float]:
    """The smallest table found whose field error stays below `tolerance`, and that error on 20,000 fresh points.

    coefficients [K, N]: what the solver returns over the parameter box; the error is that of the fields they make.
    """
    rng = np.random.default_rng(seed)
    low, high = (np.array([getattr(a, end) for a in fitted]) for end in ("low", "high"))
    sample = coefficients[:: max(1, len(coefficients) // 32)]
    others = low + (high - low) * np.concatenate([rng.random((20, len(fitted))), np.eye(2)[:, [0] * len(fitted)]])
    share = 0.5 * tolerance / len(fitted)
    chosen = [fit_axis(basis, sample, a, axis, others, share) for a, axis in enumerate(fitted)]
    axes, nodes = [a for a, _ in chosen], [n for _, n in chosen]
    values = node_values(basis, axes, nodes)
    points = test_points(axes, 20_000, rng)
    cutoff = tolerance * np.sqrt(values[..., 0].size * len(sample))
    best: tuple[FieldTable, float] | None = None
    for _ in range(24):
        table = tucker(axes, values, sample, cutoff)
        error = fields_error(basis, table, coefficients, points)
        if error <= tolerance:
            return table, error
        best = (table, error) if best is None or error < best[1] else best
        cutoff /= 2.0
    raise TrainingError(f"field table: expected an error below {tolerance:g}, reached {best[1] if best else np.inf:g}")


def test_points(axes: Sequence[Axis], n: int, rng: np.random.Generator) -> Array:
    """Half uniform in the box, half uniform in the mapped coordinates, corners included: [about n, d]."""
    d = len(axes)
    s = rng.random((n, d))
    columns = [
        np.where(np.arange(n) % 2 == 0, Axis(a.low, a.high).at(s[:, i]), a.at(s[:, i])) for i, a in enumerate(axes)
    ]
    corners = np.array(list(product(*[(a.low, a.high) for a in axes])))
    return np.concatenate([np.stack(columns, axis=1), corners])
