"""y = the integer nearest to x, halves to even."""

from __future__ import annotations

import numpy as np

from .._numpy import elementwise

run = elementwise(np.rint)
