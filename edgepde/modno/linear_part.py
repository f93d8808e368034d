"""The linear part of an operator, fitted exactly before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from . import linear_law
from .linear_law import Law

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
SEEN = 1e-8
"""Share of a mode in the inputs' energy below which it counts as never excited."""
RIDGE = 1e-12


@final
@dataclass(frozen=True, eq=False)
class Linear:
    """multiplier [2, q, l+1]; seen [l+1]: modes that training inputs have; law: of the others, or None.

    Modes that were not seen are multiplied by 0 where no law was found.
    """

    multiplier: Floats
    seen: NDArray[np.bool_]
    law: Law | None

    def apply(self, inputs: Floats, width: int) -> Floats:
        """Inputs [N, 2m_in+1] to [N, q, width]."""
        return apply(self.multiplier, inputs, width)


def fit(inputs: Floats, outputs: Floats, horizon: float, period: float) -> Linear:
    """Factors of every mode by least squares, and of unseen modes by the law that they obey, where there is one.

    inputs [N, 2m_in+1], outputs [N, q, 2m+1] in the same frame (any); q falls to the degrees that matter.
    """
    found = multiplier(inputs, outputs)
    size = np.abs(found).max((0, 2))
    found = found[:, : int(np.max(np.flatnonzero(size > linear_law.RESOLVED * size.max()), initial=0)) + 1]
    had = seen(inputs)[: found.shape[-1]]
    factors: Complex = found[0] + 1j * found[1]
    law = linear_law.find(factors, had, horizon, period) if had.any() else None
    if law is None:
        return Linear(found, had, None)
    more = linear_law.extended(factors, had, law, horizon)
    return Linear(np.stack([more.real, more.imag]), had, law)


def multiplier(inputs: Floats, outputs: Floats) -> Floats:
    """Least squares factors [2, q, l+1] of modes 0 .. l = min(m_in, m); 0 for modes that the inputs never excite.

    inputs [N, 2m_in+1] and outputs [N, q, 2m+1] in the same frame; of mode k, with z = a - i b of both,
      g[d, k] = sum_n conj(z_in) z_out / sum_n |z_in|^2.
    """
    m = min(inputs.shape[-1], outputs.shape[-1]) // 2
    given, wanted = modes(inputs)[:, None, : m + 1], modes(outputs)[..., : m + 1]
    energy = (np.abs(given) ** 2).sum(0)
    had = seen(inputs)[: m + 1]
    found = np.where(had, (wanted * given.conj()).sum(0) / np.where(had, energy, 1.0), 0.0)
    found[:, 0] = found[:, 0].real
    return np.stack([found.real, found.imag])


def seen(inputs: Floats, share: float = SEEN) -> NDArray[np.bool_]:
    """Modes [m_in+1] with more than a share of the energy."""
    energy = (np.abs(modes(inputs)) ** 2).sum(0)
    return np.asarray(energy > share * energy.sum())


def apply(factors: Floats, inputs: Floats, width: int) -> Floats:
    """Factors [2, q, l+1] of inputs [N, 2m_in+1]: [N, q, width], without what has no room there."""
    n = (width - 1) // 2
    m = min(factors.shape[-1] - 1, n)
    z = (factors[0] + 1j * factors[1])[:, : m + 1] * modes(inputs)[:, None, : m + 1]
    out = np.zeros((len(inputs), factors.shape[1], width))
    out[..., : m + 1], out[..., n + 1 : n + m + 1] = z.real, -z.imag[..., 1:]
    return out


def full(inputs: Floats, outputs: Floats, rank: int, least: float = 0.0) -> tuple[Floats, Floats]:
    """The affine map of a rank at most that operators without shifts may have: outputs ~ [inputs, 1] @ A @ B.

    inputs [N, I], outputs [N, P]; A [I+1, R], B [R, P]: least squares with a slight ridge, then the best rank on the
    inputs themselves, without what adds `least` at most to the outputs' norm. Inputs that never vary have no say.
    """
    x = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    u, size, v = np.linalg.svd(x, full_matrices=False)
    keep = size > SEEN**0.5 * size[0]
    u, size, v = u[:, keep], size[keep], v[keep]
    shrunk = size**2 / (size**2 + RIDGE * size[0] ** 2)
    left, weight, right = np.linalg.svd(shrunk[:, None] * (u.T @ outputs), full_matrices=False)
    count = min(rank, int(np.count_nonzero(weight > least)))
    return (v.T / size) @ left[:, :count] * weight[:count], right[:count]


def modes(coefficients: Floats) -> Complex:
    """[.., 2m+1] to a - i b [.., m+1]."""
    m = coefficients.shape[-1] // 2
    found: Complex = coefficients[..., : m + 1].astype(np.complex128)
    found[..., 1:] -= 1j * coefficients[..., m + 1 :]
    return found
