"""Unsqueeze: dimensions of size 1 put in."""

from __future__ import annotations

from ..building import Builder, Call, viewed
from ..dims import Dim
from ..value import Value


def rule(call: Call, _: Builder) -> tuple[Value, ...]:
    """The same elements."""
    x, axes = call.value(0), call.known(1)
    rank = len(x.shape) + (0 if axes is None else len(axes))
    put = {int(a) % rank for a in ([] if axes is None else axes)}
    rest = iter(x.shape)
    shape: tuple[Dim, ...] = tuple(() if i in put else next(rest) for i in range(rank))
    return (viewed(x, shape),)
