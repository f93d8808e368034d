"""Clip: an absent end is infinite."""

from __future__ import annotations

import numpy as np

from ..building import Builder, Call
from ..value import Value, constant


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """min(max(x, low), high)."""
    x, low, high = call.value(0), call.optional(1), call.optional(2)
    number = np.float32 if x.code == "f32" else np.float64
    low = low or constant(np.array(-np.inf, number))
    high = high or constant(np.array(np.inf, number))
    return (builder.lanes(call, f"ep_clip_{x.code}({{0}}, {{1}}, {{2}})", [x, low, high], ("clip.h",)),)
