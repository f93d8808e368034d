"""c = a or b, broadcast."""

from __future__ import annotations

import numpy as np

from .._numpy import predicate

run = predicate(np.logical_or)
