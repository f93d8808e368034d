"""The sizes of the input's axes start ... end - 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """int64 [rank], cut to axes in [start, end), which may be negative."""
    (x,) = present(inputs)
    return (np.array(x.shape[attributes["start"] : attributes.get("end")], np.int64),)
