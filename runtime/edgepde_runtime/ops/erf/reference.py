"""y = erf(x) = 2 / sqrt(pi) * integral of exp(-s^2) for s in [0, x]."""

from __future__ import annotations

from .._numpy import elementwise, erf

run = elementwise(erf)
