"""Flatten: the dimensions before an axis as one, those from it on as another."""

from __future__ import annotations

from ..building import Builder, Call, viewed
from ..dims import dim, flat
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """The same elements."""
    x, axis = builder.running(call, call.value(0)), int(call.attributes["axis"])
    axis += len(x.shape) if axis < 0 else 0
    return (viewed(x, (dim(*flat(x.shape[:axis])), dim(*flat(x.shape[axis:])))),)
