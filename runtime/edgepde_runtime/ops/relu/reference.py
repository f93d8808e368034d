"""y = max(x, 0)."""

from __future__ import annotations

import numpy as np

from .._numpy import elementwise

run = elementwise(lambda x: np.maximum(x, 0))
