"""One operator's data as coefficients in its frame, with its linear part fitted: what every scheme starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from . import linear_part
from .cassette import Cassette
from .encoding import Encoding, frame, rotate
from .spectral import Spectral, most_terms, narrowed

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData

Floats = NDArray[np.float64]
SLIGHT = 1e-5
"""Share of the outputs for which an affine map gets no further rank."""
READ = 1e-6
"""Share of a mode in the energy of training inputs from which features read it: what they do with others, noise or
inputs of another kind, nothing has taught them. From 1e-8 to 1e-4 errors of clean inputs are the same; without it,
noise of 5 % is amplified up to 200 times."""
ROOM = 0.2
"""Sensors may leave the range seen in training by so much of it."""


@final
@dataclass(frozen=True, eq=False)
class Norm:
    """flat [.., q (2m+1)] of coefficients [.., q, 2m+1], of which the Euclidean norm is the root mean square of u.

    The square of u(t, x) averaged over [0, horizon] and the period is sum over k of w_k c_k' G c_k, G the Gram matrix
    of Chebyshev polynomials, w = 1 for the mean and 1/2 for every cosine and sine; G = L L'.
    """

    terms: int
    modes: int

    @cached_property
    def time(self) -> Floats:
        """L [q, q]."""
        nodes, weights = np.polynomial.legendre.leggauss(self.terms + 1)
        values = np.polynomial.chebyshev.chebvander(nodes, self.terms - 1)
        return np.asarray(np.linalg.cholesky(0.5 * (values.T * weights) @ values))

    @cached_property
    def space(self) -> Floats:
        """sqrt(w) [2m+1]."""
        return np.r_[1.0, np.full(2 * self.modes, np.sqrt(0.5))]

    def flat(self, coefficients: Floats) -> Floats:
        """[.., q, 2m+1] to [.., q (2m+1)]."""
        made = np.einsum("ed,...ek->...dk", self.time, coefficients) * self.space
        return made.reshape(*coefficients.shape[:-2], -1)

    def back(self, flat: Floats) -> Floats:
        """[.., q (2m+1)] to [.., q, 2m+1]."""
        shaped = flat.reshape(*flat.shape[:-1], self.terms, 2 * self.modes + 1) / self.space
        return np.asarray(np.linalg.solve(self.time.T, shaped))


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """Canonical inputs [N, I], outputs [N, q, 2m+1] in the same frame, linear part [2, q_l, l+1]; scale of outputs.

    rest: flat [N, P] of (outputs - linear part) / scale, see Norm; norms [N]: of the whole outputs / scale.
    """

    name: str
    turned: bool
    horizon: float
    inputs: Floats
    outputs: Floats
    multiplier: Floats
    scale: float
    norm: Norm

    @property
    def rest(self) -> Floats:
        """Flat [N, P]."""
        linear = linear_part.apply(self.multiplier, self.inputs, self.outputs.shape[-1])[:, : self.norm.terms]
        left = self.outputs.copy()
        left[:, : linear.shape[1]] -= linear
        return self.norm.flat(left) / self.scale

    @property
    def norms(self) -> Floats:
        """[N]."""
        return np.asarray(np.linalg.norm(self.norm.flat(self.outputs), axis=-1)) / self.scale


def prepare(data: OperatorData, encoding: Encoding, terms: int, modes: int, turned: bool, horizon: float) -> Prepared:
    """Training data of one operator, with the linear part fitted to it. InputError where the grid does not give q, m.

    turned: whether it commutes with shifts, so that it is learned in the canonical frame. Its linear part then has all
    the degrees in time and modes that the data determine, not q and m.
    """
    most = max(modes, encoding.modes)
    inputs, whole = in_frame(data, encoding, Spectral(encoding.period, most, horizon, terms - 1), turned)
    outputs = narrowed(whole[:, :terms], modes)
    norm = Norm(terms, modes)
    scale = float(np.sqrt(np.mean(np.sum(norm.flat(outputs) ** 2, axis=-1)))) or 1.0
    if turned:
        factors = linear_part.fit(inputs, whole, horizon, encoding.period).multiplier
    else:
        factors = linear_part.multiplier(inputs, whole[:, :terms])
    return Prepared(data.name, turned, horizon, inputs, outputs, factors, scale, norm)


def held(data: OperatorData, encoding: Encoding, fitted: Prepared) -> Prepared:
    """Other data of the same operator, with the linear part and scale that were fitted."""
    norm = fitted.norm
    form = Spectral(encoding.period, norm.modes, fitted.horizon, norm.terms - 1)
    inputs, whole = in_frame(data, encoding, form, fitted.turned)
    outputs = whole[:, : norm.terms]
    return Prepared(data.name, fitted.turned, fitted.horizon, inputs, outputs, fitted.multiplier, fitted.scale, norm)


def in_frame(data: OperatorData, encoding: Encoding, form: Spectral, turned: bool) -> tuple[Floats, Floats]:
    """Inputs [N, I] and outputs [N, q', 2m+1] in the canonical frame, or as they are; q' >= q all that times give."""
    given = encoding.coefficients(data.sensors)
    turn = frame(given, max(encoding.modes, form.modes), float(turned))
    terms = max(form.terms, most_terms(data.times, form.horizon))
    outputs = replace(form, degree=terms - 1).coefficients(data.field, data.times, data.x)
    return rotate(given, turn), rotate(outputs, turn)


def cassette(fitted: Prepared, sensors: Floats, mixing: Floats, basis: Floats) -> Cassette:
    """What an operator adds, in float32: mixing [K', R], basis [R, q, 2m+1], its linear part, the box of its sensors.

    sensors [N, S]: of training; others may leave their range by ROOM of its width.
    """
    low, high = sensors.min(0), sensors.max(0)
    room = ROOM * (high - low).max()
    seen = linear_part.seen(fitted.inputs, READ)
    return Cassette(
        name=fitted.name,
        frame=fitted.turned,
        multiplier=(fitted.multiplier / fitted.scale).astype(np.float32),
        mixing=mixing.astype(np.float32),
        basis=basis.reshape(len(basis), *fitted.outputs.shape[1:]).astype(np.float32),
        scale=float(np.float32(fitted.scale)),
        horizon=fitted.horizon,
        low=low - room,
        high=high + room,
        reads=None if seen.all() else seen.astype(np.float32),
    )


def affine(fitted: Prepared, rank: int) -> tuple[Floats, Floats]:
    """What is affine in what multipliers leave: mixing [I+1, R] of [inputs, 1] and basis [R, q, 2m+1], R <= rank."""
    mixing, rows = linear_part.full(fitted.inputs, fitted.rest, rank, SLIGHT * float(np.linalg.norm(fitted.norms)))
    return mixing, fitted.norm.back(rows)


def factored(weights: Floats, norm: Norm, rank: int) -> tuple[Floats, Floats]:
    """mixing [K', R] and basis [R, q (2m+1)] of weights [K', P] that give flat outputs: the best R of them in norm."""
    left, sizes, right = np.linalg.svd(weights, full_matrices=False)
    mixing = left[:, :rank] * sizes[:rank]
    return mixing, norm.back(right[:rank]).reshape(len(right[:rank]), -1)
