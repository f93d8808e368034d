"""One operator in a fit: its cases and their mirror images, its held cases, both in the canonical frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from .. import linear_part
from ..encoding import Encoding, frame, rotate
from ..prepared import Norm, Prepared
from ..spectral import Spectral
from ..symmetry import TRANSFORMS

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData

Floats = NDArray[np.float64]
KEPT = 1e-4
"""Singular values of targets below this share of the largest are left out."""
FAINT = 1e-3
"""Cases below this share of the largest norm weigh no more for being small."""


@final
@dataclass(frozen=True, eq=False)
class Held:
    """Cases to choose by, at any times: inputs [N, I], what the linear part leaves [N, T (2m+1)], norms [N].

    rest is scaled so that its Euclidean norm is that of u on the grid; lost [N]: squares of u that no mode holds;
    lift takes flat coefficients (see Norm) to where rest is.
    """

    inputs: Floats
    rest: Floats
    norms: Floats
    lost: Floats
    time: Floats
    norm: Norm

    def lift(self, flat: Floats) -> Floats:
        """[R, P] to [R, T (2m+1)]."""
        return self.lifted(self.norm.back(flat))

    def lifted(self, basis: Floats) -> Floats:
        """Coefficients [R, q', 2m'+1] of at most as many degrees and modes, to [R, T (2m+1)]."""
        modes, rest = basis.shape[2] // 2, self.norm.modes - basis.shape[2] // 2
        here = np.einsum("td,rdk->rtk", self.time[:, : basis.shape[1]], basis)
        made = np.zeros((*here.shape[:2], 2 * self.norm.modes + 1))
        made[..., : modes + 1], made[..., modes + 1 + rest : 2 * modes + 1 + rest] = np.split(
            here, [modes + 1], axis=-1
        )
        return np.asarray((made * self.norm.space).reshape(len(basis), -1))

    def error(self, lifted: Floats) -> float:
        """Mean relative L2 error of what is found for the rest [N, T (2m+1)]."""
        squares = ((lifted - self.rest) ** 2).sum(1) + self.lost
        return float((np.sqrt(squares) / self.norms).mean())


@final
@dataclass(frozen=True, eq=False)
class Member:
    """One operator: inputs [N, I] of cases and their images, targets [N, r] with rest = targets @ rows [r, P], weights
    [N] (1 / norm, mean square 1); fitted: its linear part, scale and norm; held: cases to choose by."""

    fitted: Prepared
    held: Held
    inputs: Floats
    targets: Floats
    rows: Floats
    weights: Floats
    images: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The operator's."""
        return self.fitted.name


def member(fitted: Prepared, others: Held, images: tuple[str, ...], most: int) -> Member:
    """With images of the cases under these TRANSFORMS, as many as make `most` rows at most."""
    pairs = [(fitted.inputs, fitted.outputs)]
    for name in images[: max(0, most // len(fitted.inputs) - 1)]:
        c, u = TRANSFORMS[name](fitted.inputs, fitted.outputs, np.random.default_rng(0))
        turn = frame(c, max(c.shape[-1], u.shape[-1]) // 2, float(fitted.turned))
        pairs.append((rotate(c, turn), rotate(u, turn)))
    parts = [replace(fitted, inputs=c, outputs=u) for c, u in pairs]
    rests = [part.rest for part in parts]
    some = np.concatenate([rest[:: max(1, len(pairs))] for rest in rests])
    _, sizes, rows = np.linalg.svd(some, full_matrices=False)
    rows = rows[: max(1, int((sizes > KEPT * sizes[0]).sum()))]
    norms = np.concatenate([part.norms for part in parts])
    weights = 1.0 / np.maximum(norms, FAINT * norms.max())
    return Member(
        replace(fitted, outputs=fitted.outputs[:0]),
        others,
        np.concatenate([c for c, _ in pairs]),
        np.concatenate([rest @ rows.T for rest in rests]),
        rows,
        weights / np.sqrt((weights**2).mean()),
        images,
    )


def held(data: OperatorData, encoding: Encoding, fitted: Prepared) -> Held:
    """Cases of the same operator at whatever times they have, with the linear part that was fitted."""
    norm = fitted.norm
    modes = min(norm.modes, (len(data.x) - 1) // 2)
    space = Spectral(encoding.period, modes, 1.0, 0).space_matrix(data.x)
    short = np.asarray(data.field, np.float64) @ np.linalg.pinv(space)
    found = np.zeros((*short.shape[:-1], 2 * norm.modes + 1))
    found[..., : modes + 1], found[..., norm.modes + 1 : norm.modes + 1 + modes] = np.split(short, [modes + 1], axis=-1)
    given = encoding.coefficients(data.sensors)
    turn = frame(given, max(encoding.modes, norm.modes), float(fitted.turned))
    inputs = rotate(given, turn)
    terms = max(norm.terms, fitted.multiplier.shape[1])
    time = Spectral(encoding.period, 0, fitted.horizon, terms - 1).time_matrix(data.times)
    linear = linear_part.apply(fitted.multiplier, inputs, found.shape[-1])
    rest = rotate(found, turn) - time[:, : linear.shape[1]] @ linear
    norms = (np.asarray(data.field, np.float64) ** 2).mean(-1).sum(-1)
    lost = np.maximum(norms - ((found * norm.space) ** 2).sum((1, 2)), 0.0)
    flat = (rest * norm.space).reshape(len(rest), -1) / fitted.scale
    scale = fitted.scale
    return Held(inputs, flat, np.sqrt(norms) / scale, lost / scale**2, time[:, : norm.terms], norm)
