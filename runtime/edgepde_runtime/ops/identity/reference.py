"""y = x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """x itself."""
    (x,) = present(inputs)
    return (x,)
