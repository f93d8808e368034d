"""The same elements with axes in another order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """Axis i of the output is axis perm[i] of the input; reversed where perm is absent."""
    (x,) = present(inputs)
    return (np.transpose(x, attributes.get("perm")),)
