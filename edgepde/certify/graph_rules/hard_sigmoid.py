"""HardSigmoid: alpha x + beta cut to [0, 1]."""

from __future__ import annotations

import numpy as np

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """min(max(alpha x + beta, 0), 1)."""
    line = composing.scaled(b, call.value(0), call.attributes["alpha"], call.attributes["beta"])
    return [composing.clipped(b, line, np.array(0.0), np.array(1.0))]
