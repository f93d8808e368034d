"""How many modes and degrees the inputs and the outputs of operators need, by their training cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from edgepde_runtime.errors import InputError

from edgepde.problems.operator_data import OperatorData

from .encoding import Encoding
from .prepared import Floats, Norm
from .spectral import Spectral, fitting_terms

TAIL_OUT = 1e-4
"""What may be left out, relative to the root mean square of all cases."""
MOST_MODES, MOST_TERMS = 48, 20


class Chosen(NamedTuple):
    """terms: q in time; modes: m in space."""

    terms: int
    modes: int


def encoding_of(data: Sequence[OperatorData], modes: int) -> Encoding:
    """The encoding of so many modes at the sensors of all. InputError naming the operator whose sensors differ."""
    first = data[0]
    for one in data:
        if not np.array_equal(one.sensor_x, first.sensor_x) or one.period != first.period:
            said = f"{len(one.sensor_x)} on a period of {one.period:g}"
            raise InputError(
                f"operator {one.name}: sensors: expected those of {first.name} ({len(first.sensor_x)} on a period of "
                f"{first.period:g}) at the same places, got {said}: one branch reads all of them"
            )
    return Encoding(first.sensor_x, first.period, modes)


def input_modes(data: OperatorData) -> int:
    """All that the sensors can tell: the linear part also has factors for modes that no training input has."""
    return (len(data.sensor_x) - 1) // 2


def output_sizes(data: OperatorData, horizon: float) -> Chosen:
    """Of the outputs."""
    terms = min(fitting_terms(data.field, data.times, horizon), MOST_TERMS)
    norm = Norm(terms, min((len(data.x) - 1) // 2, MOST_MODES))
    found = Spectral(data.period, norm.modes, horizon, terms - 1).coefficients(data.field, data.times, data.x)
    flat = norm.flat(found).reshape(found.shape)
    modes = _needed(_of_modes(flat.reshape(-1, found.shape[-1])), TAIL_OUT)
    return Chosen(_needed((found**2).sum((0, 2)), TAIL_OUT) + 1, max(1, modes))


def _of_modes(coefficients: Floats) -> Floats:
    """Squares [m + 1] of modes 0 .. m, over all rows [N, 2m+1]."""
    squares = (coefficients**2).sum(0)
    m = len(squares) // 2
    return np.r_[squares[:1], squares[1 : m + 1] + squares[m + 1 :]]


def _needed(squares: Floats, tail: float) -> int:
    """The last place before which all but `tail` of the root of the sum lies."""
    left = np.sqrt(np.maximum(squares.sum() - np.cumsum(squares), 0.0) / max(squares.sum(), 1e-300))
    return int(np.argmax(left <= tail))
