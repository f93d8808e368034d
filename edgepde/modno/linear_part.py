"""The linear part of an operator, fitted exactly before anything else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SEEN = 1e-8
"""Share of a mode in the inputs' energy below which it counts as never excited."""


def multiplier(inputs: Floats, outputs: Floats) -> Floats:
    """Least squares factors [2, q, l+1] of modes 0 .. l = min(m_in, m); 0 for modes that the inputs never excite.

    inputs [N, 2m_in+1] and outputs [N, q, 2m+1] in the same frame; of mode k, with z = a - i b of both,
      g[d, k] = sum_n conj(z_in) z_out / sum_n |z_in|^2.
    """
    m = min(inputs.shape[-1], outputs.shape[-1]) // 2
    given, wanted = modes(inputs)[:, None, : m + 1], modes(outputs)[..., : m + 1]
    energy = (np.abs(given) ** 2).sum(0)
    total = (np.abs(modes(inputs)) ** 2).sum()
    seen = energy > SEEN * total
    found = np.where(seen, (wanted * given.conj()).sum(0) / np.where(seen, energy, 1.0), 0.0)
    found[:, 0] = found[:, 0].real
    return np.stack([found.real, found.imag])


def apply(factors: Floats, inputs: Floats, width: int) -> Floats:
    """Factors [2, q, l+1] of inputs [N, 2m_in+1]: [N, q, width]."""
    m, n = factors.shape[-1] - 1, (width - 1) // 2
    z = (factors[0] + 1j * factors[1]) * modes(inputs)[:, None, : m + 1]
    out = np.zeros((len(inputs), factors.shape[1], width))
    out[..., : m + 1], out[..., n + 1 : n + m + 1] = z.real, -z.imag[..., 1:]
    return out


def modes(coefficients: Floats) -> NDArray[np.complex128]:
    """[.., 2m+1] to a - i b [.., m+1]."""
    m = coefficients.shape[-1] // 2
    found = coefficients[..., : m + 1].astype(np.complex128)
    found[..., 1:] -= 1j * coefficients[..., m + 1 :]
    return found
