"""Reshape: the same elements; rows stay apart."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call, viewed
from ..dims import evaluate, regroup
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Regroups the factors of the shape."""
    x, shape = call.value(0), call.known(1, sizes=True)
    if shape is None:
        raise UnsupportedModel("expected a shape")
    sizes = evaluate(x.shape, builder.stand_ins)
    keep = not call.attributes["allowzero"]
    target = [sizes[i] if n == 0 and keep else int(n) for i, n in enumerate(shape)]
    x = builder.running(call, x)
    return (viewed(x, regroup(x.shape, target, builder.stand_ins)),)
