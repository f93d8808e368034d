"""Ops that only move entries: the op's own definition runs on the places the entries have."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import EdgePDEError

from ..building import Builder, Value
from ..composing import constant
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """Inputs of the same element letter as the first value are moved, the others say how."""
    declared = call.room.op.inputs
    letters = [declared[min(i, len(declared) - 1)].element for i in range(len(call.inputs))]
    letter = next(e for e, x in zip(letters, call.inputs, strict=True) if isinstance(x, Value))
    moving = [i for i, x in enumerate(call.inputs) if x is not None and letters[i] == letter]
    found = [call.operand(i) for i in moving]
    placed = b.beside([x if isinstance(x, Value) else constant(b, x) for x in found])
    given = [None if x is None or isinstance(x, Value) else x.data for x in call.inputs]
    for i, x in zip(moving, placed, strict=True):
        given[i] = x.index
    try:
        results = call.room.run(given, call.attributes)
    except (EdgePDEError, IndexError, TypeError, ValueError) as error:
        raise call.refuse(str(error)) from error
    return [Value(placed[0].node, np.asarray(y)) for y in results]
