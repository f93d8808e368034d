"""c = a == b, broadcast."""

from __future__ import annotations

import numpy as np

from .._numpy import predicate

run = predicate(np.equal)
