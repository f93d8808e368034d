"""From data of operators to a shared branch of Gaussian units and a cassette for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np

from ..cassette import Cassette
from ..encoding import Encoding
from ..model import SharedModel
from ..prepared import Prepared, prepare
from ..sizes import encoding_of, input_modes, output_sizes
from ..spectral import Spectral
from ..symmetry import TRANSFORMS, symmetries
from . import kernels
from .features import Output, Shared, Units, appended, shared_output, unappended
from .kernels import Floats
from .member import Member, held
from .ridge import Ridge
from .settings import Closed

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData

ROOM = 0.2
"""Sensors may leave the range seen in training by so much of it."""


class Fitted(NamedTuple):
    """model, its cassettes, and per operator what was found and chosen, by name."""

    model: SharedModel
    cassettes: dict[str, Cassette]
    figures: dict[str, dict[str, Any]]


@final
@dataclass(frozen=True, eq=False)
class Wanted:
    """Weights [K', r] of features for a member's `modes`, the error they make on its held cases, and the penalty."""

    weights: Floats
    error: float
    penalty: float


def fit(
    datas: Sequence[OperatorData],
    validation: Sequence[OperatorData],
    settings: Closed | None = None,
    horizons: Mapping[str, float] | None = None,
    learn: Callable[[Sequence[Member]], Shared] | None = None,
) -> Fitted:
    """One shared branch and a cassette per operator; validation: further cases of each, in the same order.

    horizons: last times, those of the data where not given. learn: another way to the branch, for the operators that are
    not linear. InputError where sensors differ between operators.
    """
    how = settings or Closed()
    encoding = encoding_of(datas, max(input_modes(data) for data in datas))
    members = [
        _member(data, other, encoding, (horizons or {}).get(data.name, float(data.times[-1])))
        for data, other in zip(datas, validation, strict=True)
    ]
    linear = {m.name: m.held.error(np.zeros_like(m.held.rest)) for m in members}
    curved = [m for m in members if linear[m.name] > how.exact]
    output = _branch(curved or members, how) if learn is None or not curved else learn(curved)
    cassettes, figures = {}, {}
    for member, data in zip(members, datas, strict=True):
        mixing, basis, found = _operator(member, output, linear[member.name], how)
        cassettes[member.name] = _cassette(member.prepared, data, mixing, basis)
        figures[member.name] = found | {"images": list(member.images), "numbers": cassettes[member.name].numbers}
    return Fitted(_model(encoding, output, list(cassettes.values())), cassettes, figures)


def _member(data: OperatorData, other: OperatorData, encoding: Encoding, horizon: float) -> Member:
    sizes = output_sizes(data, horizon)
    form = Spectral(encoding.period, sizes.modes, horizon, sizes.terms - 1)
    outputs = form.coefficients(data.field, data.times, data.x)
    has = symmetries(encoding.coefficients(data.sensors), outputs)
    fitted = prepare(data, encoding, *sizes, "shift" in has, horizon)
    images = tuple(name for name in TRANSFORMS if name in has and name != "shift")
    return Member(fitted, held(other, encoding, fitted), images)


def _branch(members: Sequence[Member], how: Closed) -> Output:
    """Centres and width for all of them, then the output layer that loses least."""
    pool = kernels.distinct(np.concatenate([m.cases[0] for m in members]))
    size = kernels.size(pool)
    width = size * how.widths[len(how.widths) // 2]
    units = Units(pool[kernels.chosen(pool, width, how.units)], width)
    found = [_solved(m, units(m.cases[0]), units(m.held.inputs)) for m in members]
    shares = [1.0 / max(one.error, how.exact) for one in found]
    count = len(units.centres)
    return shared_output(units, [one.weights[:count] for one in found], shares, pool, how.features)


def _solved(member: Member, features: Floats, held_features: Floats) -> Wanted:
    """Ridge regression on features and inputs, with the penalty that the held cases like best."""
    x, _, weights = member.cases
    targets, rows = member.modes
    size = kernels.size(x)
    rows = member.held.lift(rows)
    solver = Ridge(weights[:, None] * appended(features, x, size), weights[:, None] * targets)
    found = appended(held_features, member.held.inputs, size)
    tried = [(member.held.error((found @ w) @ rows), penalty, w) for penalty, w in solver.path()]
    error, penalty, best = min(tried, key=lambda one: one[:2])
    return Wanted(unappended(best, x.shape[1], size), error, penalty)


def _operator(member: Member, output: Shared, linear: float, how: Closed) -> tuple[Floats, Floats, dict[str, Any]]:
    """mixing, basis and figures of one operator."""
    x, _, _ = member.cases
    norm, inputs = member.prepared.norm, x.shape[1]
    width = output.width + inputs + 1
    empty = np.zeros((width, 0)), np.zeros((0, norm.terms, 2 * norm.modes + 1))
    if linear <= how.exact:
        return *empty, {"linear": linear, "chosen": "linear", "error": linear}
    features, others = output(x), output(member.held.inputs)
    found = _solved(member, features, others)
    every = np.concatenate([features, x, np.ones((len(x), 1))], axis=1)
    wide = np.concatenate([others, member.held.inputs, np.ones((len(others), 1))], axis=1)
    _, rows = member.modes
    _, values, right = np.linalg.svd(every @ found.weights, full_matrices=False)
    errors = {}
    for rank in _ranks(min(how.rank, len(right))):
        errors[rank] = member.held.error(
            (wide @ (found.weights @ right[:rank].T)) @ member.held.lift(right[:rank] @ rows)
        )
    least = min(errors.values())
    rank = min(r for r, e in errors.items() if e <= (1.0 + how.slack) * least)
    basis = norm.back(right[:rank] @ rows)
    said = {"linear": linear, "shared": found.error, "error": errors[rank], "rank": rank, "penalty": found.penalty}
    if errors[rank] >= linear:
        return *empty, said | {"chosen": "linear", "error": linear}
    return found.weights @ right[:rank].T, basis, said | {"chosen": "shared"}


def _ranks(most: int) -> list[int]:
    return sorted({max(1, round(most * share)) for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)})


def _cassette(fitted: Prepared, data: OperatorData, mixing: Floats, basis: Floats) -> Cassette:
    low, high = data.sensors.min(0), data.sensors.max(0)
    room = ROOM * (high - low).max()
    return Cassette(
        name=fitted.name,
        frame=fitted.turned,
        multiplier=(fitted.multiplier / fitted.scale).astype(np.float32),
        mixing=mixing.astype(np.float32),
        basis=basis.astype(np.float32),
        scale=float(np.float32(fitted.scale)),
        horizon=fitted.horizon,
        low=low - room,
        high=high + room,
    )


def _model(encoding: Encoding, output: Shared, held_by: Sequence[Cassette]) -> SharedModel:
    """With room for all of them."""
    terms, modes, rank, linear = (
        max(sizes) for sizes in zip(*((c.terms, c.width // 2, c.rank, c.linear_terms) for c in held_by), strict=True)
    )
    return SharedModel(encoding, output.branch(), terms, modes, rank, 0, linear).eval()
