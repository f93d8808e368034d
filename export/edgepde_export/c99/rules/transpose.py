"""Transpose: dimensions in another order."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Free sizes move without a copy, numbers with one."""
    x = builder.running(call, call.value(0))
    order = call.attributes.get("perm") or range(len(x.shape))[::-1]
    return (builder.permuted(call, x, [int(i) for i in order]),)
