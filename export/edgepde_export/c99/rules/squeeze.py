"""Squeeze: dimensions of size 1 dropped."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call, viewed
from ..dims import spelled
from ..value import Value


def rule(call: Call, _: Builder) -> tuple[Value, ...]:
    """The same elements."""
    x, axes = call.value(0), call.known(1)
    dropped = [i for i, d in enumerate(x.shape) if d == ()] if axes is None else [int(a) % len(x.shape) for a in axes]
    if any(x.shape[i] != () for i in dropped):
        raise UnsupportedModel(f"expected size 1 along axes {dropped}, got {spelled(x.shape)}")
    return (viewed(x, tuple(d for i, d in enumerate(x.shape) if i not in dropped)),)
