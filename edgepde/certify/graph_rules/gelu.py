"""Gelu, exact by erf or approximate by tanh."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """x Phi(x)."""
    name = "gelu_tanh" if call.attributes["approximate"] == "tanh" else "gelu"
    return [composing.pointwise(b, name, call.value(0))]
