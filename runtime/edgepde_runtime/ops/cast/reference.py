"""y = x in another element type; floats become integers by cutting towards zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...onnxtensor import ELEMENTS
from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """x in the dtype of code `to`; a float outside an integer type's range gives any integer."""
    (x,) = present(inputs)
    return (x.astype(ELEMENTS[attributes["to"]]),)
