"""y = -1, 0 or 1, the sign of x."""

from __future__ import annotations

import numpy as np

from .._numpy import elementwise

run = elementwise(np.sign)
