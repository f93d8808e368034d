"""y = log(1 + exp(x))."""

from __future__ import annotations

import numpy as np

from .._numpy import elementwise

run = elementwise(lambda x: np.logaddexp(x, np.zeros((), x.dtype)))
