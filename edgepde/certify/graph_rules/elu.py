"""Elu."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """x where x > 0, else alpha (exp(x) - 1)."""
    return [composing.elu(b, call.value(0), call.attributes["alpha"])]
