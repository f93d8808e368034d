"""The shared branch of some operators, and what each of them reads of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from . import kernels
from .features import Output, Shared, Units, appended, shared_output, unappended
from .kernels import Floats
from .member import Member
from .ridge import Ridge
from .settings import Closed

SHARES = tuple(round(0.1 * k, 1) for k in range(1, 11))
"""Of the highest rank, which are tried."""


@final
@dataclass(frozen=True, eq=False)
class Wanted:
    """weights [K', r] of features for a member's rows, the error they make on its held cases, and the penalty."""

    weights: Floats
    error: float
    penalty: float


def branch(members: Sequence[Member], how: Closed) -> Output:
    """Centres and width for all of them, then the output layer that loses least."""
    pool = kernels.distinct(np.concatenate([m.inputs for m in members]))
    size = kernels.size(pool)
    width = size * how.widths[len(how.widths) // 2]
    pool = pool[np.random.default_rng(how.seed).permutation(len(pool))[: how.pool]]
    units = Units(pool[kernels.chosen(pool, width, how.units)], width)
    found = [solved(m, units(m.inputs), units(m.held.inputs)) for m in members]
    shares = [1.0 / max(one.error, how.exact) for one in found]
    count = len(units.centres)
    return shared_output(units, [one.weights[:count] for one in found], shares, pool, how.features)


def solved(member: Member, features: Floats, held_features: Floats) -> Wanted:
    """Ridge regression on features and inputs, with the penalty that the held cases like best."""
    x, weights = member.inputs, member.weights[:, None]
    size = kernels.size(x)
    rows = member.held.lift(member.rows)
    solver = Ridge(weights * appended(features, x, size), weights * member.targets)
    found = appended(held_features, member.held.inputs, size)
    tried = [(member.held.error((found @ w) @ rows), penalty, w) for penalty, w in solver.path()]
    error, penalty, best = min(tried, key=lambda one: one[:2])
    return Wanted(unappended(best, x.shape[1], size), error, penalty)


def operator(member: Member, output: Shared, linear: float, how: Closed) -> tuple[Floats, Floats, dict[str, Any]]:
    """mixing [K', R], basis [R, q, 2m+1] and figures of one operator."""
    norm, inputs = member.fitted.norm, member.inputs.shape[1]
    empty = np.zeros((output.width + inputs + 1, 0)), np.zeros((0, norm.terms, 2 * norm.modes + 1))
    if linear <= how.exact:
        return *empty, {"chosen": "linear", "error": linear}
    features, others = output(member.inputs), output(member.held.inputs)
    found = solved(member, features, others)
    right = np.linalg.svd(_read(features, member.inputs) @ found.weights, full_matrices=False)[2]
    wide, top = _read(others, member.held.inputs), min(how.rank, len(right))
    errors = {
        rank: member.held.error(
            (wide @ (found.weights @ right[:rank].T)) @ member.held.lift(right[:rank] @ member.rows)
        )
        for rank in sorted({max(1, round(top * share)) for share in SHARES})
    }
    rank = min(r for r, e in errors.items() if e <= (1.0 + how.slack) * min(errors.values()))
    said = {"shared": found.error, "penalty": found.penalty, "rank": rank}
    if errors[rank] >= linear:
        return *empty, said | {"chosen": "linear", "error": linear}
    basis = norm.back(right[:rank] @ member.rows)
    return found.weights @ right[:rank].T, basis, said | {"chosen": "shared", "error": errors[rank]}


def _read(features: Floats, x: Floats) -> Floats:
    """[features, x, 1]."""
    return np.concatenate([features, x, np.ones((len(x), 1))], axis=1)
