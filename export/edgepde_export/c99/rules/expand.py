"""Expand: a value repeated; along free sizes nothing is stored."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call, viewed
from ..dims import Dim, Shape, dim, features, wanted
from ..value import Value, broadcast


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """The common shape of the value and the one asked for."""
    x, target = builder.running(call, call.value(0)), call.known(1, sizes=True)
    if target is None:
        raise UnsupportedModel("expected a shape")
    shape = expanded(x.shape, [int(n) for n in target], builder)
    return (viewed(x, shape) if features(shape) == x.count else builder.copied(call.label, x, shape),)


def expanded(shape: Shape, target: list[int], builder: Builder) -> Shape:
    """Sizes asked for, as factors; one that agrees with the value's own keeps the order of its factors."""
    rank = max(len(shape), len(target))
    own: Shape = ((),) * (rank - len(shape)) + shape
    asked: list[Dim] = []
    for i, size in enumerate([1] * (rank - len(target)) + target):
        number, names = wanted(size, builder.stand_ins)
        known = own[i]
        same = sorted(f for f in known if isinstance(f, str)) == list(names) and features((known,)) == number
        asked.append(known if same else dim(*names, number))
    return broadcast([own, tuple(asked)])
