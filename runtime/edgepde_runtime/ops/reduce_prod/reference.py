"""y = product of x over axes."""

from __future__ import annotations

import numpy as np

from .._numpy import reduction

run = reduction(np.prod)
