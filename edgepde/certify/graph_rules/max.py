"""Max: the largest of several, broadcast."""

from __future__ import annotations

import functools

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """Two at a time, constants last."""
    ordered = sorted(call.operands(), key=lambda x: not isinstance(x, Value))
    return [composing.value(b, functools.reduce(functools.partial(composing.larger, b), ordered))]
