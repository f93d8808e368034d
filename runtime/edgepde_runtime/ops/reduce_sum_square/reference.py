"""y = sum of x^2 over axes."""

from __future__ import annotations

import numpy as np

from .._numpy import reduction

run = reduction(lambda x, **options: np.sum(x * x, **options))
