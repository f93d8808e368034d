"""Fields of the training grid read at other points and times, and errors over cases."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Floats = NDArray[np.floating]
DEGREES = (0, 1, 2, 3)
LAST = 0.8, 0.6
"""Times from the second on are continued; which degree does best is seen from those below the first, on those above."""


def space_matrix(x: Floats, wanted: Floats, period: float) -> NDArray[np.float64]:
    """[n, n'] of trigonometric interpolation from equal steps."""
    n = len(x)
    k = np.fft.fftfreq(n, 1.0 / n)
    phase = np.exp(2j * np.pi / period * k[:, None] * (np.asarray(wanted)[None] - x[0]))
    if n % 2 == 0:
        phase[n // 2] = phase[n // 2].real
    return np.asarray(np.fft.fft(np.eye(n), axis=1) @ phase).real / n


def time_matrix(times: Floats, wanted: Floats, horizon: float, degree: int) -> NDArray[np.float64]:
    """[T', T]: the polynomial through all times up to the horizon; beyond it that of a degree through the last ones."""
    wanted = np.asarray(wanted, np.float64)
    made = _through(times, wanted, len(times) - 1, horizon)
    beyond = wanted > horizon * (1.0 + 1e-12)
    if beyond.any():
        late = times >= LAST[1] * horizon
        made[beyond] = 0.0
        made[np.ix_(beyond, late)] = _through(times[late], wanted[beyond], degree, horizon)
    return made


def continuation(field: Floats, times: Floats, horizon: float) -> int:
    """The degree that continues the training fields [N, T, n] best from their earlier times to their last."""
    early = (times <= LAST[0] * horizon) & (times >= (LAST[0] + LAST[1] - 1.0) * horizon)
    late = times > LAST[0] * horizon
    sample = field[:: max(1, len(field) // 50)]
    known, wanted = sample[:, early], sample[:, late]
    off = [
        float(
            np.square(np.einsum("ab,nbx->nax", _through(times[early], times[late], d, horizon), known) - wanted).sum()
        )
        for d in DEGREES
        if d < early.sum()
    ]
    return int(np.argmin(off))


def _through(times: Floats, wanted: Floats, degree: int, horizon: float) -> NDArray[np.float64]:
    known, asked = (chebyshev.chebvander(2.0 * np.asarray(t) / horizon - 1.0, degree) for t in (times, wanted))
    return np.asarray(asked @ np.linalg.pinv(known))


def relative(found: Floats, exact: Floats) -> NDArray[np.float64]:
    """Relative L2 error of every case [N], over all its times and points."""
    off = (np.asarray(found, np.float64) - exact).reshape(len(exact), -1)
    size = np.asarray(exact, np.float64).reshape(len(exact), -1)
    return np.asarray(np.linalg.norm(off, axis=1) / np.linalg.norm(size, axis=1))
