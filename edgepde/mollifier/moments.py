"""Weights of a window that differentiate every polynomial up to a degree exactly."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

Wide = NDArray[np.longdouble]
TWICE = 2
DEPENDENT = 1e-12


def weights(s: Wide, eta: Wide, order: int, degree: int, at: Wide | None = None) -> Wide:
    """w [.., T, W] with sum_j w_tj (s_j - a_t)^i / i! = (i == order) for i <= degree and the least sum w_tj^2 / eta_j.

    s [.., W] distinct, eta [.., W] > 0, places a = `at` [.., T], by default only 0. InputError where the samples do not
    determine a polynomial of that degree.
    """
    return ladder(s, eta, order, degree, at)[-1]


def ladder(s: Wide, eta: Wide, order: int, degree: int, at: Wide | None = None) -> Wide:
    """The weights of all degrees up to one, [degree + 1, .., T, W]; those below the order are 0.

    w_tj = eta_j sum_i q_i(s_j) q_i^(order)(a_t), q_i orthonormal under eta, made by Arnoldi's recurrence with the
    derivatives at a carried along.
    """
    places = np.zeros((*s.shape[:-1], 1), np.longdouble) if at is None else at
    q = np.empty((degree + 1, *s.shape), np.longdouble)
    jets = np.zeros((degree + 1, order + 1, *places.shape), np.longdouble)
    for i in range(degree + 1):
        if i == 0:
            row, jet = np.ones_like(s), np.zeros((order + 1, *places.shape), np.longdouble)
            jet[0] = 1
        else:
            row, jet = s * q[i - 1], _times_s(jets[i - 1], places)
        size = np.sqrt((eta * row * row).sum(-1))
        for _ in range(TWICE if i else 0):
            shares = (q[:i] * (eta * row)).sum(-1)
            row = row - (shares[..., None] * q[:i]).sum(0)
            jet = jet - (shares[:, None, ..., None] * jets[:i]).sum(0)
        norm = np.sqrt((eta * row * row).sum(-1))
        if i >= s.shape[-1] or not (norm > DEPENDENT * size).all():
            raise InputError(
                f"window of {s.shape[-1]} samples: expected enough for degree {degree}, got degree {i - 1}"
            )
        q[i], jets[i] = row / norm[..., None], jet / norm[..., None]
    steps = jets[:, order, ..., None] * (eta * q)[..., None, :]
    return np.asarray(np.cumsum(steps, axis=0), np.longdouble)


def _times_s(jet: Wide, places: Wide) -> Wide:
    """Derivatives at a of s f(s): (s f)^(k) = a f^(k) + k f^(k-1)."""
    moved = places * jet
    moved[1:] += np.arange(1, len(jet)).reshape(-1, *[1] * places.ndim) * jet[:-1]
    return np.asarray(moved, np.longdouble)
