"""The shared branch of some operators, and what each of them reads of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..training.passes import Passes
from . import kernels
from .features import Output, Shared, Units, appended, shared_output, unappended
from .kernels import Floats
from .member import Member
from .ridge import Ridge
from .settings import Closed

FEW = 256
"""Units where two ways of taking an operator in are compared."""
CUT = 0.04
"""Share of an axis of a basis that is cut at once."""


@final
@dataclass(frozen=True, eq=False)
class Wanted:
    """weights [K', r] of features for a member's rows, the error they make on its held cases, and the penalty."""

    weights: Floats
    error: float
    penalty: float


def branch(members: Sequence[Member], how: Closed, passes: Passes) -> Output:
    """Centres and width for all of them, then the output layer that loses least."""
    pool = kernels.distinct(np.concatenate([m.inputs for m in members]))
    size = kernels.size(pool)
    width = size * how.width
    pool = pool[np.random.default_rng(how.seed).permutation(len(pool))[: how.pool]]
    units = Units(pool[kernels.chosen(pool, width, how.units)], width)
    found = [solved(m, units, passes)[0] for m in members]
    shares = [1.0 / max(one.error, how.exact) for one in found]
    count = len(units.centres)
    passes.branch_forward += len(pool)
    return shared_output(units, [one.weights[:count] for one in found], shares, pool, how.features)


def solved(member: Member, read: Callable[[Floats], Floats], passes: Passes) -> tuple[Wanted, Floats, Floats]:
    """Ridge regression on features and inputs, with the penalty that the held cases like best; features [N, K] of the
    cases and of the held ones."""
    features, held_features = read(member.inputs), read(member.held.inputs)
    passes.branch_forward += len(member.inputs)
    passes.held += len(member.held.inputs)
    passes.solved(len(member.inputs))
    x, weights = member.inputs, member.weights[:, None]
    size = kernels.size(x)
    rows = member.held.lift(member.rows)
    solver = Ridge(weights * appended(features, x, size), weights * member.targets)
    found = appended(held_features, member.held.inputs, size)
    tried = [(member.held.error((found @ w) @ rows), penalty, w) for penalty, w in solver.path()]
    error, penalty, best = min(tried, key=lambda one: one[:2])
    return Wanted(unappended(best, x.shape[1], size), error, penalty), features, held_features


def alone(member: Member, how: Closed, passes: Passes) -> float:
    """The error on held cases with a few units of the member's own."""
    width = kernels.size(member.inputs) * how.width
    units = Units(member.inputs[kernels.chosen(member.inputs, width, min(how.units, FEW))], width)
    return solved(member, units, passes)[0].error


def operator(
    member: Member, output: Shared, linear: float, how: Closed, passes: Passes
) -> tuple[Floats, Floats, dict[str, Any]]:
    """mixing [K', R], basis [R, q, 2m+1] and figures of one operator, all as small as `slack` lets them be."""
    norm, inputs = member.fitted.norm, member.inputs.shape[1]
    empty = np.zeros((output.width + inputs + 1, 0)), np.zeros((0, norm.terms, 2 * norm.modes + 1))
    if linear <= how.exact:
        why = f"the linear part is within {100 * how.exact:g} % of held cases"
        return *empty, {"chosen": "linear", "error": linear, "why": why}
    found, features, others = solved(member, output, passes)
    right = np.linalg.svd(_read(features, member.inputs) @ found.weights, full_matrices=False)[2][: how.rank]
    mixing, basis = found.weights @ right.T, norm.back(right @ member.rows)
    wide = _read(others, member.held.inputs) @ mixing

    def error(basis: Floats) -> float:
        return member.held.error(wide[:, : len(basis)] @ member.held.lifted(basis))

    basis = smallest(basis, error, (1.0 + how.slack) * error(basis))
    said = {"shared": found.error, "penalty": found.penalty, "rank": len(basis)}
    why = f"held cases: {100 * error(basis):.3g} % with the shared features, {100 * linear:.3g} % without"
    if error(basis) >= linear:
        return *empty, said | {"chosen": "linear", "error": linear, "why": why}
    return mixing[:, : len(basis)], basis, said | {"chosen": "shared", "error": error(basis), "why": why}


def smallest(basis: Floats, error: Callable[[Floats], float], most: float) -> Floats:
    """Fewer rows, degrees and modes of a basis [R, q, 2m+1]: what saves most numbers, as long as the error is `most`.

    One axis after the other, a share CUT of it at a time, until none of them can be cut any more.
    """
    while True:
        cuts = [cut for cut in _cuts(basis) if error(cut) <= most]
        if not cuts:
            return basis
        basis = min(cuts, key=lambda cut: cut.size)


def _cuts(basis: Floats) -> Iterator[Floats]:
    rank, terms, width = basis.shape
    modes = width // 2
    if rank > 1:
        yield basis[: rank - math.ceil(CUT * rank)]
    if terms > 1:
        yield basis[:, : terms - math.ceil(CUT * terms)]
    if modes > 1:
        fewer = modes - math.ceil(CUT * modes)
        yield np.concatenate([basis[..., : fewer + 1], basis[..., modes + 1 : modes + 1 + fewer]], axis=-1)


def _read(features: Floats, x: Floats) -> Floats:
    """[features, x, 1]."""
    return np.concatenate([features, x, np.ones((len(x), 1))], axis=1)
