"""y = sqrt(x)."""

from __future__ import annotations

import numpy as np

from .._numpy import elementwise

run = elementwise(np.sqrt)
